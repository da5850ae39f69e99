"""`eiw train --task`: straight from SeqIO, online or cached, scored by the paper's protocol."""

import gc
import json
import math

import numpy as np
import pytest
import tiny_flags

import eiw.tasks  # noqa: F401, registers text_*
from eiw import main, rows, vocab
from eiw.data import task_cache, task_text
from eiw.evaluation import bits_per_byte, document_scores
from eiw.models import decoder
from eiw.training import checkpoint

TASK = "text_bytes"
BATCH, LENGTH = tiny_flags.BATCH, tiny_flags.LENGTH
TINY = ["--gin_file=runs/train.gin", *tiny_flags.TINY, "--gin.loop.TrainConfig.log_every=1"]


@pytest.fixture(scope="module", autouse=True)
def text(tmp_path_factory):
    """Some 400 documents of different bytes, of which a few are held out."""
    path = tmp_path_factory.mktemp("text") / "a.jsonl"
    random = np.random.default_rng(0)
    lines = [
        json.dumps({"text": bytes(random.integers(32, 127, random.integers(1, 400))).decode()})
        for _ in range(1_500)
    ]
    path.write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        # For this process and for the one that reads the task.
        patch.setenv("EIW_TEXT", str(path))
        yield


def eiw_train(capsys, output, *arguments):
    status = main.main(["train", f"--output={output}", *TINY, *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def online(tmp_path_factory):
    folder = tmp_path_factory.mktemp("online")
    assert main.main(["train", f"--task={TASK}", f"--output={folder}", *TINY]) == 0
    return folder


def nats(run, rows_of_ids) -> np.ndarray:
    """float64[N, LENGTH]: what each id costs in a context of its own row, by all logits at once."""
    model, params, step = checkpoint.load_model(run)
    assert step == 2
    targets_NT = np.stack([np.pad(ids, (0, LENGTH - len(ids))) for ids in rows_of_ids])
    inputs_NT = np.pad(targets_NT[:, :-1], ((0, 0), (1, 0)))
    logits_NTV = model.apply({"params": params}, inputs_NT, targets_NT)
    log_p = np.asarray(logits_NTV, np.float64)[..., : vocab.NUM_SPECIAL_IDS + vocab.NUM_BYTES]
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    nats_NT = -np.take_along_axis(log_p, targets_NT[..., None], -1)[..., 0]
    return np.where(targets_NT > 0, nats_NT, 0)


def ids_of(split):
    """Of each example: bytes are ids here, moved up by three."""
    return [
        np.where(example == vocab.EOS_SYMBOL, vocab.EOS_ID, example + vocab.NUM_SPECIAL_IDS)
        for example in task_text.symbols(task_text.find(TASK), split)
    ]


@pytest.fixture(scope="module")
def examples():
    return ids_of("validation")


def test_the_papers_score_is_of_twenty_batches(online, examples):
    (row,) = rows.read_rows(online / "results.jsonl")
    kept = [ids[:LENGTH] for ids in examples[: 20 * BATCH]]
    loss = nats(online, kept).sum() / sum(map(len, kept))
    # An id stands for a byte, and EOS is a byte for the paper.
    np.testing.assert_allclose(row.paper_bits_per_byte, loss / math.log(2), rtol=1e-5)
    everything = np.concatenate(examples)
    ratio = (everything != vocab.EOS_ID).sum() / len(everything)
    assert row.bytes_per_token == ratio
    assert row.tokens == 2 * BATCH * LENGTH and row.bytes == round(row.tokens * ratio)


def test_the_exact_score_is_of_whole_examples(online, examples):
    (row,) = rows.read_rows(online / "results.jsonl")
    # The text is shorter than what is asked for: all of it is scored.
    contexts = [
        (number, ids[start : start + LENGTH])
        for number, ids in enumerate(examples)
        for start in range(0, len(ids), LENGTH)
    ]
    owners, rows_of_ids = zip(*contexts, strict=True)
    example_nats = np.bincount(owners, nats(online, rows_of_ids).sum(axis=1))
    num_bytes = [np.sum(ids != vocab.EOS_ID) for ids in examples]
    found = document_scores.load(online / row.document_scores)[None]
    np.testing.assert_allclose(found.document_nats, example_nats, rtol=1e-5)
    assert found.document_bytes.tolist() == num_bytes
    assert found.document_tokens.tolist() == [len(ids) for ids in examples]
    assert found.corpus_sha256 == row.corpus_sha256 and len(row.corpus_sha256) == 64
    assert (row.eval_tokens, row.eval_bytes) == (found.tokens, found.bytes)
    expected = sum(example_nats) / math.log(2) / sum(num_bytes)
    np.testing.assert_allclose(row.bits_per_byte, expected, rtol=1e-5)
    np.testing.assert_allclose(row.loss_nats, sum(example_nats) / found.tokens, rtol=1e-5)
    assert row.standard_error == found.standard_error
    assert (row.steps, row.method) == (2, "bytes")


def test_the_unigram_is_of_training_codes(online, examples):
    (row,) = rows.read_rows(online / "results.jsonl")
    seen = np.concatenate([ids[:LENGTH] for ids in ids_of("train")[: 100 * BATCH]])
    counts = np.bincount(seen, minlength=259).astype(float)
    counts[[vocab.EOS_ID, *range(vocab.NUM_SPECIAL_IDS, 259)]] += 1
    everything = np.concatenate(examples)
    bits = -np.log2(counts[everything] / counts.sum()).sum()
    np.testing.assert_allclose(row.unigram_bits_per_byte, bits / row.eval_bytes)


@pytest.mark.slow
def test_a_cached_task_gives_the_same_ratio_and_goes_on(capsys, tmp_path, online):
    task_cache.cache_task(TASK, tmp_path / "caches", num_shards=2, workers=1)
    run = tmp_path / "run"
    cached = (f"--task={TASK}", "--use_cached", f"--cache_dirs={tmp_path / 'caches'}")
    for steps in (1, 2):
        status, _, err = eiw_train(capsys, run, *cached, f"--gin.loop.TrainConfig.steps={steps}")
        assert status == 0, err
    first, second = rows.read_rows(run / "results.jsonl")
    (alone,) = rows.read_rows(online / "results.jsonl")
    assert (first.steps, second.steps) == (1, 2)
    assert second.bytes_per_token == alone.bytes_per_token
    assert second.corpus_sha256 == alone.corpus_sha256
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "Give either --tokens"),
        (("--tokens=x", f"--task={TASK}"), "Give either --tokens"),
        (("--tokens=x", "--use_cached"), "--use_cached has no meaning with --tokens"),
        ((f"--task={TASK}", "--export_m1=x"), "--export_m1 has no meaning with --task"),
        ((f"--task={TASK}", "--gin.train.Settings.stride=4"), "for token files"),
        (("--task=text_byte",), "Did you mean text_bytes?"),
        (
            (f"--task={TASK}", '--gin.pipeline.ModelRun.crops=@crops.Crops()',
             '--gin.crops.Crops.begin="anywhere"'),
            "Crops are cut from token files",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)  # fmt: skip
def test_bad_input_is_one_line(capsys, tmp_path, arguments, message):
    if any("crops" in argument for argument in arguments):
        arguments = ("--gin_file=runs/m1.gin", "--gin_file=sizes/tiny.gin", *arguments)
    status, _, err = eiw_train(capsys, tmp_path / "run", *arguments)
    assert status == 1 and message in err and err.count("\n") == 1
    assert gc.isenabled()


def test_text_that_is_not_there_is_missed_before_anything_is_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("EIW_TEXT", str(tmp_path / "no_such.jsonl"))
    status, _, err = eiw_train(capsys, tmp_path / "run", f"--task={TASK}")
    assert status == 1 and "No file matches" in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_batches_of_examples_do_not_change_the_score():
    from eiw.models import config

    model = decoder.Decoder(config.DecoderConfig(259, 16, 1, 1, 16, head_dim=16))
    targets_NT = np.random.default_rng(0).integers(3, 259, (5, 8)).astype(np.int32)
    targets_NT[1, 3:] = 0
    import jax

    params = model.init(jax.random.key(0), targets_NT[:1], targets_NT[:1])["params"]
    scores = [bits_per_byte.score_examples(model, params, targets_NT, n) for n in (1, 3, 8)]
    for score in scores:
        np.testing.assert_allclose(score, scores[0], rtol=1e-6)
