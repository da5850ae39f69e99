"""`eiw evaluate bits` and `eiw evaluate compare`: trained models on held-out text.

Apart from `evaluate`, which does not wait for JAX and SciPy where it needs neither.
"""

import contextlib
import dataclasses
import itertools
import json
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from eiw import compressors, errors, rows, score_pipeline
from eiw.analysis import comparison, significance, tables
from eiw.commands import task_flags, text_flags
from eiw.data import token_files
from eiw.evaluation import document_scores
from eiw.training import checkpoint, run_record

_PAIR_HEADERS = ("first", "second", "first - second, by documents", "by seeds (Welch)")


def bits(values: flags.FlagValues) -> None:
    """Scores one run from its newest checkpoint."""
    if values.run is None:
        raise errors.InputError("Give --run, the folder of a trained model.")
    if values.protocol == "paper":
        task_flags.refuse(values, ["stride", "output"], "protocol=paper")
    if values.compressor is not None:
        task_flags.refuse(values, ["tokens"], "compressor")
    elif given := [name for name in ("text", "corpus", "eval_bytes") if values[name].present]:
        raise errors.InputError(f"--{given[0]} needs --compressor too, to make the codes of M2.")
    run_dir = pathlib.Path(values.run)
    model, params, step = checkpoint.load_model(run_dir)
    batch = () if values.protocol == "exact" else ("batch_size",)
    data = run_record.data_of_run(run_dir, "compressor_fingerprint", "length", *batch)
    numbers: dict[str, Any] = {"run": str(run_dir), "step": step, "length": data["length"]}
    with _open_tokens(values, run_dir, data) as (validation, test):
        if values.protocol != "paper":
            folder = pathlib.Path(values.output or run_dir / "scores")
            _refuse_other_documents(folder, test)
            score = score_pipeline.exact(folder, model, params, test, data["length"], values.stride)
            numbers |= _plain(score) | {"scores": str(folder)}
            words = f"{score.bits_per_byte:.4f} bits/byte"
            if score.standard_error is not None:
                words = f"{score.bits_per_byte:.4f} ± {score.standard_error:.4f} bits/byte"
            print(f"{run_dir}: {words} on {score.bytes:,} bytes")
        if values.protocol != "exact":
            paper = score_pipeline.by_paper(
                model, params, validation, data["length"], data["batch_size"]
            )
            if paper is None:
                raise errors.InputError("The validation split has no text: use --protocol=exact.")
            numbers["paper_bits_per_byte"] = paper
            print(f"{run_dir}: {paper:.4f} bits/byte by the paper's protocol")
    print(json.dumps(numbers))


def compare(values: flags.FlagValues) -> None:
    """Tests every method against every other, on the same documents and between seeds."""
    if not values.runs:
        raise errors.InputError("Give --runs, folders that hold results.jsonl, by commas.")
    groups = comparison.group_runs(list(_scored_runs(values.runs, values.stride)))
    if len(groups) < 2:
        raise errors.InputError(
            f"Nothing to compare: {groups[0].label} is alone. Give the --runs of others too."
        )
    pairs = [comparison.compare(*pair) for pair in itertools.combinations(groups, 2)]
    lines = tables.markdown_lines(
        ["method", "seeds", "bits/byte"], [_group_cells(group) for group in groups]
    )
    lines += ["", *tables.markdown_lines(_PAIR_HEADERS, [_pair_cells(pair) for pair in pairs], 2)]
    print("\n".join(lines) + "\n")
    print(
        "Negative: the first needs fewer bits. p of one comparison, not corrected for their number."
    )
    print(
        json.dumps(
            {
                "stride": values.stride,
                "documents": len(groups[0].scores[0].document_bytes),
                "bytes": groups[0].scores[0].bytes,
                "groups": [_plain_group(group) for group in groups],
                "pairs": [dataclasses.asdict(pair) for pair in pairs],
            }
        )
    )


