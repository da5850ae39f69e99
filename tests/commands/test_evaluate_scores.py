"""`eiw evaluate bits` and `compare`, on models of two steps."""

import json
import math
import shutil

import numpy as np
import pytest
import tiny_flags

from eiw import main, rows
from eiw.coding import byte_model
from eiw.compressors import raw_bytes, tunstall_fit
from eiw.data import corpus, token_files
from eiw.evaluation import document_scores

LENGTH, BATCH = tiny_flags.LENGTH, tiny_flags.BATCH
TEXTS = [f"Document {i} of a few, which is a text. ".encode() * (i % 4 + 1) for i in range(40)]
TINY = ["--gin_file=runs/train.gin", *tiny_flags.TINY]


def write_tokens(folder, compressor, texts=TEXTS, corpus_sha256="ab" * 32):
    for split, documents in (("train", TEXTS), ("validation", texts[:9]), ("test", texts)):
        token_files.write_tokens(folder / split, compressor, documents, corpus_sha256=corpus_sha256)


def train(tokens, output, *more):
    arguments = ["train", f"--tokens={tokens}", f"--output={output}", *TINY, *more]
    assert main.main(arguments) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Tokens of two methods, and runs on them: bytes with two seeds and with sliding contexts."""
    folder = tmp_path_factory.mktemp("trained")
    tunstall = tunstall_fit.fit_tunstall(byte_model.NgramByteModel.fit(TEXTS, order=2), 300)
    tunstall.save(folder / "compressors" / "tunstall")
    write_tokens(folder / "tokens" / "bytes", raw_bytes.RawBytes())
    write_tokens(folder / "tokens" / "tunstall", tunstall)
    train(folder / "tokens" / "bytes", folder / "bytes_0", "--gin.train.Settings.stride=4")
    train(folder / "tokens" / "bytes", folder / "bytes_1", "--gin.loop.TrainConfig.seed=1")
    train(folder / "tokens" / "tunstall", folder / "tunstall_0")
    return folder


@pytest.fixture
def runs(trained, tmp_path):
    """The same, to be changed; tokens are found from the runs' folders."""
    return shutil.copytree(trained, tmp_path / "runs")


