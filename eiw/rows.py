"""`results.jsonl`: one line of JSON for every measured run. Reports and fits read nothing else,
but for the documents' scores that rows name.

Lines are only ever added. Several processes may add to one file: each holds a lock while it
writes, and cuts off what a killed writer left of its line, so that only the last line of a file
can ever be torn.
"""

import dataclasses
import fcntl
import json
import math
import os
import pathlib
import sys

from eiw import atomic, errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One trained model, measured on held-out text.

    Bytes are raw text without EOS; tokens are ids with EOS, without padding.
    """

    kind: str
    """`m1` (a byte model that drives a compressor) or `m2` (a model over a compressor's codes)."""
    method: str
    """Label of the compressor as reports print it: `Bytes`, `EqualInfoAC[b=16, v=65k]`."""
    window_bits: int = 0
    """Bits of an equal-info window; 0 where there are none."""
    vocab_size: int
    """Codes that exist; neither special ids nor padding of the embedding are counted."""
    variant: str = ""
    """What the label leaves out: the window's end (`exact`, `greedy`, `delay`), resets, parse."""
    m1_fingerprint: str = ""
    """sha256 of the M1 behind the codes (of the model itself if kind is `m1`); empty if none."""
    size: str
    """Name of the model's size: `25m`, `tiny`."""
    params: int
    """Kernels of attention and feed-forward, without embeddings, norms and biases."""
    steps: int
    """Updates made in training."""
    tokens: int
    """Tokens seen in training; repeats count again."""
    bytes: int
    """Bytes of the text seen in training; repeats count again."""
    loss_nats: float
    """Held-out cross-entropy, nats a token."""
    bytes_per_token: float
    """Held-out bytes a token: text compression, and bytes a decoder step emits."""
    bits_per_byte: float
    """Held-out bits a byte, EOS's included: of whole documents (a task: of whole examples), in
    contexts one after another."""
    standard_error: float | None = None
    """Standard error of `bits_per_byte` over held-out documents; None where not measured."""
    paper_bits_per_byte: float | None = None
    """By the paper's protocol (3.8, D.4): 20 batches of validation, EOS a byte; None where not
    measured."""
    uniform_bits_per_byte: float | None = None
    """Bits a byte of a model for which all codes are alike; None where not measured."""
    unigram_bits_per_byte: float | None = None
    """Bits a byte of a model that knows the codes' frequencies only; None where not measured."""
    flops_per_byte: float
    """The paper's count (3.8): 2 * params / bytes_per_token, M1's part included. The paper's sizes
    count as their names say: 25e6 of `25m`."""
    m1_flops_per_byte: float = 0.0
    """M1's part of `flops_per_byte`; 0 where M1 is not run to compress."""
    exact_flops_per_byte: float | None = None
    """Every multiply-add of inference counted, M1's included; None where not counted."""
    seconds: float
    """Wall-clock seconds of training."""
    device: str
    """What it ran on, in words: `2 x CPU`, `NVIDIA H200`."""
    git_commit: str = ""
    """Commit of the code; empty where it is not known."""
    seed: int
    """Seed of initialisation and of the order of the data."""
    learning_rate: float | None = None
    """The optimizer's; None where not recorded."""
    settings: str = ""
    """`paper` where batch, length, steps and optimizer are those that the paper fixes (3.2, 3.5),
    else `own`; empty where not recorded."""
    document_scores: str = ""
    """Folder of the documents' scores, seen from that of this file; empty where not kept."""
    run: str = ""
    """Name of the run's folder; empty where it has no other name than its method."""
    collapsed: bool = False
    """Whether the model ended within 1% of uniform: it learned nothing, or forgot it all."""
    corpus_sha256: str
    """sha256 of the corpus, so that rows of different text are not compared."""
    lossless: bool
    """Whether decoding gives back any bytes by design."""
    lost_documents: int | None = None
    """Held-out documents that did not come back; None where not checked."""
    eval_bytes: int
    """Bytes that were scored."""
    eval_tokens: int
    """Tokens that were scored."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not _fits(value, field.type):
                raise TypeError(f"{field.name} must be {_words(field.type)}, not {value!r}")


def append_row(path: str | os.PathLike, row: Row) -> None:
    """Adds one line, all of it or nothing that a reader keeps; returns once it is on the disk.

    Raises:
      InputError: the file cannot be written.
    """
    path = pathlib.Path(path)
    line = json.dumps(dataclasses.asdict(row), ensure_ascii=False, allow_nan=False) + "\n"
    atomic.make_folder(path.parent)
    try:
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file closes, or its process dies
            _end_last_line(file)
            file.write(line.encode())
            os.fsync(file.fileno())
    except OSError as error:
        raise errors.InputError(f"Cannot write {path}: {error.strerror}.") from error


def read_rows(path: str | os.PathLike) -> list[Row]:
    """All rows of a file, oldest first.

    A last line that a killed writer left torn is dropped, with one line on stderr that says so.

    Raises:
      ArtefactError: there is no such file, or a line is no row: not JSON, a field missing, unknown
        or of the wrong type. The message names file, line and fields.
    """
    path = pathlib.Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise errors.ArtefactError(
            f"Cannot read {path}: {error.strerror}. A run appends its rows there."
        ) from error
    lines = content.split(b"\n")
    if lines[-1] and not _is_json(lines[-1]):
        print(f"Warning: dropped the torn last line of {path}.", file=sys.stderr)
        lines.pop()
    return [
        _parse(line, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _parse(line: bytes, place: str) -> Row:
    """One line as a row; `place` is where it stands, for the errors."""
    try:
        values = json.loads(line)
    except ValueError as error:
        raise errors.ArtefactError(f"{place}: not JSON. Remove or repair that line.") from error
    if not isinstance(values, dict):
        raise errors.ArtefactError(f"{place}: not a JSON object. Remove or repair that line.")
    fields = {field.name: field for field in dataclasses.fields(Row)}
    # A field that this version does not know may change what the others mean.
    if unknown := values.keys() - fields.keys():
        raise errors.ArtefactError(
            f"{place}: unknown fields {', '.join(sorted(unknown))}. A newer eiw wrote it: update."
        )
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    if missing := required - values.keys():
        raise errors.ArtefactError(f"{place}: fields missing: {', '.join(sorted(missing))}.")
    try:
        return Row(**values)
    except TypeError as error:
        raise errors.ArtefactError(f"{place}: {error}.") from error


def _fits(value: object, kind: object) -> bool:
    """Whether `value` may stand in a field annotated `kind`; whole numbers may stand for floats."""
    if value is None:
        return kind in (int | None, float | None)
    if isinstance(value, bool):
        return kind is bool
    if kind in (float, float | None):
        # json writes NaN and Infinity, which are not JSON.
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, int if kind == int | None else kind)


def _words(kind: object) -> str:
    if kind in (float, float | None):
        return "a finite number"
    return {int: "a whole number", int | None: "a whole number", bool: "true or false"}.get(
        kind, "text"
    )


def _end_last_line(file) -> None:
    """Makes a file opened `a+b` end with a whole line, so that what is added starts a new one."""
    file.seek(0)
    tail = file.read().rpartition(b"\n")[2]
    if tail and _is_json(tail):
        file.write(b"\n")  # a line that somebody added by hand
    elif tail:
        file.truncate(file.tell() - len(tail))


def _is_json(line: bytes) -> bool:
    """No proper beginning of a JSON object is JSON: so this tells a whole line from a torn one."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
