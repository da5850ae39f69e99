"""`eiw smoke` end to end on a text of a few pages: what it leaves, reuses, and refuses."""

import json
import random

import pytest

from eiw import compressors, main, rows

WORDS = [
    "window",
    "code",
    "byte",
    "text",
    "model",
    "train",
    "length",
    "entropy",
    "of",
    "the",
    "a",
    "in",
    "to",
    "is",
    "and",
    "for",
    "with",
    "each",
]
QUICK = [
    "--gin.m1/loop.TrainConfig.steps=2",
    "--gin.m2/loop.TrainConfig.steps=2",
    "--gin.m1/pipeline.ModelRun.batch_size=4",
    "--gin.m2/pipeline.ModelRun.batch_size=2",
    "--gin.m1/pipeline.ModelRun.length=32",
    "--gin.m2/pipeline.ModelRun.length=32",
    "--gin.config.DecoderConfig.num_layers=1",
    "--gin.config.DecoderConfig.embed_dim=32",
    "--gin.config.DecoderConfig.mlp_dim=32",
    "--gin.config.DecoderConfig.head_dim=16",
    "--gin.recipes.SentencePiece.vocab_size=300",
    "--gin.recipes.AC.max_train_tokens=2000",
    "--gin.recipes.AC.context=8",
    "--gin.smoke.Settings.eval_bytes=2000",
]
METHODS = ["bytes", "sentencepiece", "ac_v256", "equal_info_b16_v65k"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "documents.jsonl"
    chance = random.Random(0)
    lines = [" ".join(chance.choices(WORDS, k=60)) for _ in range(200)]
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    return path


def smoke(capsys, text, output, *more, quick=QUICK):
    status = main.main(["smoke", "--text", str(text), "--output", str(output), *quick, *more])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_smoke_leaves_everything_and_is_reused(capsys, text, tmp_path):
    output = tmp_path / "run"
    status, out, err = smoke(capsys, text, output)
    assert status == 0, err
    assert out.splitlines()[-1] == f"eiw smoke finished: {output}"

    results = rows.read_rows(output / "results.jsonl")
    assert [row.kind for row in results] == ["m1"] + ["m2"] * len(METHODS)
    assert len({row.eval_bytes for row in results}) == 1
    assert all(row.lost_documents == 0 for row in results[1:])
    for name in METHODS:
        compressor = compressors.load(output / "compressors" / name)
        data = b"the entropy of \x00\xff windows"
        assert compressor.decode(compressor.encode(data)) == data
        assert name in METHODS
    report = (output / "report.md").read_text()
    assert "EqualInfoAC[b=16, v=65k]" in report
    assert "<html" in (output / "report.html").read_text()
    assert len(list((output / "figures").glob("*.png"))) >= 2

    status, _, err = smoke(capsys, text, output)
    assert status == 0
    assert "Training" not in err
    assert err.count("finished before, reused") >= 1 + 1 + 3 * len(METHODS)
    assert rows.read_rows(output / "results.jsonl") == results


@pytest.mark.slow
def test_fresh_starts_the_rows_anew(capsys, text, tmp_path):
    output = tmp_path / "run"
    assert smoke(capsys, text, output)[0] == 0
    # The old rows would stand beside the new ones in the report.
    quick = [setting for setting in QUICK if "recipes" not in setting]
    anew = ["--fresh", "--gin.smoke.Settings.recipes=[@recipes.Bytes()]"]
    status, _, err = smoke(capsys, text, output, *anew, quick=quick)
    assert status == 0, err
    assert [row.kind for row in rows.read_rows(output / "results.jsonl")] == ["m1", "m2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--text", "no/such/*.txt"], "No file matches"),
        (["--gin_file", "runs/nosuch.gin"], "nosuch.gin"),
        (["--gin.smoke.Settings.eval_byte=1"], "eval_byte"),
        (["--gin.recipe.AC.token_bits=8"], "recipe.AC"),
    ],
)
def test_bad_input_is_one_line(capsys, text, tmp_path, arguments, words):
    status, _, err = smoke(capsys, text, tmp_path / "run", *arguments)
    assert status == 1
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err
