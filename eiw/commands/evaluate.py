"""eiw evaluate WHAT: numbers about models and compressors, as one JSON object on the last line.

bits         bits/byte of a trained model, scored again from its checkpoint: of whole documents, in
             contexts one after another or sliding ones (--stride), and by the paper's protocol
compare      methods against each other on the same documents (paired), and between seeds (Welch's
             t-test), from the documents' scores that training or `bits` kept
flops        FLOPs/byte of a size at a compression ratio: the paper's count and an exact one
compression  bytes/token, losses, and what models of no memory score, of the compressors of --run
             or --compressors on held-out text: the paper's Tables 1, 2, 3 and 12 beside its own
             figures; writes compression.md and compression.json

    eiw evaluate bits --run runs/smoke/m2/bytes --stride 32
    eiw evaluate compare --runs runs/smoke
    eiw evaluate flops --size=25m --bytes_per_token=5.31 --m1
    eiw evaluate compression --run runs/smoke
    eiw evaluate compression --compressors 'my/*' --text 'my/*.txt' --output my_tables
"""

import contextlib
import dataclasses
import glob
import importlib
import json
import pathlib
import sys
import tempfile
from typing import Any

from absl import flags

from eiw import atomic, compressors, errors, gin_config, vocab
from eiw.analysis import compression_tables
from eiw.commands import text_flags
from eiw.compressors import artefact
from eiw.data import corpus, token_files
from eiw.evaluation import compression
from eiw.models import config, flops

# What every folder of a compressor has.
_HEADER = artefact.HEADER_NAME

