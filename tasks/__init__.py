"""SeqIO tasks: `import eiw.tasks` registers every name below.

PREFIX_METHOD: the prefix says which text, the method which compressor. All tasks share one chain
of preprocessors, the paper's (Lester et al. 2024, 3.1 and 3.3).

  docs_  documentation inside installed packages; needs nothing
  text_  files of your own: EIW_TEXT, a glob
  c4_    C4 English from TFDS

Compressors come from EIW_COMPRESSORS/METHOD/ when a task is used, not when it is registered; bytes
need none. In code or gin: `eiw.data.locations.set_locations`. `eiw compile` makes each from
gin/methods/METHOD.gin.
"""

import functools

import seqio

from eiw.compressors.raw_bytes import RawBytes
from eiw.data import locations, preprocessors, seqio_source, task_metrics, vocabularies

_SOURCES = {
    "docs": seqio_source.docs_source(),
    "text": seqio_source.text_source(),
    "c4": seqio.TfdsDataSource("c4/en:3.1.0", splits=("train", "validation")),
}


@functools.cache
def _vocabulary(method: str) -> vocabularies.CompressorVocabulary:
    """The vocabulary that all tasks of a method share, so that its compressor is loaded once."""
    if method == "bytes":
        return vocabularies.CompressorVocabulary(RawBytes)
    return vocabularies.CompressorVocabulary(locations.NamedCompressor(method))


