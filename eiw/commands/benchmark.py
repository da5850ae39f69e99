"""eiw benchmark WHAT: speed, with one JSON object as the last line.

tokenizers   the compressors of a run (RUN/compressors/*) beside SentencePiece, tokenizers, tiktoken
             and pyrwkv-tokenizer (the extra `bench`), all on the same text
coder        the arithmetic coder and ANS beside constriction's (the extra `bench`)
windows      Equal-Info Windows under a running M1 (--m1), side by side and in a plain loop
train-step   a train step of a size beside the machine's best matrix product, and with --t5x beside
             T5X's own step (a checkout on PYTHONPATH)
inference    generation at equal parameters, method by method: latency and bytes/s beside the bytes
             that a step reads; with --run also the plot of bits/byte over latency
startup      from the start of `eiw train` to its first step, from token files and from SeqIO; with
             --t5x also from the start of T5X's trainer
"""

import importlib.util
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from absl import flags

from eiw import compressors, errors, gin_config, progress
from eiw.commands import benchmark_inference, tables
from eiw.data import text_files
from eiw.evaluation import (
    coder_speed,
    rival_coders,
    rival_tokenizers,
    startup_speed,
    tokenizer_speed,
    window_speed,
)
from eiw.models import config
from eiw.training import step_speed

_RATES = ("name", "encode_mb_per_cpu_s", "decode_mb_per_cpu_s")

