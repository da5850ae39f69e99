"""The stages of an experiment, as functions: train M1, write tokens, train and score M2.

Each fills a folder and returns its outcome as JSON, so that `stages.run_stage` can keep it.
`eiw smoke` strings them together; other commands call one of them.
"""

import dataclasses
import os
import pathlib
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import jax

from eiw import byte_lm, cpus, errors, score_pipeline, vocab
from eiw.compressors import base
from eiw.data import batches, corpus, token_files
from eiw.data import crops as crops_lib
from eiw.evaluation import bits_per_byte, compression
from eiw.inference import contexts
from eiw.models import config, decoder
from eiw.training import hosts, loop, programs

# More than any code stands for on average; the writer stops at the tokens that were asked for.
_MOST_BYTES_PER_TOKEN = 64


@dataclasses.dataclass(frozen=True)
class ModelRun:
    """One model and how it is trained. Bound in gin, once for M1 and once for M2."""

    model: config.DecoderConfig
    training: loop.TrainConfig
    batch_size: int
    """Examples a step."""
    length: int
    """Tokens of an example, in training and in scoring."""
    crops: crops_lib.Crops = dataclasses.field(default_factory=crops_lib.Crops)
    """Where the examples of training begin."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "length"):
            errors.check_whole_number(f"ModelRun.{name}", getattr(self, name))

    def on(self, codes: int) -> "ModelRun":
        """The same run with a vocabulary for a compressor of so many codes."""
        num_ids = codes + vocab.NUM_SPECIAL_IDS
        return dataclasses.replace(self, model=dataclasses.replace(self.model, vocab_size=num_ids))


@dataclasses.dataclass(frozen=True)
class Tokens:
    """A corpus after one compressor: what M2 trains on and what it is scored on."""

    train: token_files.TokenFile
    validation: token_files.TokenFile
    """Scored while M2 trains."""
    test: token_files.TokenFile
    """Scored once, in the end: the same documents for every compressor."""

    @property
    def sha256(self) -> list[str]:
        """What names these tokens among a stage's inputs."""
        return [tokens.sha256 for tokens in (self.train, self.validation, self.test)]


