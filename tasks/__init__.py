"""SeqIO tasks: `import eiw.tasks` registers every name below.

PREFIX_METHOD: the prefix says which text, the method which compressor. All tasks share one chain
of preprocessors, the paper's (Lester et al. 2024, 3.1 and 3.3).

  docs_  documentation inside installed packages; needs nothing
  text_  files of your own: EIW_TEXT, a glob
  c4_    C4 English from TFDS

Compressors come from EIW_COMPRESSORS/METHOD/ when a task is used, not when it is registered; bytes
need none. In code or gin: `eiw.data.locations.set_locations`.
"""

import seqio

from eiw.compressors.raw_bytes import RawBytes
from eiw.data import locations, preprocessors, seqio_source, task_metrics, vocabularies

_DOCS = seqio_source.docs_source()
_TEXT = seqio_source.text_source()
_C4 = seqio.TfdsDataSource("c4/en:3.1.0", splits=("train", "validation"))

_BYTES = vocabularies.CompressorVocabulary(RawBytes)
_SENTENCEPIECE = vocabularies.CompressorVocabulary(locations.NamedCompressor("sentencepiece"))
_AC_V256 = vocabularies.CompressorVocabulary(locations.NamedCompressor("ac_v256"))
_EQUAL_INFO_B16_V65K = vocabularies.CompressorVocabulary(
    locations.NamedCompressor("equal_info_b16_v65k")
)


def _add(
    name: str, source: seqio.DataSource, vocabulary: vocabularies.CompressorVocabulary
) -> None:
    # The pipeline has put EOS where documents end: SeqIO adds none.
    targets = seqio.Feature(vocabulary, add_eos=False)
    seqio.TaskRegistry.add(
        name,
        source=source,
        preprocessors=[
            preprocessors.append_eos,
            preprocessors.concatenate,
            preprocessors.split,
            preprocessors.compress,
            # What is cached are whole examples: one cache serves every sequence length.
            seqio.CacheDatasetPlaceholder(),
            preprocessors.trim,
        ],
        output_features={"targets": targets},
        metric_objs=[task_metrics.NatsPerToken],
    )


_add("docs_bytes", _DOCS, _BYTES)
_add("docs_sentencepiece", _DOCS, _SENTENCEPIECE)
_add("docs_ac_v256", _DOCS, _AC_V256)
_add("docs_equal_info_b16_v65k", _DOCS, _EQUAL_INFO_B16_V65K)

_add("text_bytes", _TEXT, _BYTES)
_add("text_sentencepiece", _TEXT, _SENTENCEPIECE)
_add("text_ac_v256", _TEXT, _AC_V256)
_add("text_equal_info_b16_v65k", _TEXT, _EQUAL_INFO_B16_V65K)

_add("c4_bytes", _C4, _BYTES)
_add("c4_sentencepiece", _C4, _SENTENCEPIECE)
_add("c4_ac_v256", _C4, _AC_V256)
_add("c4_equal_info_b16_v65k", _C4, _EQUAL_INFO_B16_V65K)
