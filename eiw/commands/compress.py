"""eiw compress: text becomes tokens, for training.

With --text, the token files of one compressor, which `eiw train` reads without TensorFlow. With
--tasks, the offline caches of SeqIO tasks, which T5X and `use_cached=True` read: made by a pool of
processes, with the same content for any number of them. Where it was stopped it goes on with the
next shard. For clusters, `launch/beam.sh` makes caches by Apache Beam.
"""

import importlib
import pathlib

from absl import flags

from eiw import atomic, compressors, errors
from eiw.commands import task_flags
from eiw.data import corpus, text_files, token_files

# Flags that go with --text, and those that go with --tasks; the first ones must be given.
_TEXT_FLAGS = ("compressor", "output", "max_tokens")
_TASK_FLAGS = (
    *("output_cache_dir", "num_shards", "workers", "overwrite"),
    *("module_import", "tfds_data_dir"),
)


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw compress`."""
    flags.DEFINE_string(
        "text",
        None,
        "Glob of text: .txt, or .jsonl with a field 'text'; also .gz and .xz.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "compressor", None, "With --text: folder of a saved compressor.", flag_values=values
    )
    flags.DEFINE_string(
        "output",
        None,
        "With --text: folder of the token files OUTPUT/train, OUTPUT/validation, OUTPUT/test.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "max_tokens",
        None,
        "With --text: stop each split after this many.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_list(
        "tasks",
        None,
        "Names of SeqIO tasks, separated by commas; compressors are found in the folder "
        "EIW_COMPRESSORS.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output_cache_dir", None, "With --tasks: folder of the caches.", flag_values=values
    )
    flags.DEFINE_integer(
        "num_shards", 64, "With --tasks: files a split.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer(
        "workers",
        None,
        "With --tasks: processes that compress; default: one for each CPU.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "overwrite", False, "With --tasks: delete what is cached first.", flag_values=values
    )
    task_flags.define(values, "--tasks")


def run(values: flags.FlagValues) -> None:
    """Writes token files or caches, and says how much text they hold."""
    if (values.text is None) == (values.tasks is None):
        raise errors.InputError("Give either --text, for token files, or --tasks, for caches.")
    if values.text is not None:
        _check(values, "text", needed=("compressor", "output"), foreign=_TASK_FLAGS)
        _write_token_files(values)
    else:
        _check(values, "tasks", needed=("output_cache_dir",), foreign=_TEXT_FLAGS)
        _write_caches(values)


def _check(
    values: flags.FlagValues, chosen: str, needed: tuple[str, ...], foreign: tuple[str, ...]
) -> None:
    for name in needed:
        if values[name].value is None:
            raise errors.InputError(f"--{chosen} needs --{name} too.")
    task_flags.refuse(values, foreign, chosen)


def _write_token_files(values: flags.FlagValues) -> None:
    """Reads the text once, then compresses one split after the other."""
    output = pathlib.Path(values.output)
    compressor = compressors.load(pathlib.Path(values.compressor))
    # Mistakes are told before anything is read or written.
    text_files.matching_files(values.text)
    atomic.check_replaceable(output / "corpus", corpus.HEADER_NAME)
    for split in corpus.SPLITS:
        atomic.check_replaceable(output / split, token_files.HEADER_NAME)
    text = corpus.write_corpus(
        output / "corpus", text_files.text_documents(values.text), source=values.text
    )
    for split in corpus.SPLITS:
        tokens = token_files.write_tokens(
            output / split,
            compressor,
            text[split],
            values.max_tokens,
            corpus_sha256=text.sha256,
        )
        ratio = tokens.total_bytes / tokens.num_tokens
        print(
            f"{output / split}: {tokens.num_tokens:,} tokens of {tokens.total_bytes:,} bytes "
            f"({ratio:.3f} bytes/token)"
        )


def _write_caches(values: flags.FlagValues) -> None:
    # These import TensorFlow: neither --help nor token files are to wait for it, or to need it.
    task_cache = importlib.import_module("eiw.data.task_cache")
    task_text = importlib.import_module("eiw.data.task_text")
    task_text.register(values.module_import)
    for name in values.tasks:
        stats = task_cache.cache_task(
            name,
            values.output_cache_dir,
            num_shards=values.num_shards,
            workers=values.workers,
            overwrite=values.overwrite,
            tfds_data_dir=values.tfds_data_dir,
        )
        for split, counts in stats.items():
            print(
                f"{pathlib.Path(values.output_cache_dir) / name}: {split} "
                f"{counts['examples']:,} examples, {counts['targets_tokens']:,} tokens"
            )
