"""`eiw smoke` end to end on a text of a few pages: what it leaves, reuses, and refuses."""

import json
import random

import pytest

from eiw import compressors, main, rows
from eiw.evaluation import document_scores

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
    for row in results:
        assert row.unigram_bits_per_byte > 0 and row.uniform_bits_per_byte > 0
        assert row.paper_bits_per_byte == pytest.approx(row.bits_per_byte, rel=0.2)
    # M1 runs for AC alone, once for each byte.
    assert [row.m1_flops_per_byte for row in results[1:]] == [0, 0, 2 * results[0].params, 0]
    scores = [document_scores.load(output / row.document_scores)[None] for row in results]
    for score, row in zip(scores, results, strict=True):
        assert score.bits_per_byte == row.bits_per_byte
        assert score.corpus_sha256 == row.corpus_sha256
        assert score.document_bytes.tolist() == scores[0].document_bytes.tolist()
    for name in METHODS:
        compressor = compressors.load(output / "compressors" / name)
        data = b"the entropy of \x00\xff windows"
        assert compressor.decode(compressor.encode(data)) == data
        assert name in METHODS
    report = (output / "report.md").read_text()
    assert "EqualInfoAC[b=16, v=65k]" in report
    assert "## Against Bytes" in report
    assert "- **EqualInfoAC[b=16, v=65k]**: " in report
    assert "<html" in (output / "report.html").read_text()
    assert len(list((output / "figures").glob("*.png"))) >= 2

    # What training kept is enough for later commands, wherever the run lies.
    moved = output.rename(tmp_path / "moved")
    assert main.main(["evaluate", "compare", "--runs", str(moved)]) == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["pairs"]) == 6
    assert main.main(["evaluate", "bits", "--run", str(moved / "m2/bytes"), "--stride=8"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["bytes"] == results[1].eval_bytes
    moved.rename(output)

    status, _, err = smoke(capsys, text, output)
    assert status == 0
    assert "bits/byte, stride 8" in (output / "report.md").read_text()
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
        (["--gin.smoke.Settings.eval_bytes=0"], "eval_bytes is 0: give a whole number >= 1"),
        (["--gin.smoke.Settings.stride=33"], "The stride is 33: give 1 to 32"),
        (["--gin.recipe.AC.token_bits=8"], "recipe.AC.token_bits. Did you mean recipes"),
    ],
)
def test_bad_input_is_one_line(capsys, text, tmp_path, arguments, words):
    status, _, err = smoke(capsys, text, tmp_path / "run", *arguments)
    assert status == 1
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err


def test_no_recipes_are_no_job(capsys, text, tmp_path):
    quick = [setting for setting in QUICK if "recipes" not in setting]
    none = "--gin.smoke.Settings.recipes=[]"
    status, _, err = smoke(capsys, text, tmp_path / "run", none, quick=quick)
    assert status == 1
    assert "recipes is empty" in err
    assert not (tmp_path / "run").exists()
