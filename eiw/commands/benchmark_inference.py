"""The job `inference` of `eiw benchmark`."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from eiw import atomic, compressors, errors, gin_config
from eiw import rows as rows_lib
from eiw.analysis import figures
from eiw.analysis import tables as analysis_tables
from eiw.commands import tables, task_flags
from eiw.data import corpus, docstrings, text_files
from eiw.evaluation import inference_speed, ngram_methods
from eiw.inference import sampling
from eiw.models import config

SIZES = "3m,113m"
# Those that only this job reads.
FLAGS = ("methods", "batches", "steps", "prompt_bytes", "temperature", "plot")

# Text to fit compressors on, and to take codes from; bytes of a code, over more text than that.
_FIT_BYTES, _TEXT_BYTES = 4_000_000, 400_000
_COLUMNS = (
    *("size", "batch", "method", "ms_per_step", "bytes_per_step", "bytes_per_s", "times_bytes"),
    *("of_prediction", "of_memory_bandwidth", "detokenise_share", "time_to_first_byte_ms"),
    *("prefill_bytes_per_s", "bits_per_byte"),
)


def define_flags(values: flags.FlagValues) -> None:
    """Adds `FLAGS`."""
    flags.DEFINE_list(
        "methods",
        [],
        "inference: compressors of --run, by default all; without it some of "
        f"{', '.join(ngram_methods.names())}, fitted to the text.",
        flag_values=values,
    )
    flags.DEFINE_list("batches", ["1", "4"], "inference: texts side by side.", flag_values=values)
    flags.DEFINE_integer(
        "steps", 32, "inference: decoder steps of a text.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer(
        "prompt_bytes", 250, "inference: of each prompt.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_float(
        "temperature", 1.0, "inference: of the draws; 0: greedy.", flag_values=values
    )
    flags.DEFINE_string(
        "plot",
        None,
        "inference: PNG of bits/byte over latency, of --run; by default among its figures.",
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Measures, and prints a table, the bars, and all of it as JSON."""
    settings = inference_speed.Settings(
        context=values.length,
        prompt_bytes=values.prompt_bytes,
        batches=_batches(values.batches),
        steps=values.steps,
        rounds=values.rounds,
        how=sampling.Sampling(temperature=values.temperature),
    )
    run_rows: list[rows_lib.Row] = []
    if values.run is not None:
        task_flags.refuse(values, ["text"], "run")
        folder = pathlib.Path(values.run)
        run_rows = _rows_of_run(folder)
        text, found = _text_of_run(folder), _compressors_of_run(folder, values.methods)
    else:
        if values.plot is not None:
            raise errors.InputError("--plot needs --run: bits/byte come from trained models.")
        wanted = _known(values.methods or ngram_methods.names(), ngram_methods.names(), "eiw")
        fit_on, text = _texts(values.text)
        found = ngram_methods.fit(wanted, fit_on)
    named = {name: _matching(run_rows, compressor) for name, compressor in found.items()}
    methods = [
        _method(name, compressor, named[name], text, values.m1_bytes)
        for name, compressor in found.items()
    ]
    sizes = values.size or ",".join(sorted({row.size for row in run_rows})) or SIZES
    models = [_model(size) for size in sizes.split(",")]
    result = inference_speed.measure_inference(models, methods, text, settings)
    result["plot"] = None
    if run_rows:
        default = pathlib.Path(values.run) / "figures" / "bits_per_byte_over_latency.png"
        result["plot"] = _plot(
            pathlib.Path(values.plot or default), result["rows"], run_rows, named
        )
    _print(result)


def _print(result: dict[str, Any]) -> None:
    shown = [{key: row[key] for key in _COLUMNS} for row in result["rows"]]
    print(tables.table(tables.rounded(shown), _COLUMNS))
    print(
        f"\nMemory {result['memory_bytes_per_s'] / 1e9:.1f} GB/s; "
        f"{result['resident_bytes'] / 1e6:.1f} MB again and again "
        f"{result['resident_bytes_per_s'] / 1e9:.1f} GB/s."
    )
    bars = [
        bar
        | {
            "limit": f"<= {bar['at_most']}" if "at_most" in bar else f">= {bar['at_least']}",
            "met": "yes" if bar["is_met"] else "NO",
        }
        for bar in result["bars"]
    ]
    if bars:
        columns = ("name", "size", "batch", "method", "value", "limit", "met")
        print(f"\n{tables.table(tables.rounded(bars), columns)}")
    if result["plot"]:
        print(f"\nPlot: {result['plot']}")
    print(json.dumps(result))