def evaluate(capsys, *arguments):
    status = main.main(["evaluate", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def numbers_of(capsys, *arguments):
    status, out, err = evaluate(capsys, *arguments)
    assert status == 0, err
    return json.loads(out.splitlines()[-1])


def test_training_keeps_both_scores_and_the_papers(trained):
    (row,) = rows.read_rows(trained / "bytes_0" / "results.jsonl")
    assert row.document_scores == "scores"
    scores = document_scores.load(trained / "bytes_0" / "scores")
    assert list(scores) == [None, 4]
    assert scores[None].bits_per_byte == row.bits_per_byte
    assert scores[None].standard_error == row.standard_error
    assert scores[None].document_bytes.tolist() == list(map(len, TEXTS))
    assert scores[4].bits_per_byte == pytest.approx(row.bits_per_byte, rel=0.05)
    assert scores[4].bits_per_byte != row.bits_per_byte
    # Bytes by nats an id, but that EOS is a byte: an untrained model pays as much for each.
    assert row.paper_bits_per_byte == pytest.approx(row.loss_nats / math.log(2), rel=0.05)


def test_a_stride_beyond_the_context_is_told_before_training(capsys, trained, tmp_path):
    tokens = f"--tokens={trained / 'tokens' / 'bytes'}"
    arguments = ["train", tokens, f"--output={tmp_path}", *TINY, "--gin.train.Settings.stride=17"]
    assert main.main(arguments) == 1
    assert "stride is 17: give 1 to 16" in capsys.readouterr().err
    assert not (tmp_path / "checkpoints").exists()


def test_a_run_is_scored_again(capsys, runs):
    run = runs / "bytes_1"
    (row,) = rows.read_rows(run / "results.jsonl")
    shutil.rmtree(run / "scores")
    numbers = numbers_of(capsys, "bits", "--run", run)
    assert numbers["bits_per_byte"] == pytest.approx(row.bits_per_byte, rel=1e-6)
    assert numbers["standard_error"] == pytest.approx(row.standard_error, rel=1e-4)
    assert numbers["paper_bits_per_byte"] == pytest.approx(row.paper_bits_per_byte, rel=1e-6)
    assert (numbers["step"], numbers["bytes"]) == (2, row.eval_bytes)
    sliding = numbers_of(capsys, "bits", "--run", run, "--stride=4", "--protocol=exact")
    assert sliding["stride"] == 4 and "paper_bits_per_byte" not in sliding
    assert list(document_scores.load(run / "scores")) == [None, 4]
    paper = numbers_of(capsys, "bits", "--run", run, "--protocol=paper")
    assert paper["paper_bits_per_byte"] == numbers["paper_bits_per_byte"]
    assert "bits_per_byte" not in paper


def test_a_run_is_scored_on_other_text(capsys, runs, tmp_path):
    documents = [(split, text[::-1]) for split in corpus.SPLITS for text in TEXTS]
    text = corpus.write_corpus(tmp_path / "corpus", documents, "other texts")
    arguments = ["bits", "--run", runs / "tunstall_0", "--corpus", tmp_path / "corpus"]
    arguments += ["--compressor", runs / "compressors" / "tunstall", "--eval_bytes=700"]
    status, _, err = evaluate(capsys, *arguments)
    assert status == 1 and "scores of other documents" in err
    numbers = numbers_of(capsys, *arguments, "--output", tmp_path / "scores")
    assert numbers["corpus_sha256"] == text.sha256
    assert 700 <= numbers["bytes"] < sum(map(len, TEXTS))
    assert document_scores.load(tmp_path / "scores")[None].bytes == numbers["bytes"]


def test_methods_are_compared(capsys, runs):
    folders = ",".join(str(runs / name) for name in ("bytes_0", "bytes_1", "tunstall_0"))
    status, out, err = evaluate(capsys, "compare", "--runs", folders)
    assert status == 0, err
    numbers = json.loads(out.splitlines()[-1])
    assert [group["label"] for group in numbers["groups"]] == ["bytes", "tunstall_v300"]
    assert [run["seed"] for run in numbers["groups"][0]["runs"]] == [0, 1]
    (pair,) = numbers["pairs"]
    bits = [group["bits_per_byte"] for group in numbers["groups"]]
    assert pair["by_documents"]["bits_per_byte"] == pytest.approx(bits[0] - bits[1])
    assert pair["by_documents"]["degrees"] == numbers["documents"] - 1 == len(TEXTS) - 1
    assert pair["by_seeds"] is None
    assert "| bytes | 0, 1 | " in out
    assert pair["by_documents"]["p_value"] < 1e-6
    # A stride of the context's 16 ids is none.
    assert numbers_of(capsys, "compare", "--runs", folders, "--stride=16")["pairs"] == [pair]
    # No run counts twice.
    again = numbers_of(capsys, "compare", "--runs", f"{folders},{runs / 'bytes_1'}/../bytes_0")
    assert again["pairs"] == numbers["pairs"]


def test_a_sweeps_rows_lie_beside_the_runs(capsys, runs):
    for name in ("bytes_0", "bytes_1"):
        (row,) = rows.read_rows(runs / name / "results.jsonl")
        rows.append_row(
            runs / "results.jsonl",
            row.__class__(**vars(row) | {"document_scores": f"{name}/scores"}),
        )
    status, _, err = evaluate(capsys, "compare", "--runs", runs)
    assert status == 1 and "bytes is alone" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bits"], "Give --run"),
        (["bits", "--run=no/such"], "holds no checkpoint"),
        (["bits", "--run={bytes_1}", "--stride=17"], "stride is 17: give 1 to 16"),
        (["bits", "--run={bytes_1}", "--stride=4", "--protocol=paper"], "no meaning"),
        (["bits", "--run={bytes_1}", "--output=x", "--protocol=paper"], "no meaning"),
        (["bits", "--run={bytes_1}", "--text=other.txt"], "--text needs --compressor"),
        (["bits", "--run={bytes_1}", "--tokens=x", "--compressor=y"], "no meaning"),
        (["bits", "--run={bytes_1}", "--tokens={tokens}/tunstall"], "was written by compressor"),
        (["bits", "--run={bytes_1}", "--compressor={compressors}/tunstall"], "tunstall"),
        (["compare"], "Give --runs"),
        (["compare", "--runs={bytes_1}"], "bytes is alone"),
        (["compare", "--runs=no/such"], "no/such/results.jsonl"),
        (
            ["compare", "--runs={bytes_0},{bytes_1}", "--stride=4"],
            "bytes_1/scores holds no scores of stride 4 of bytes: make them by `eiw evaluate bits",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(capsys, trained, arguments, words):
    names = ("bytes_0", "bytes_1", "tokens", "compressors")
    places = {name: trained / name for name in names}
    status, _, err = evaluate(capsys, *(argument.format(**places) for argument in arguments))
    assert status == 1
    assert words in err
    assert err.count("\n") == 1


def test_different_documents_are_refused_by_name(capsys, runs):
    folder = runs / "tunstall_0" / "scores"
    score = document_scores.load(folder)[None]
    fewer = {name: getattr(score, name)[:-1] for name in vars(score) if name.startswith("document")}
    document_scores.save(folder, document_scores.Score(**vars(score) | fewer))
    status, _, err = evaluate(capsys, "compare", f"--runs={runs / 'bytes_0'},{runs / 'tunstall_0'}")
    assert status == 1
    assert "bytes and tunstall_v300: These scores are of different documents" in err
    assert err.count("\n") == 1


def test_rows_of_an_older_version_are_told(capsys, runs):
    path = runs / "bytes_1" / "results.jsonl"
    content = json.loads(path.read_text())
    del content["document_scores"]
    path.write_text(json.dumps(content) + "\n")
    status, _, err = evaluate(capsys, "compare", "--runs", runs / "bytes_1")
    assert status == 1 and "names no documents' scores" in err


def test_runs_that_do_not_know_their_tokens_say_so(capsys, runs):
    path = runs / "bytes_1" / "config.json"
    config = json.loads(path.read_text())
    del config["data"]["tokens"]
    path.write_text(json.dumps(config))
    status, _, err = evaluate(capsys, "bits", "--run", runs / "bytes_1")
    assert status == 1 and "give --tokens" in err
    given = ["--tokens", runs / "tokens" / "bytes"]
    assert numbers_of(capsys, "bits", "--run", runs / "bytes_1", *given)["bytes"] == np.sum(
        [len(text) for text in TEXTS]
    )
