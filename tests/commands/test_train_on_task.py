"""`eiw train --task`: straight from SeqIO, online or cached, scored by the paper's protocol."""

import json
import math

import numpy as np
import pytest

import eiw.tasks  # noqa: F401, registers text_*
from eiw import main, rows, vocab
from eiw.data import locations, task_cache, task_text
from eiw.evaluation import bits_per_byte
from eiw.models import decoder
from eiw.training import checkpoint

TASK = "text_bytes"
BATCH, LENGTH = 2, 16
TINY = [
    *("--gin_file=runs/train.gin", "--gin_file=sizes/tiny.gin"),
    "--gin.loop.TrainConfig.steps=2",
    "--gin.loop.TrainConfig.log_every=1",
    f"--gin.pipeline.ModelRun.batch_size={BATCH}",
    f"--gin.pipeline.ModelRun.length={LENGTH}",
    "--gin.config.DecoderConfig.num_layers=1",
    "--gin.config.DecoderConfig.embed_dim=16",
    "--gin.config.DecoderConfig.mlp_dim=16",
]


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
    locations.set_locations(text=str(path))
    yield
    locations.set_locations()


def eiw_train(capsys, output, *arguments):
    status = main.main(["train", f"--output={output}", *TINY, *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def online(tmp_path_factory):
    folder = tmp_path_factory.mktemp("online")
    assert main.main(["train", f"--task={TASK}", f"--output={folder}", *TINY]) == 0
    return folder


def test_the_row_is_scored_by_the_papers_protocol(online):
    (row,) = rows.read_rows(online / "results.jsonl")
    # What the score should be of, from the task's symbols: bytes are ids here, moved up by three.
    examples = list(task_text.symbols(task_text.find(TASK), "validation"))
    everything = np.concatenate(examples)
    eos = everything == vocab.EOS_SYMBOL
    ratio = (~eos).sum() / len(everything)
    targets_NT = np.zeros((min(len(examples), 20 * BATCH), LENGTH), np.int32)
    for target, example in zip(targets_NT, examples, strict=False):
        ids = np.where(example == vocab.EOS_SYMBOL, vocab.EOS_ID, example + vocab.NUM_SPECIAL_IDS)
        target[: len(ids)] = ids[:LENGTH]
    model, params, step = checkpoint.load_model(online)
    inputs_NT = np.pad(targets_NT[:, :-1], ((0, 0), (1, 0)))
    logits_NTV = model.apply({"params": params}, inputs_NT, targets_NT)
    log_p = np.asarray(logits_NTV, np.float64)[..., : vocab.NUM_SPECIAL_IDS + vocab.NUM_BYTES]
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    nats_NT = -np.take_along_axis(log_p, targets_NT[..., None], -1)[..., 0]
    loss = nats_NT[targets_NT > 0].mean()
    assert (row.steps, step) == (2, 2)
    assert row.eval_tokens == (targets_NT > 0).sum() > 0
    assert row.bytes_per_token == ratio
    assert row.eval_bytes == round(row.eval_tokens * ratio)
    np.testing.assert_allclose(row.loss_nats, loss, rtol=1e-5)
    np.testing.assert_allclose(row.bits_per_byte, loss / math.log(2) / ratio, rtol=1e-5)
    assert row.tokens == 2 * BATCH * LENGTH and row.bytes == round(row.tokens * ratio)
    assert (row.method, row.unigram_bits_per_byte, row.standard_error) == ("bytes", None, None)
    assert len(row.corpus_sha256) == 64


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
        (("--task=text_byte",), "Did you mean text_bytes?"),
        (("--task=docs_bytes", "--use_cached"), "in none of the caches"),
        ((f"--task={TASK}", "--module_import=no_such"), "No module named 'no_such'"),
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


@pytest.mark.slow
def test_batches_of_examples_do_not_change_the_score():
    from eiw.models import config

    model = decoder.Decoder(config.DecoderConfig(259, 16, 1, 1, 16, head_dim=16))
    targets_NT = np.random.default_rng(0).integers(3, 259, (5, 8)).astype(np.int32)
    targets_NT[1, 3:] = 0
    import jax

    params = model.init(jax.random.key(0), targets_NT[:1], targets_NT[:1])["params"]
    scores = [bits_per_byte.score_examples(model, params, targets_NT, n) for n in (1, 3, 8)]
    assert {tokens for _, tokens in scores} == {35}
    np.testing.assert_allclose([nats for nats, _ in scores], scores[0][0], rtol=1e-6)
