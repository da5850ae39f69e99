"""`eiw evaluate`: one JSON object on the last line."""

import json

import pytest
import sentencepiece

from eiw import compressors, main
from eiw.coding import byte_model
from eiw.compressors import gzip_bits, raw_bytes, tunstall_fit, window_dictionary
from eiw.data import corpus, token_files

TEXTS = [f"Document {i} of a few, which is a text. ".encode() * 4 for i in range(40)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a run leaves: a corpus, compressors, and the training tokens of one of them."""
    folder = tmp_path_factory.mktemp("run")
    documents = [(split, text) for split in corpus.SPLITS for text in TEXTS]
    corpus.write_corpus(folder / "corpus", documents, "a few texts")
    model = byte_model.NgramByteModel.fit(TEXTS, order=3)
    for compressor in (
        raw_bytes.RawBytes(),
        gzip_bits.GZip(),
        tunstall_fit.fit_tunstall(model, 300),
        window_dictionary.compile_windows(model, window_end="greedy"),
    ):
        compressor.save(folder / "compressors" / compressor.name)
    token_files.write_tokens(folder / "tokens" / "bytes" / "train", raw_bytes.RawBytes(), TEXTS[:5])
    return folder


def evaluate(capsys, *arguments):
    status = main.main(["evaluate", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_compressors_of_a_run(capsys, run):
    status, out, err = evaluate(capsys, "compression", "--run", run, "--eval_bytes=2000")
    assert status == 0, err
    numbers = json.loads(out.splitlines()[-1])
    assert numbers == json.loads((run / "compression.json").read_text())
    assert (run / "compression.md").read_text() in out
    rows = {row["name"]: row for row in numbers["rows"]}
    assert list(rows) == ["bytes", "equal_info_b16_v65k_greedy", "gzip_v256", "tunstall_v300"]
    assert {row["bytes"] for row in rows.values()} == {numbers["eval_bytes"]}
    assert numbers["eval_bytes"] >= 2000
    assert rows["bytes"]["bytes_per_token"] == 1
    assert rows["tunstall_v300"]["lost_documents"] == 0
    greedy = rows["equal_info_b16_v65k_greedy"]
    windows = compressors.load(run / "compressors" / "equal_info_b16_v65k_greedy")
    texts = list(corpus.open_corpus(run / "corpus")["test"].sample(2000))
    counts = [windows.count_lost(text) for text in texts]
    assert [greedy["lost_windows"], greedy["windows"]] == [
        sum(x) for x in zip(*counts, strict=True)
    ]
    # Training tokens are the run's own, where there are some.
    assert rows["bytes"]["train_bytes"] == sum(map(len, TEXTS[:5]))
    assert rows["gzip_v256"]["train_bytes"] == sum(map(len, TEXTS))


def test_compressors_by_glob_on_other_text(capsys, run, tmp_path):
    lines = [json.dumps({"text": f"other text {i}"}) for i in range(50)]
    (tmp_path / "other.jsonl").write_text("\n".join(lines))
    status, out, err = evaluate(
        capsys,
        *("compression", "--compressors", run / "compressors" / "*s", "--output", tmp_path),
        *("--text", tmp_path / "other.jsonl"),
    )
    assert status == 0, err
    numbers = json.loads(out.splitlines()[-1])
    assert [row["name"] for row in numbers["rows"]] == ["bytes"]
    assert numbers["text"] == str(tmp_path / "other.jsonl")
    assert (tmp_path / "compression.md").exists()


def test_what_a_foreign_vocabulary_loses_is_counted(capsys, run, tmp_path):
    """As SentencePiece trains by default, and T5's was: white space is folded."""
    texts = [b"one space", b"two  spaces", b"three   spaces", b" the first", b"ab"] * 8
    corpus.write_corpus(
        tmp_path / "corpus", [(split, text) for split in corpus.SPLITS for text in texts]
    )
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.decode() for text in texts),
        model_prefix=str(tmp_path / "t5"),
        vocab_size=30,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    compile_it = ["compile", "--gin_file=methods/sentencepiece_foreign.gin"]
    compile_it.append(f"--output={tmp_path / 'compressors' / 'sentencepiece_foreign'}")
    setting = f"--gin.recipes.ForeignSentencePiece.model_file='{tmp_path / 't5.model'}'"
    assert main.main([*compile_it, setting]) == 0, capsys.readouterr().err
    status, out, err = evaluate(
        capsys, "compression", "--run", tmp_path, "--corpus", tmp_path / "corpus"
    )
    assert status == 0, err
    (row,) = json.loads(out.splitlines()[-1])["rows"]
    assert not row["lossless"]
    assert (row["documents"], row["lost_documents"]) == (40, 24)
    assert "| 24 (60.0%) |" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give --run, or --compressors with --output"),
        (["--run=no/such"], "No compressor in no/such/compressors/*"),
    ],
)
def test_what_is_missing_is_one_line(capsys, arguments, words):
    status, _, err = evaluate(capsys, "compression", *arguments)
    assert status == 1
    assert words in err
    assert err.count("\n") == 1


def test_flops_of_the_paper(capsys):
    status, out, _ = evaluate(capsys, "flops", "--size=25m", "--bytes_per_token=5.31", "--m1")
    assert status == 0
    assert json.loads(out)["paper_flops_per_byte"] == pytest.approx(15.42e6, rel=4e-3)


@pytest.mark.parametrize(
    "arguments", [("bits", "--runs=x"), ("compare", "--run=x"), ("flops", "--text=x")]
)
def test_flags_of_other_jobs_are_refused(capsys, arguments):
    status, _, err = evaluate(capsys, *arguments)
    assert status == 2
    assert f"{arguments[1].partition('=')[0]} has no meaning with {arguments[0]};" in err
    assert err.count("\n") == 1
