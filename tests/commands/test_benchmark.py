"""Benchmarks of a tiny text, without anything of others: that they run, and what they print."""

import dataclasses
import json

import pytest

from eiw import compressors, main, rows
from eiw.analysis import figures
from eiw.coding import byte_model
from eiw.compressors import neural_ac, raw_bytes, window_dictionary
from eiw.data import corpus

TEXT = "A tiny text for a benchmark.\n" * 50


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    model = byte_model.NgramByteModel.fit([TEXT.encode()], order=2)
    raw_bytes.RawBytes().save(run / "compressors" / "bytes")
    window_dictionary.compile_windows(model).save(run / "compressors" / "windows")
    neural_ac.NeuralAC(model, 8).save(run / "compressors" / "ac")
    (run / "text.txt").write_text(TEXT)
    return run


def benchmark(capsys, *argv):
    assert main.main(["benchmark", *argv]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_tokenizers(capsys, run_folder):
    result = benchmark(
        capsys, "tokenizers", f"--text={run_folder}/text.txt", f"--run={run_folder}",
        "--rivals=", "--rounds=1", "--m1_bytes=100",
    )  # fmt: skip
    assert result["text_bytes"] == len(TEXT)
    named = {row["name"]: row for row in result["rows"]}
    assert set(named) == {"bytes", "windows", "ac"}
    for row in named.values():
        assert row["lossless"] is True
        assert row["encode_mb_per_cpu_s"] > 0 < row["decode_mb_per_cpu_s"]
    assert named["bytes"]["bytes_per_token"] == 1.0
    assert named["bytes"]["vocab_size"] == 256
    # What runs M1 gets little text, and is in no hurry to share it between threads.
    assert named["ac"]["text_bytes"] == 100
    assert {row["name"] for row in result["threads"]} == {"(two cores)", "bytes", "windows"}


@pytest.mark.slow
def test_coder(capsys, run_folder):
    result = benchmark(
        capsys, "coder", f"--text={run_folder}/text.txt", "--rounds=1", "--block_bytes=500"
    )
    assert result["symbols"] == len(TEXT)
    assert all(row["lossless"] for row in result["rows"])


@pytest.mark.parametrize(
    "argv, says",
    [
        (["tokenizers", "--run=."], "--text"),
        (["tokenizers", "--text={}/text.txt"], "--run"),
        (["tokenizers", "--text={}/text.txt", "--run={}/compressors"], "no compressor"),
        (["tokenizers", "--text={}/text.txt", "--run={}", "--rivals=bpe"], "tiktoken"),
    ],
)
def test_what_is_missing_is_said(capsys, run_folder, argv, says):
    argv = [argument.replace("{}", str(run_folder)) for argument in argv]
    assert main.main(["benchmark", *argv]) == 1
    assert says in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_inference(capsys, run_folder):
    """Every method and key of the contract; without trained models there is no bits/byte."""
    text = run_folder / "documents.jsonl"
    lines = [json.dumps({"text": f"{number}: {TEXT}"}) for number in range(40)]
    text.write_text("\n".join(lines))
    result = benchmark(
        capsys, "inference", f"--text={text}", "--size=tiny", "--methods=bytes,ac_v256",
        "--batches=1,2", "--steps=4", "--rounds=1", "--length=32", "--prompt_bytes=12",
    )  # fmt: skip
    measured = {(row["method"], row["batch"]): row for row in result["rows"]}
    assert set(measured) == {("bytes", 1), ("bytes", 2), ("ac_v256", 1), ("ac_v256", 2)}
    positive = [
        *("ms_per_step", "bytes_per_step", "bytes_per_s", "ms_per_byte", "detokenise_share"),
        *("time_to_first_byte_ms", "weight_bytes_per_step", "predicted_times_bytes"),
        *("of_prediction", "times_bytes", "of_memory_bandwidth"),
    ]
    for row in measured.values():
        assert all(row[key] > 0 for key in positive)
        assert row["detokenise_share"] < 1
        assert row["is_streamed"]
        assert row["bits_per_byte"] is None
    one = measured["bytes", 1]
    assert one["bytes_per_step"] == 1.0 == one["of_prediction"]
    assert result["memory_bytes_per_s"] > 0 < result["resident_bytes_per_s"]
    # A tiny model, nothing compiled: no bar is for it.
    assert result["bars"] == [] and result["plot"] is None


def test_inference_of_a_run_is_plotted(capsys, run_folder, tmp_path, monkeypatch):
    row = rows.Row(
        kind="m2", method="Bytes", vocab_size=256, size="tiny", params=786_432, steps=1, tokens=1,
        bytes=1, loss_nats=1.0, bytes_per_token=0.5, bits_per_byte=2.5, flops_per_byte=1.0,
        seconds=1.0, device="", seed=0, corpus_sha256="", lossless=True, eval_bytes=1,
        eval_tokens=1,
    )  # fmt: skip
    (tmp_path / "compressors").symlink_to(run_folder / "compressors")
    windows = compressors.load(run_folder / "compressors" / "windows")
    names = ("method", "window_bits", "vocab_size", "variant", "m1_fingerprint")
    facts = {name: getattr(windows, name) for name in names}
    of_windows = dataclasses.replace(row, **facts, bits_per_byte=3.0, bytes_per_token=20.0)
    for each in (of_windows, row):
        rows.append_row(tmp_path / "results.jsonl", each)
    drawn = []

    def draw(rows, ms_per_byte):
        drawn.extend(rows)
        return latency_figure(rows, ms_per_byte)

    latency_figure = figures.latency_figure
    monkeypatch.setattr(figures, "latency_figure", draw)
    splits = ("train", "validation", "test")
    corpus.write_corpus(tmp_path / "corpus", [(split, TEXT.encode()) for split in splits])
    result = benchmark(
        capsys, "inference", f"--run={tmp_path}", "--methods=bytes,windows", "--batches=1",
        "--steps=4", "--rounds=1", "--length=32", "--prompt_bytes=12",
    )  # fmt: skip
    measured, _ = result["rows"]
    # As the report's figures, whose colours go by the order of the rows.
    assert [each.method for each in drawn] == [windows.method, "Bytes"]
    assert (measured["size"], measured["bits_per_byte"]) == ("tiny", 2.5)
    assert measured["bytes_per_step"] == 0.5
    figure = tmp_path / "figures" / "bits_per_byte_over_latency.png"
    assert result["plot"] == str(figure)
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "argv, says",
    [
        (["--text={}/text.txt", "--methods=words"], "bytes, ac_v256"),
        (["--batches=0"], "--batches=0"),
        (["--plot=plot.png"], "--plot needs --run"),
        (["--run={}"], "results.jsonl"),
        (["--run={}", "--text={}/text.txt"], "--text has no meaning with --run"),
    ],
)
def test_what_inference_cannot_measure_is_said(capsys, run_folder, argv, says):
    argv = [argument.replace("{}", str(run_folder)) for argument in argv]
    assert main.main(["benchmark", "inference", *argv]) == 1
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_flags_of_other_jobs_are_refused(capsys):
    assert main.main(["benchmark", "startup", "--size=3m"]) == 2
    assert "--size has no meaning with startup" in capsys.readouterr().err


@pytest.mark.slow
def test_train_step(capsys):
    result = benchmark(
        capsys,
        *("train-step", "--size=tiny", "--batch_size=4", "--length=16", "--rounds=1"),
        "--microbatches=2",
    )
    contract = [
        *("ms_median", "ms_min", "tokens_per_s", "model_flops", "matmul_peak_flops_per_s"),
        *("matmul_fraction", "peak_bytes", "compile_s", "device"),
    ]
    assert set(contract) <= set(result)


def test_windows_want_a_trained_m1(capsys, run_folder):
    assert main.main(["benchmark", "windows", f"--text={run_folder}/text.txt"]) == 1
    assert "Give --m1" in capsys.readouterr().err
