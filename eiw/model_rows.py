"""Rows of results: what a model is, what it was trained on, and what it came to."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from eiw import pipeline, rows
from eiw.data import crops
from eiw.evaluation import baselines
from eiw.models import flops
from eiw.training import loop

# What the paper fixes of M1 and of M2 beside their sizes: examples a step, their length, steps.
_PAPER = ((128, 1024, 2_500_000), (256, 512, 200_000))
# Of uniform bits/byte: a model that pays more has learned nothing.
_COLLAPSED = 0.99


def m1_row(
    outcome: dict[str, Any],
    run: pipeline.ModelRun,
    tokens: pipeline.Tokens,
    name: str = "",
    *,
    scores: str = "",
) -> rows.Row:
    """The row of an M1: a byte model, scored like an M2 over bytes. Arguments are `m2_row`'s."""
    row = _row(outcome, run, tokens, name, "m1", "Bytes", scores)
    return dataclasses.replace(row, m1_fingerprint=outcome["fingerprint"])


def m2_row(
    outcome: dict[str, Any],
    run: pipeline.ModelRun,
    tokens: pipeline.Tokens,
    name: str = "",
    *,
    scores: str = "",
    label: str | None = None,
    lost_documents: int | None = None,
) -> rows.Row:
    """The row of an M2 over codes.

    Args:
      outcome: what `train_m2` returned.
      run: how it was trained.
      tokens: on what.
      name: the run's folder.
      scores: its documents' scores, as the row names their folder.
      label: what reports call the compressor; by default its name.
      lost_documents: held-out ones that did not come back, where that is known.
    """
    method = label or tokens.train.compressor["name"]
    row = _row(outcome, run, tokens, name, "m2", method, scores)
    return dataclasses.replace(row, lost_documents=lost_documents)


def model_fields(
    run: pipeline.ModelRun,
    compressor: Mapping[str, Any],
    codes: int,
    held_out: tuple[int, int],
    paid_bits_per_byte: float,
) -> dict[str, Any]:
    """Those fields of a row that follow from the network, the compressor and their ratio.

    Args:
      run: how the model was trained.
      compressor: its attributes by name, see `token_files.TokenFile.compressor`.
      codes: that it has.
      held_out: tokens and bytes of the held-out text.
      paid_bits_per_byte: what the model came to there.
    """
    uniform = baselines.uniform_bits_per_byte(codes, *held_out)
    bytes_per_token = held_out[1] / held_out[0]
    m1_flops = 2 * flops.nominal_params(compressor["m1_params"])
    params = flops.nominal_params(run.model.kernel_params())
    paper = flops.paper_flops_per_byte(params, bytes_per_token, m1=False)
    exact = flops.exact_flops_per_token(run.model, run.length).total / bytes_per_token
    return {
        "window_bits": compressor["window_bits"],
        "vocab_size": codes,
        "variant": compressor["variant"],
        "m1_fingerprint": compressor["m1_fingerprint"],
        "lossless": compressor["lossless"],
        "size": run.model.size,
        "params": run.model.kernel_params(),
        "bytes_per_token": bytes_per_token,
        "uniform_bits_per_byte": uniform,
        "flops_per_byte": paper + m1_flops,
        "m1_flops_per_byte": m1_flops,
        "exact_flops_per_byte": exact + compressor["m1_flops"],
        "seed": run.training.seed,
        "learning_rate": run.training.optimizer.learning_rate,
        "settings": "paper" if _is_papers(run) else "own",
        "collapsed": paid_bits_per_byte > _COLLAPSED * uniform,
    }


def _is_papers(run: pipeline.ModelRun) -> bool:
    training = run.training
    fixed = loop.TrainConfig(training.steps)
    return (
        (run.batch_size, run.length, training.steps) in _PAPER
        and (training.optimizer, training.z_loss) == (fixed.optimizer, fixed.z_loss)
        and run.crops == crops.Crops()
        and run.model.dropout_rate == 0
    )


def _row(
    outcome: dict[str, Any],
    run: pipeline.ModelRun,
    tokens: pipeline.Tokens,
    name: str,
    kind: str,
    method: str,
    scores: str,
) -> rows.Row:
    run = run.on(tokens.train.vocab_size)
    train, test = tokens.train, tokens.test
    codes = train.vocab_size
    held_out = (test.num_tokens, test.total_bytes)
    measured = {name: value for name, value in outcome.items() if name != "fingerprint"}
    return rows.Row(
        **measured,
        **model_fields(run, train.compressor, codes, held_out, outcome["bits_per_byte"]),
        kind=kind,
        method=method,
        bytes=round(outcome["tokens"] * train.total_bytes / train.num_tokens),
        unigram_bits_per_byte=baselines.unigram_bits_per_byte(
            train.ids, test.ids, codes, test.total_bytes
        ),
        run=name,
        document_scores=scores,
        corpus_sha256=train.corpus_sha256,
    )
