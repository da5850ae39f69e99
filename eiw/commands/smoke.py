"""eiw smoke: the main job, end to end.

Trains M1 on text, makes a compressor of each method (Equal-Info Windows are compiled from M1),
compresses the text, trains M2 on each method's codes, scores all of them on the same held-out
documents, and writes report.md, report.html and figures.

Without --text it reads the documentation that the installed packages bring along. A second run
reuses finished stages and goes on with an interrupted one.
"""

import dataclasses
import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Sequence
from typing import Any

from absl import flags

from eiw import compressors, errors, model_rows, pipeline, recipes, rows, stages
from eiw.analysis import report
from eiw.commands import gin_flags
from eiw.data import corpus, docstrings, text_files
from eiw.inference import contexts


@dataclasses.dataclass(frozen=True)
class Settings:
    """What gin decides about `eiw smoke`."""

    m1: pipeline.ModelRun
    m2: pipeline.ModelRun
    recipes: Sequence[recipes.Recipe]
    eval_bytes: int = 200_000
    """Held-out text that every method is scored on, in whole documents."""
    stride: int | None = None
    """Score them by contexts that slide by so many ids, too; `eiw evaluate bits` does that later,
    without training."""
    packages: Sequence[str] = docstrings.PACKAGES
    """Packages whose documentation is the training text without --text."""
    validation_packages: Sequence[str] = docstrings.VALIDATION_PACKAGES
    test_packages: Sequence[str] = docstrings.TEST_PACKAGES

    def __post_init__(self) -> None:
        # Told before anything is made, or deleted to be made anew.
        if not self.recipes:
            raise errors.InputError("smoke.Settings.recipes is empty: name one recipe at least.")
        errors.check_whole_number("smoke.Settings.eval_bytes", self.eval_bytes)
        for run in (self.m1, self.m2):
            contexts.Contexts(run.length, self.stride)


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw smoke`."""
    flags.DEFINE_string("output", "runs/smoke", "Folder of the results.", flag_values=values)
    flags.DEFINE_string(
        "text",
        None,
        "Glob of text to train on: .txt, or .jsonl with a field 'text'; also .gz and .xz. "
        "Default: documentation of the installed packages.",
        flag_values=values,
    )
    flags.DEFINE_boolean("fresh", False, "Do every stage anew, with new rows.", flag_values=values)
    gin_flags.define(values, default_file="runs/smoke.gin")


def run(values: flags.FlagValues) -> None:
    """Runs all stages, then says where the results are."""
    settings, config = gin_flags.build(values, Settings)
    output = pathlib.Path(values.output)
    if values.fresh:
        for record in sorted(output.glob("**/*.stage.json")):
            stages.forget(record.with_name(record.name.removesuffix(".stage.json")))
        (output / "results.jsonl").unlink(missing_ok=True)
    gin_flags.save(output, config)

    text = _prepare_corpus(output, settings, values.text)
    methods = _Methods(output, settings, text)
    results = [methods.m1_row, *map(methods.m2_row, settings.recipes)]
    report.write_report(output, results)
    _say_where(output, results)


def _prepare_corpus(output: pathlib.Path, settings: Settings, pattern: str | None) -> corpus.Corpus:
    """The corpus stage: --text, or the documentation of installed packages."""
    if pattern is None:
        source = "documentation of the installed packages"
        packages = (settings.packages, settings.validation_packages, settings.test_packages)
        inputs = {"packages": packages, "versions": _installed_versions()}
        documents = docstrings.docstring_documents(*packages)
    else:
        source = pattern
        files = text_files.matching_files(pattern)
        inputs = {"files": [(str(path.resolve()), path.stat().st_mtime_ns) for path in files]}
        documents = text_files.text_documents(pattern)
    folder = output / "corpus"
    stages.run_stage(
        folder,
        f"Read {source}",
        inputs,
        lambda folder: {"sha256": corpus.write_corpus(folder, documents, source).sha256},
    )
    return corpus.open_corpus(folder)


def _installed_versions() -> dict[str, str]:
    """Whatever a package manager changes changes the documentation."""
    found = {each.name: each.version for each in importlib.metadata.distributions() if each.name}
    return {"python": platform.python_version(), **found}


class _Methods:
    """M1, and for each recipe its compressor, tokens and M2; every measured model is a row.

    Attributes:
      m1_row: the row of M1, which is trained first.
    """

    def __init__(self, output: pathlib.Path, settings: Settings, text: corpus.Corpus):
        self._output, self._settings, self._text = output, settings, text
        self._bytes = self._tokens(recipes.Bytes(), self._compressor(recipes.Bytes()))
        self.m1_row = self._train_m1()

    def m2_row(self, recipe: recipes.Recipe) -> rows.Row:
        """Makes the compressor, writes its tokens, trains and scores M2 on them."""
        compressor = self._compressor(recipe)
        tokens, lost_documents = self._tokens(recipe, compressor)
        run = self._settings.m2
        outcome = stages.run_stage(
            self._output / "m2" / recipe.name,
            f"Train M2 on {recipe.label}",
            self._inputs(tokens, run),
            lambda folder: pipeline.train_m2(folder, run, tokens, self._settings.stride),
        )
        row = model_rows.m2_row(
            outcome,
            run,
            tokens,
            scores=f"m2/{recipe.name}/scores",
            label=recipe.label,
            lost_documents=lost_documents,
        )
        return self._keep(row)

    def _train_m1(self) -> rows.Row:
        run, (tokens, _) = self._settings.m1, self._bytes
        outcome = stages.run_stage(
            self._output / "m1_training",
            "Train M1",
            self._inputs(tokens, run),
            lambda folder: pipeline.train_m1(
                folder, run, tokens, self._output / "m1", self._settings.stride
            ),
        )
        return self._keep(model_rows.m1_row(outcome, run, tokens, scores="m1_training/scores"))

    def _inputs(self, tokens: pipeline.Tokens, run: pipeline.ModelRun) -> dict[str, Any]:
        """What a stage that trains and scores depends on."""
        stride = self._settings.stride
        inputs = {"tokens": tokens.sha256, "run": _plain(run)}
        return inputs if stride is None else inputs | {"stride": stride}

    def _compressor(self, recipe: recipes.Recipe) -> compressors.Compressor:
        folder = self._output / "compressors" / recipe.name
        made_from = self.m1_row.m1_fingerprint if recipe.reads_m1 else self._text.sha256

        def make(folder: pathlib.Path) -> dict[str, Any]:
            compressor = recipe.build(self._text["train"], self._output / "m1")
            compressor.save(folder)
            return {"fingerprint": compressor.fingerprint}

        outcome = stages.run_stage(
            folder,
            f"Make {recipe.label}",
            {"from": made_from, "recipe": dataclasses.asdict(recipe)},
            make,
        )
        return compressors.load(folder, expect_fingerprint=outcome["fingerprint"])

    def _tokens(
        self, recipe: recipes.Recipe, compressor: compressors.Compressor
    ) -> tuple[pipeline.Tokens, int]:
        """Training and held-out tokens, and how many held-out documents did not come back."""
        if isinstance(recipe, recipes.Bytes) and hasattr(self, "_bytes"):
            return self._bytes
        folder = self._output / "tokens" / recipe.name
        outcome = stages.run_stage(
            folder,
            f"Compress with {recipe.label}",
            {
                "corpus": self._text.sha256,
                "compressor": compressor.fingerprint,
                "max_train_tokens": recipe.max_train_tokens,
                "eval_bytes": self._settings.eval_bytes,
            },
            lambda folder: pipeline.write_tokens(
                folder,
                compressor,
                self._text,
                recipe.max_train_tokens,
                self._settings.eval_bytes,
            ),
        )
        return pipeline.open_tokens(folder, compressor), outcome["lost_documents"]

    def _keep(self, row: rows.Row) -> rows.Row:
        """Appends a row to results.jsonl, unless it stands there from an earlier run."""
        path = self._output / "results.jsonl"
        if not path.exists() or row not in rows.read_rows(path):
            rows.append_row(path, row)
        return row


def _plain(run: pipeline.ModelRun) -> dict[str, Any]:
    """A run's settings as JSON: what a stage depends on."""
    return json.loads(json.dumps(dataclasses.asdict(run)))


def _say_where(output: pathlib.Path, results: Sequence[rows.Row]) -> None:
    """The last lines on the terminal: what came out, and where to look."""
    print()
    for row in results:
        name = "M1" if row.kind == "m1" else row.method
        ratio, bits = f"{row.bytes_per_token:>7.2f}", f"{row.bits_per_byte:>8.3f}"
        print(f"{name:<30}{ratio} bytes/token{bits} bits/byte")
    print()
    print(f"Report:  {output / 'report.md'} and {output / 'report.html'}")
    print(f"Figures: {output / 'figures'}")
    print(f"Rows:    {output / 'results.jsonl'}")
    print(f"eiw smoke finished: {output}")