_TEXT = ("text", "corpus", "eval_bytes")
# The flags that each job reads.
ARGUMENTS = {
    "bits": ("run", "stride", "protocol", "output", "tokens", "compressor", *_TEXT),
    "compare": ("runs", "stride"),
    "flops": ("size", "bytes_per_token", "m1", "vocab_size", "length"),
    "compression": ("run", "compressors", "train_bytes", "output", *_TEXT),
}


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw evaluate`."""
    flags.DEFINE_string("size", "25m", "flops: name of a file in gin/sizes.", flag_values=values)
    flags.DEFINE_float(
        "bytes_per_token", 1.0, "flops: compression ratio.", lower_bound=1e-9, flag_values=values
    )
    flags.DEFINE_boolean(
        "m1", False, "flops: run an M1 of size 3m on each byte.", flag_values=values
    )
    flags.DEFINE_integer(
        "vocab_size", 259, "flops: ids of M2, specials included.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer(
        "length", 512, "flops: tokens of context.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_string(
        "run",
        None,
        "bits: folder of a trained model. compression: folder of a run: its compressors, its "
        "corpus, its training tokens.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "compressors",
        None,
        "compression: glob of compressors' folders, more than the run's.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "eval_bytes",
        200_000,
        "compression, bits with --compressor: held-out text, in whole documents.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "train_bytes",
        1_000_000,
        "compression: training text to compress for Tables 3 and 12 where the run has none.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "compression: folder of the tables; default: the run's. bits: folder of the documents' "
        "scores; default: RUN/scores.",
        flag_values=values,
    )
    flags.DEFINE_list("runs", None, "compare: folders that hold results.jsonl.", flag_values=values)
    flags.DEFINE_integer(
        "stride",
        None,
        "bits: let contexts slide by so many ids; compare: scores of such contexts. Default: "
        "contexts one after another.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "protocol",
        "both",
        ["exact", "paper", "both"],
        "bits: whole documents of the test split, or the paper's 20 batches of validation.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "tokens",
        None,
        "bits: folder that `eiw compress` wrote; default: the one that the run was trained on.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "compressor",
        None,
        "bits: folder of the run's compressor, to score --text or --corpus.",
        flag_values=values,
    )
    text_flags.define(values)


def run(values: flags.FlagValues, what: str) -> None:
    """Prints the numbers asked for."""
    jobs = {"flops": _flops, "compression": _compression}
    if what not in jobs:
        scores = importlib.import_module("eiw.commands.evaluate_scores")
        jobs = {"bits": scores.bits, "compare": scores.compare}
    jobs[what](values)


def _flops(values: flags.FlagValues) -> None:
    """The paper's count, and an exact one."""
    model = _model(values.size, values.vocab_size)
    m1 = _model("3m", vocab.NUM_BYTES + vocab.NUM_SPECIAL_IDS)
    params = flops.nominal_params(model.kernel_params())
    exact = flops.exact_flops_per_token(model, values.length).total / values.bytes_per_token
    exact_m1 = flops.exact_flops_per_token(m1, values.length).total if values.m1 else 0.0
    numbers = {
        "paper_flops_per_byte": flops.paper_flops_per_byte(
            params, values.bytes_per_token, values.m1
        ),
        "exact_flops_per_byte": exact + exact_m1,
        "m1_flops_per_byte": flops.paper_flops_per_byte(0.0, 1.0, values.m1),
    }
    print(json.dumps(numbers))


def _model(size: str, vocab_size: int) -> config.DecoderConfig:
    binding = f"config.DecoderConfig.vocab_size = {vocab_size}"
    return gin_config.build(config.DecoderConfig, [f"sizes/{size}.gin"], [binding])[0]


def _compression(values: flags.FlagValues) -> None:
    """Measures one compressor after another; tables first, then all of it as JSON."""
    output = values.output or values.run
    if output is None:
        raise errors.InputError("Give --run, or --compressors with --output.")
    folders = _compressor_folders(values)
    with contextlib.ExitStack() as stack:
        if values.run is not None and values.text is None and values.corpus is None:
            text = corpus.open_corpus(pathlib.Path(values.run) / "corpus")
        else:
            text = stack.enter_context(text_flags.open_text(values))
        documents = list(text["test"].sample(values.eval_bytes))
        rows = [_measure(values, folder, text, documents) for folder in folders]
        facts = {
            "text": text.source,
            "corpus_sha256": text.sha256,
            "eval_documents": len(documents),
            "eval_bytes": sum(map(len, documents)),
        }
    words = [(name.replace("_", " "), str(value)) for name, value in facts.items()]
    report = compression_tables.compression_report(rows, words)
    numbers = json.dumps(facts | {"rows": [_plain(row) for row in rows]})
    for name, content in (("compression.md", report), ("compression.json", numbers + "\n")):
        with atomic.replace_file(pathlib.Path(output) / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    print(report)
    print(numbers)


def _compressor_folders(values: flags.FlagValues) -> list[pathlib.Path]:
    patterns = [values.compressors] if values.compressors else []
    if values.run is not None:
        patterns.append(str(pathlib.Path(glob.escape(values.run)) / "compressors" / "*"))
    # pathlib's globs know no absolute patterns.
    headers = [path for each in patterns for path in glob.glob(f"{each}/{_HEADER}")]  # noqa: PTH207
    if not headers:
        raise errors.InputError(f"No compressor in {' or '.join(patterns)}: compile some first.")
    return sorted({pathlib.Path(header).parent for header in headers})


def _measure(
    values: flags.FlagValues,
    folder: pathlib.Path,
    text: corpus.Corpus,
    documents: list[bytes],
) -> compression.Compression:
    compressor = compressors.load(folder)
    print(f"[eiw] Measure {folder.name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="eiw-evaluate-") as name:
        temporary = pathlib.Path(name)
        training = _run_tokens(values, folder, compressor)
        if training is None:
            sample = text["train"].sample(values.train_bytes)
            training = token_files.write_tokens(temporary / "train", compressor, sample)
        return compression.measure(folder.name, compressor, documents, training, temporary)


def _run_tokens(
    values: flags.FlagValues, folder: pathlib.Path, compressor: compressors.Compressor
) -> token_files.TokenFile | None:
    """The training tokens that the run wrote with this compressor, if it did."""
    if values.run is None:
        return None
    path = pathlib.Path(values.run) / "tokens" / folder.name / "train"
    if not path.is_dir():
        return None
    tokens = token_files.open_tokens(path)
    return tokens if tokens.fingerprint == compressor.fingerprint else None


def _plain(row: compression.Compression) -> dict[str, Any]:
    """A row as JSON, the ratios beside the sums."""
    ratios = {"bytes_per_token": row.bytes_per_token, "bit_ratio": row.bit_ratio}
    return dataclasses.asdict(row) | ratios