def _batches(given: Sequence[str]) -> tuple[int, ...]:
    if not given or not all(text.isdecimal() and int(text) for text in given):
        raise errors.InputError(f"--batches={','.join(given)} must be whole numbers of 1 or more.")
    return tuple(map(int, given))


def _model(size: str) -> config.DecoderConfig:
    bindings = ["config.DecoderConfig.vocab_size = 259"]
    return gin_config.build(config.DecoderConfig, [f"sizes/{size}.gin"], bindings)[0]


def _texts(pattern: str | None) -> tuple[list[bytes], bytes]:
    """Documents to fit on, and held-out text."""
    if pattern is None:
        documents = docstrings.docstring_documents(packages=("stdlib",))
    else:
        documents = text_files.text_documents(pattern)
    sizes = {"train": _FIT_BYTES, "test": _TEXT_BYTES}
    taken: dict[str, list[bytes]] = {split: [] for split in sizes}
    for split, document in documents:
        if split in sizes and sizes[split] > 0:
            taken[split].append(document)
            sizes[split] -= len(document)
    if not all(map(any, taken.values())):
        raise errors.InputError(
            "There is too little text: give some megabytes, in more than one document."
        )
    return taken["train"], b"\n".join(taken["test"])


def _text_of_run(folder: pathlib.Path) -> bytes:
    """What its rows were scored on."""
    test = corpus.open_corpus(folder / "corpus")["test"]
    return b"\n".join(test.sample(_TEXT_BYTES))


def _compressors_of_run(
    folder: pathlib.Path, wanted: Sequence[str]
) -> dict[str, compressors.Compressor]:
    names = sorted(path.name for path in (folder / "compressors").glob("*") if path.is_dir())
    if not names:
        raise errors.InputError(f"{folder}/compressors has no compressor: give a run's folder.")
    wanted = _known(wanted or names, names, str(folder))
    return {name: compressors.load(folder / "compressors" / name) for name in wanted}


def _known(wanted: Sequence[str], names: Sequence[str], place: str) -> Sequence[str]:
    if unknown := sorted(set(wanted) - set(names)):
        raise errors.InputError(
            f"--methods: {place} has no {', '.join(unknown)}, but {', '.join(names)}."
        )
    return wanted


def _rows_of_run(folder: pathlib.Path) -> list[rows_lib.Row]:
    found = analysis_tables.current_rows(rows_lib.read_rows(folder / "results.jsonl"))
    return [row for row in found if row.kind == "m2"]


def _matching(
    found: Sequence[rows_lib.Row], compressor: compressors.Compressor
) -> list[rows_lib.Row]:
    """Rows of M2s on a compressor's codes. Rows have labels, folders names: what both tell is
    compared."""

    def facts(made: Any) -> tuple:
        return made.vocab_size, made.window_bits, made.variant, made.m1_fingerprint

    return [
        row
        for row in found
        if facts(row) == facts(compressor)
        and row.method.partition("[")[0].endswith(compressor.method)
    ]


def _method(
    name: str,
    compressor: compressors.Compressor,
    scored: Sequence[rows_lib.Row],
    text: bytes,
    m1_bytes: int,
) -> inference_speed.Method:
    """Bytes a step are those of the run's own scoring, or of the text; EOS is little of either."""
    if scored:
        bytes_per_step = scored[-1].bytes_per_token
    else:
        part = text[:m1_bytes] if compressor.runs_m1 else text
        bytes_per_step = len(part) / len(compressor.encode(part))
    bits = {row.size: row.bits_per_byte for row in scored}
    return inference_speed.Method(name, compressor, bytes_per_step, bits)


def _plot(
    path: pathlib.Path,
    measured: Sequence[dict[str, Any]],
    run_rows: Sequence[rows_lib.Row],
    named: dict[str, list[rows_lib.Row]],
) -> str | None:
    """Draws the rows of trained models, one text at a time; None where there are none.

    They are in the run's order, in which the report's figures give methods their colours too.
    """
    latencies = {
        (row["method"], row["size"]): row["ms_per_byte"] for row in measured if row["batch"] == 1
    }
    points = [
        (row, latencies[name, row.size])
        for row in run_rows
        for name, scored in named.items()
        if row in scored and (name, row.size) in latencies
    ]
    if not points:
        return None
    png = figures.latency_figure(*zip(*points, strict=True))
    with atomic.replace_file(path) as temporary:
        temporary.write_bytes(png)
    return str(path)