@contextlib.contextmanager
def _open_tokens(
    values: flags.FlagValues, run_dir: pathlib.Path, data: dict[str, Any]
) -> Iterator[tuple[token_files.TokenFile, token_files.TokenFile]]:
    """Validation and test tokens: the run's, others, or of text that is compressed now."""
    fingerprint = data["compressor_fingerprint"]
    with contextlib.ExitStack() as stack:
        if values.compressor is not None:
            compressor = compressors.load(values.compressor, expect_fingerprint=fingerprint)
            text = stack.enter_context(text_flags.open_text(values))
            folder = pathlib.Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="eiw-evaluate-"))
            )
            # As much as `eiw smoke` takes of each.
            for split, size in (
                ("validation", values.eval_bytes // 4),
                ("test", values.eval_bytes),
            ):
                token_files.write_tokens(
                    folder / split,
                    compressor,
                    list(text[split].sample(size)),
                    corpus_sha256=text.sha256,
                )
        elif values.tokens is not None:
            folder = pathlib.Path(values.tokens)
        elif "tokens" in data:
            folder = run_dir / data["tokens"]
        else:
            raise errors.InputError(
                f"{run_dir} does not say where its tokens are: give --tokens, or --compressor and "
                "text."
            )
        yield tuple(
            token_files.open_tokens(folder / split, expect_fingerprint=fingerprint)
            for split in ("validation", "test")
        )


def _refuse_other_documents(folder: pathlib.Path, test: token_files.TokenFile) -> None:
    """Scores of one folder are of one text."""
    for score in document_scores.load(folder).values():
        if score.corpus_sha256 != test.corpus_sha256 or (
            score.document_bytes.tolist() != test.byte_counts.tolist()
        ):
            raise errors.InputError(
                f"{folder} holds scores of other documents, which others may be compared with: "
                "give another folder by --output."
            )


def _scored_runs(folders: Sequence[str], stride: int | None) -> Iterator[comparison.Run]:
    # A folder that is given twice, in two spellings maybe, counts once.
    for folder in {pathlib.Path(each).resolve(): each for each in folders}.values():
        found = [
            row
            for row in tables.current_rows(rows.read_rows(pathlib.Path(folder) / "results.jsonl"))
            if row.kind == "m2"
        ]
        if not found:
            raise errors.InputError(f"{folder}/results.jsonl has no row of an M2.")
        for row in found:
            if not row.document_scores:
                raise errors.ArtefactError(
                    f"{folder}: the row of {row.method} names no documents' scores, an older eiw "
                    "wrote it: train it again."
                )
            scores = pathlib.Path(folder) / row.document_scores
            kept = document_scores.load(scores)
            # Of a stride as long as a context, contexts stand one after another.
            by_stride = {score.stride: score for score in kept.values()} | kept
            if stride not in by_stride:
                wanted = "" if stride is None else f" of stride {stride}"
                flag = "" if stride is None else f" --stride {stride}"
                raise errors.ArtefactError(
                    f"{scores} holds no scores{wanted} of {row.method}: make them by "
                    f"`eiw evaluate bits --run {scores.parent}{flag}`."
                )
            # Runs are told apart by where they are; `eiw smoke` has no other names for them.
            yield dataclasses.replace(row, run=str(scores.parent)), by_stride[stride]


def _group_cells(group: comparison.Group) -> list[str]:
    score = significance.mean_score(group.scores)
    words = f"{score.bits_per_byte:.4f}"
    if score.standard_error is not None:
        words += f" ± {score.standard_error:.4f}"
    return [group.label, ", ".join(str(row.seed) for row in group.rows), words]


def _pair_cells(pair: comparison.Pair) -> list[str]:
    by_seeds = str(pair.by_seeds or tables.NOT_MEASURED)
    return [pair.first, pair.second, str(pair.by_documents), by_seeds]


def _plain_group(group: comparison.Group) -> dict[str, Any]:
    return {
        "label": group.label,
        "runs": [
            {"run": row.run, "seed": row.seed, "bits_per_byte": score.bits_per_byte}
            for row, score in zip(group.rows, group.scores, strict=True)
        ],
        **_plain(significance.mean_score(group.scores)),
    }


def _plain(score: document_scores.Score) -> dict[str, Any]:
    names = ("bits_per_byte", "standard_error", "nats", "tokens", "bytes", "stride")
    return {name: getattr(score, name) for name in names} | {
        "documents": len(score.document_bytes),
        "corpus_sha256": score.corpus_sha256,
    }