def write_tokens(
    folder: pathlib.Path,
    compressor: base.Compressor,
    text: corpus.Corpus,
    max_train_tokens: int | None,
    eval_bytes: int,
) -> dict[str, Any]:
    """Compresses training text and held-out documents into `folder`; see `open_tokens`.

    Args:
      folder: gets a token file for each split.
      compressor: encodes.
      text: the corpus.
      max_train_tokens: where not None, only a part of the training text, from all over it.
      eval_bytes: size of the held-out text; a quarter of it for validation.

    Returns:
      The held-out documents that did not come back: `{"lost_documents": ...}`.
    """
    train: Iterable[bytes] = text["train"]
    if max_train_tokens is not None:
        train = text["train"].sample(_MOST_BYTES_PER_TOKEN * max_train_tokens)
    test = list(text["test"].sample(eval_bytes))
    validation = list(text["validation"].sample(eval_bytes // 4))
    sha256 = text.sha256
    token_files.write_tokens(
        folder / "train", compressor, train, max_train_tokens, corpus_sha256=sha256
    )
    token_files.write_tokens(folder / "validation", compressor, validation, corpus_sha256=sha256)
    tokens = token_files.write_tokens(folder / "test", compressor, test, corpus_sha256=sha256)
    return {"lost_documents": compression.count_lost(compressor, tokens, test)}


def open_tokens(folder: pathlib.Path, compressor: base.Compressor | None = None) -> Tokens:
    """Opens what `write_tokens` or `eiw compress` left.

    Raises:
      ArtefactError: it is missing or damaged, its splits are of different compressors, or of
        another one than `compressor`.
    """
    fingerprint = compressor.fingerprint if compressor else None
    opened = []
    for split in corpus.SPLITS:
        opened.append(token_files.open_tokens(folder / split, expect_fingerprint=fingerprint))
        fingerprint = opened[0].fingerprint
    return Tokens(*opened)


def train_m1(
    folder: pathlib.Path,
    run: ModelRun,
    tokens: Tokens,
    export_folder: pathlib.Path,
    stride: int | None = None,
) -> dict[str, Any]:
    """Trains M1 on bytes in `folder`, and exports it for `ByteLM.load`; `stride`: `train_m2`."""
    run = run.on(tokens.train.vocab_size)
    contexts.Contexts(run.length, stride)  # Wrong ones are told now, not after the training.
    result = _train(folder, run, tokens)
    params = hosts.gather(result.state.params)
    exported = byte_lm.ByteLM(params, run.model)
    if hosts.is_first():
        byte_lm.export(params, run.model, export_folder)
    return {
        "fingerprint": exported.fingerprint,
        **_outcome(folder, result, run, tokens, stride),
    }


def train_m2(
    folder: pathlib.Path, run: ModelRun, tokens: Tokens, stride: int | None = None
) -> dict[str, Any]:
    """Trains M2 on codes in `folder`, and scores it on the held-out ones.

    With a `stride` they are also scored by contexts that slide by so many ids: `score_pipeline`.
    """
    run = run.on(tokens.train.vocab_size)
    contexts.Contexts(run.length, stride)  # As in `train_m1`.
    return _outcome(folder, _train(folder, run, tokens), run, tokens, stride)


def device_name() -> str:
    """What the models ran on, in words."""
    kind = jax.devices()[0].device_kind
    if jax.default_backend() == "cpu":
        return f"{cpus.visible()} CPU cores"
    return f"{jax.device_count()} x {kind}"


def git_commit() -> str:
    """Commit of this source checkout, "+" behind it if files were changed; "" if it is none."""
    folder = pathlib.Path(__file__).parent
    try:
        git = ["git", "-C", str(folder)]
        commit = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("+" if changed else "")


def prepare(folder: pathlib.Path, run: ModelRun) -> programs.Programs:
    """Begins to compile what `train` will run; the vocabulary has to be known."""
    shape = (run.batch_size, run.length)
    return loop.prepare(decoder.Decoder(run.model), folder, run.training, shape)


def train(
    folder: pathlib.Path,
    run: ModelRun,
    source: batches.BatchSource,
    validation_bits_per_byte: Callable[[Any], float],
    prepared: programs.Programs,
    data: dict[str, Any],
) -> loop.TrainResult:
    """Trains on any batches; `validation_bits_per_byte` is asked of the parameters on the way.

    `data` goes into the run's config.json: codes mean nothing without their compressor.

    Raises:
      KeyboardInterrupt: a signal ended it; the checkpoint is written, the stage is not finished.
    """

    def evaluate(params: Any) -> dict[str, float]:
        return {"validation_bits_per_byte": validation_bits_per_byte(params)}

    model = decoder.Decoder(run.model)
    result = loop.train(
        model, source, folder, run.training, evaluate=evaluate, prepared=prepared, data=data
    )
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def facts(result: loop.TrainResult) -> dict[str, Any]:
    """Those fields of a row that say how the training went."""
    return {
        "steps": result.steps,
        "tokens": result.tokens,
        "seconds": result.seconds,
        "device": device_name(),
        "git_commit": git_commit(),
    }


def _train(folder: pathlib.Path, run: ModelRun, tokens: Tokens) -> loop.TrainResult:
    prepared = prepare(folder, run)
    starts = run.crops.starts(tokens.train, run.length)
    source = batches.TokenFileSource(
        tokens.train,
        run.batch_size,
        run.length,
        run.training.seed,
        jax.process_index(),
        jax.process_count(),
        starts,
    )
    return train(
        folder,
        run,
        source,
        lambda params: (
            bits_per_byte.score(
                decoder.Decoder(run.model),
                params,
                tokens.validation,
                contexts.Contexts(run.length, batch_size=score_pipeline.batch_size()),
            ).bits_per_byte
        ),
        prepared,
        {
            "compressor": tokens.train.compressor["name"],
            "compressor_fingerprint": tokens.train.fingerprint,
            "tokens": os.path.relpath(tokens.train.folder.parent, folder),
            "tokens_sha256": tokens.train.sha256,
            "length": run.length,
            "batch_size": run.batch_size,
        },
    )


def _outcome(
    folder: pathlib.Path,
    result: loop.TrainResult,
    run: ModelRun,
    tokens: Tokens,
    stride: int | None,
) -> dict[str, Any]:
    """Those fields of a row that only this run knows, whenever the row is made."""
    scores = score_pipeline.after_training(
        folder,
        decoder.Decoder(run.model),
        result.state.params,
        tokens.validation,
        tokens.test,
        run.length,
        run.batch_size,
        stride,
    )
    return facts(result) | scores