# The flags that each job reads.
ARGUMENTS = {
    "tokenizers": ("text", "run", "rivals", "rounds", "max_bytes", "m1_bytes"),
    "coder": ("text", "rounds", "max_bytes", "block_bytes"),
    "windows": ("text", "m1", "rounds", "max_bytes", "m1_bytes", "window_bits"),
    "train-step": (
        *("size", "vocab_size", "batch_size", "length", "dtype", "microbatches", "t5x", "rounds"),
    ),
    "inference": (
        "text",
        "run",
        "size",
        "length",
        "rounds",
        "m1_bytes",
        *benchmark_inference.FLAGS,
    ),
    "startup": ("rounds", "t5x"),
}


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw benchmark`."""
    flags.DEFINE_string(
        "text",
        None,
        "tokenizers, coder, windows, inference without --run: file or glob of text, as of "
        "`eiw compress`.",
        flag_values=values,
    )
    flags.DEFINE_string("run", None, "tokenizers, inference: folder of a run.", flag_values=values)
    flags.DEFINE_list(
        "rivals",
        list(rival_tokenizers.names()),
        "tokenizers: which others; none for an empty list.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "rounds",
        5,
        "Rounds, of which the median counts; train-step: 0 for its memory alone.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "max_bytes",
        20_000_000,
        "tokenizers, coder, windows: text that is read at most.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "block_bytes",
        65_536,
        "coder: bytes that are coded as one text.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_string("m1", None, "windows: folder of an exported M1.", flag_values=values)
    flags.DEFINE_integer(
        "window_bits", 32, "windows: their width.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_string(
        "size",
        None,
        "train-step: a file in gin/sizes, by default 3m; inference: one or several, "
        f"by default {benchmark_inference.SIZES}, or that of --run.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "vocab_size", 259, "train-step: ids, specials included.", lower_bound=4, flag_values=values
    )
    flags.DEFINE_integer("batch_size", 8, "train-step: rows.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer(
        "length",
        512,
        "train-step: tokens a row; inference: that M2 reads at most.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "dtype",
        "float32",
        ["float32", "bfloat16"],
        "train-step: of activations.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "microbatches",
        None,
        "train-step: parts of a batch, one after the other; default: what suits the device.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_boolean("t5x", False, "train-step, startup: T5X's beside it.", flag_values=values)
    flags.DEFINE_integer(
        "m1_bytes",
        20_000,
        "tokenizers: text for the compressors that run M1, which are measured in one round; "
        "windows: text in all; inference: text that tells their bytes a step.",
        lower_bound=1,
        flag_values=values,
    )
    benchmark_inference.define_flags(values)


def run(values: flags.FlagValues, what: str) -> None:
    """Measures, and prints a table and the JSON object."""
    if not values.rounds and what != "train-step":
        raise errors.InputError(f"eiw benchmark {what} needs --rounds of 1 or more.")
    {
        "tokenizers": _tokenizers,
        "coder": _coder,
        "windows": _windows,
        "train-step": _train_step,
        "inference": benchmark_inference.run,
        "startup": _startup,
    }[what](values)


def _documents(values: flags.FlagValues) -> list[bytes]:
    if values.text is None:
        raise errors.InputError("Give --text.")
    return _first(text_files.documents(values.text), values.max_bytes)


def _tokenizers(values: flags.FlagValues) -> None:
    documents = _documents(values)
    if values.run is None:
        raise errors.InputError("Give --run, the folder of a run.")
    ours = _ours(pathlib.Path(values.run))
    rivals, skipped = [], []
    for name in progress.track(values.rivals, "Preparing others", unit="tokenizer"):
        rival = rival_tokenizers.make_rival(name, documents)
        rivals.append(rival) if rival else skipped.append(name)
    fast = [tokenizer for tokenizer in ours if not tokenizer.runs_m1]
    slow = [tokenizer for tokenizer in ours if tokenizer.runs_m1]
    rows = tokenizer_speed.measure([*fast, *rivals], documents, values.rounds)
    slow_documents = _cut(documents, values.m1_bytes)
    rows += tokenizer_speed.measure(slow, slow_documents, 1) if slow else []
    threads = tokenizer_speed.measure_threads(fast, documents, values.rounds)
    print(
        tables.table(tables.rounded(rows), (*_RATES, "bytes_per_token", "vocab_size", "lossless"))
    )
    print("\nTimes as fast as others, encoding and decoding:")
    print(tables.table(*_ratios(rows)))
    if slow:
        size = sum(map(len, slow_documents))
        print(f"{', '.join(one.name for one in slow)}: run M1; {size:,} bytes, one round.")
    if skipped:
        print(f"Not installed, and so skipped: {', '.join(skipped)} (pip install 'eiw[bench]').")
    print("\nTwo threads are faster than one by a factor of:")
    print(tables.table(tables.rounded(threads), ("name", "encode_speedup", "decode_speedup")))
    result = {
        "text_bytes": sum(map(len, documents)),
        "rows": rows,
        "threads": threads,
        "skipped": skipped,
    }
    print(json.dumps(result))


def _ratios(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, str]], list[str]]:
    """A row for each of ours, a column for each of the others; the ratios also go into `rows`."""
    others = [row for row in rows if not row["is_ours"]]
    table = []
    for row in rows:
        if row["is_ours"]:
            row["times_as_fast"] = {
                other["name"]: [row[rate] / other[rate] for rate in _RATES[1:]] for other in others
            }
            cells = {
                name: " / ".join(f"{ratio:.1f}" for ratio in ratios)
                for name, ratios in row["times_as_fast"].items()
            }
            table.append({"name": row["name"]} | cells)
    return table, ["name", *(other["name"] for other in others)]


def _coder(values: flags.FlagValues) -> None:
    symbols = np.frombuffer(b"".join(_documents(values)), np.uint8)
    rivals = rival_coders.constriction_coders(symbols)
    coders = [*coder_speed.our_coders(symbols), *rivals]
    rows = coder_speed.measure(coders, symbols, values.block_bytes, values.rounds)
    print(tables.table(tables.rounded(rows), (*_RATES, "bits_per_symbol", "lossless")))
    if not rivals:
        print("Not installed, and so skipped: constriction (pip install 'eiw[bench]').")
    print(json.dumps({"symbols": len(symbols), "block_bytes": values.block_bytes, "rows": rows}))


def _windows(values: flags.FlagValues) -> None:
    """Little text does: the plain loop takes a millisecond or more a byte."""
    documents = _cut(_documents(values), values.m1_bytes)
    if values.m1 is None:
        raise errors.InputError("Give --m1, the folder of an exported M1.")
    result = window_speed.measure_windows(
        pathlib.Path(values.m1), documents, window_bits=values.window_bits, repeats=values.rounds
    )
    _print_facts(result)


def _train_step(values: flags.FlagValues) -> None:
    model = gin_config.build(
        config.DecoderConfig,
        [f"sizes/{values.size or '3m'}.gin"],
        [
            f"config.DecoderConfig.vocab_size = {values.vocab_size}",
            f"config.DecoderConfig.dtype = '{values.dtype}'",
        ],
    )[0]
    rival = None
    if values.t5x:
        # Imports TensorFlow and T5X.
        from eiw import t5x

        rival = t5x.train_step_of_example(model, values.batch_size, values.length)
    result = step_speed.measure_train_step(
        model,
        values.batch_size,
        values.length,
        microbatches=values.microbatches,
        rounds=values.rounds,
        rival=rival,
    )
    _print_facts(result)


def _startup(values: flags.FlagValues) -> None:
    seqio = importlib.util.find_spec("seqio") is not None
    if not seqio:
        print("Not installed, and so skipped: seqio (pip install 'eiw[seqio]').")
    _print_facts(startup_speed.measure_startup(values.rounds, seqio=seqio, t5x=values.t5x))


def _print_facts(result: dict[str, Any]) -> None:
    """A line for each number, then all of them as JSON."""
    width = max(map(len, result))
    for name, value in result.items():
        print(
            f"{name:<{width}}  {value:,.4g}"
            if isinstance(value, float)
            else f"{name:<{width}}  {value}"
        )
    print(json.dumps(result))


def _ours(run: pathlib.Path) -> list[tokenizer_speed.Tokenizer]:
    folders = sorted(path for path in (run / "compressors").glob("*") if path.is_dir())
    if not folders:
        raise errors.InputError(f"{run}/compressors has no compressor: give the folder of a run.")
    return [
        tokenizer_speed.compressor_tokenizer(folder.name, compressors.load(folder))
        for folder in folders
    ]


def _first(documents: Iterable[bytes], max_bytes: int) -> list[bytes]:
    """As many documents as have `max_bytes` together, but at least one.

    Raises:
      InputError: there is no text.
    """
    taken, size = [], 0
    for document in documents:
        size += len(document)
        if taken and size > max_bytes:
            break
        taken.append(document)
    if not size:
        raise errors.InputError("There is no text: the files are empty.")
    return taken


def _cut(documents: Sequence[bytes], max_bytes: int) -> list[bytes]:
    """The first `max_bytes` of the documents."""
    cut = []
    for document in documents:
        if max_bytes <= 0:
            break
        cut.append(document[:max_bytes])
        max_bytes -= len(document)
    return cut