def _add(name: str) -> None:
    prefix, _, method = name.partition("_")
    # The pipeline has put EOS where documents end: SeqIO adds none.
    targets = seqio.Feature(_vocabulary(method), add_eos=False)
    seqio.TaskRegistry.add(
        name,
        source=_SOURCES[prefix],
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


_add("docs_bytes")
_add("docs_sentencepiece")
_add("docs_sentencepiece_foreign")
_add("docs_ac_raw_bits")
_add("docs_ac_v256")
_add("docs_ac_v65k")
_add("docs_static_ac_v256")
_add("docs_static_ac_v65k")
_add("docs_huffman_v256")
_add("docs_huffman_v65k")
_add("docs_static_huffman_v256")
_add("docs_static_huffman_v65k")
_add("docs_ans_v256")
_add("docs_ans_v65k")
_add("docs_static_ans_v256")
_add("docs_static_ans_v65k")
_add("docs_gzip_v256")
_add("docs_gzip_v256_level9")
_add("docs_gzip_v256_no_header")
_add("docs_gzip_v65k")
_add("docs_gzip_v65k_level9")
_add("docs_gzip_v65k_no_header")
_add("docs_equal_text_n8_v256")
_add("docs_equal_text_n8_v256_delimited")
_add("docs_equal_text_n8_v65k")
_add("docs_equal_text_n8_v65k_delimited")
_add("docs_equal_info_b16_v256")
_add("docs_equal_info_b16_v256_delay")
_add("docs_equal_info_b16_v256_greedy")
_add("docs_equal_info_b16_v256_reset0")
_add("docs_equal_info_b16_v256_reset2")
_add("docs_equal_info_b16_v65k")
_add("docs_equal_info_b16_v65k_delay")
_add("docs_equal_info_b16_v65k_greedy")
_add("docs_equal_info_b16_v65k_reset0")
_add("docs_equal_info_b16_v65k_reset2")
_add("docs_equal_info_b16_v65k_sparse")
_add("docs_equal_info_b24_v256")
_add("docs_equal_info_b24_v256_greedy")
_add("docs_equal_info_b24_v65k")
_add("docs_equal_info_b24_v65k_greedy")
_add("docs_equal_info_b32_v256")
_add("docs_equal_info_b32_v256_greedy")
_add("docs_equal_info_b32_v65k")
_add("docs_equal_info_b32_v65k_greedy")
_add("docs_equal_info_b64_v256")
_add("docs_equal_info_b64_v256_greedy")
_add("docs_equal_info_b64_v65k")
_add("docs_equal_info_b64_v65k_greedy")
_add("docs_equal_info_b128_v256")
_add("docs_equal_info_b128_v256_greedy")
_add("docs_equal_info_b128_v65k")
_add("docs_equal_info_b128_v65k_greedy")
_add("docs_tunstall_v4k")
_add("docs_tunstall_v4k_starts2_of8_fewest_start")
_add("docs_tunstall_v32k")
_add("docs_tunstall_v32k_starts2_of8_fewest_start")
_add("docs_tunstall_v65k")
_add("docs_tunstall_v65k_starts2_of8_fewest_start")

_add("text_bytes")
_add("text_sentencepiece")
_add("text_sentencepiece_foreign")
_add("text_ac_raw_bits")
_add("text_ac_v256")
_add("text_ac_v65k")
_add("text_static_ac_v256")
_add("text_static_ac_v65k")
_add("text_huffman_v256")
_add("text_huffman_v65k")
_add("text_static_huffman_v256")
_add("text_static_huffman_v65k")
_add("text_ans_v256")
_add("text_ans_v65k")
_add("text_static_ans_v256")
_add("text_static_ans_v65k")
_add("text_gzip_v256")
_add("text_gzip_v256_level9")
_add("text_gzip_v256_no_header")
_add("text_gzip_v65k")
_add("text_gzip_v65k_level9")
_add("text_gzip_v65k_no_header")
_add("text_equal_text_n8_v256")
_add("text_equal_text_n8_v256_delimited")
_add("text_equal_text_n8_v65k")
_add("text_equal_text_n8_v65k_delimited")
_add("text_equal_info_b16_v256")
_add("text_equal_info_b16_v256_delay")
_add("text_equal_info_b16_v256_greedy")
_add("text_equal_info_b16_v256_reset0")
_add("text_equal_info_b16_v256_reset2")
_add("text_equal_info_b16_v65k")
_add("text_equal_info_b16_v65k_delay")
_add("text_equal_info_b16_v65k_greedy")
_add("text_equal_info_b16_v65k_reset0")
_add("text_equal_info_b16_v65k_reset2")
_add("text_equal_info_b16_v65k_sparse")
_add("text_equal_info_b24_v256")
_add("text_equal_info_b24_v256_greedy")
_add("text_equal_info_b24_v65k")
_add("text_equal_info_b24_v65k_greedy")
_add("text_equal_info_b32_v256")
_add("text_equal_info_b32_v256_greedy")
_add("text_equal_info_b32_v65k")
_add("text_equal_info_b32_v65k_greedy")
_add("text_equal_info_b64_v256")
_add("text_equal_info_b64_v256_greedy")
_add("text_equal_info_b64_v65k")
_add("text_equal_info_b64_v65k_greedy")
_add("text_equal_info_b128_v256")
_add("text_equal_info_b128_v256_greedy")
_add("text_equal_info_b128_v65k")
_add("text_equal_info_b128_v65k_greedy")
_add("text_tunstall_v4k")
_add("text_tunstall_v4k_starts2_of8_fewest_start")
_add("text_tunstall_v32k")
_add("text_tunstall_v32k_starts2_of8_fewest_start")
_add("text_tunstall_v65k")
_add("text_tunstall_v65k_starts2_of8_fewest_start")

_add("c4_bytes")
_add("c4_sentencepiece")
_add("c4_sentencepiece_foreign")
_add("c4_ac_raw_bits")
_add("c4_ac_v256")
_add("c4_ac_v65k")
_add("c4_static_ac_v256")
_add("c4_static_ac_v65k")
_add("c4_huffman_v256")
_add("c4_huffman_v65k")
_add("c4_static_huffman_v256")
_add("c4_static_huffman_v65k")
_add("c4_ans_v256")
_add("c4_ans_v65k")
_add("c4_static_ans_v256")
_add("c4_static_ans_v65k")
_add("c4_gzip_v256")
_add("c4_gzip_v256_level9")
_add("c4_gzip_v256_no_header")
_add("c4_gzip_v65k")
_add("c4_gzip_v65k_level9")
_add("c4_gzip_v65k_no_header")
_add("c4_equal_text_n8_v256")
_add("c4_equal_text_n8_v256_delimited")
_add("c4_equal_text_n8_v65k")
_add("c4_equal_text_n8_v65k_delimited")
_add("c4_equal_info_b16_v256")
_add("c4_equal_info_b16_v256_delay")
_add("c4_equal_info_b16_v256_greedy")
_add("c4_equal_info_b16_v256_reset0")
_add("c4_equal_info_b16_v256_reset2")
_add("c4_equal_info_b16_v65k")
_add("c4_equal_info_b16_v65k_delay")
_add("c4_equal_info_b16_v65k_greedy")
_add("c4_equal_info_b16_v65k_reset0")
_add("c4_equal_info_b16_v65k_reset2")
_add("c4_equal_info_b16_v65k_sparse")
_add("c4_equal_info_b24_v256")
_add("c4_equal_info_b24_v256_greedy")
_add("c4_equal_info_b24_v65k")
_add("c4_equal_info_b24_v65k_greedy")
_add("c4_equal_info_b32_v256")
_add("c4_equal_info_b32_v256_greedy")
_add("c4_equal_info_b32_v65k")
_add("c4_equal_info_b32_v65k_greedy")
_add("c4_equal_info_b64_v256")
_add("c4_equal_info_b64_v256_greedy")
_add("c4_equal_info_b64_v65k")
_add("c4_equal_info_b64_v65k_greedy")
_add("c4_equal_info_b128_v256")
_add("c4_equal_info_b128_v256_greedy")
_add("c4_equal_info_b128_v65k")
_add("c4_equal_info_b128_v65k_greedy")
_add("c4_tunstall_v4k")
_add("c4_tunstall_v4k_starts2_of8_fewest_start")
_add("c4_tunstall_v32k")
_add("c4_tunstall_v32k_starts2_of8_fewest_start")
_add("c4_tunstall_v65k")
_add("c4_tunstall_v65k_starts2_of8_fewest_start")
