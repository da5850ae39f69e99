"""`eiw compile`: any method by its gin file."""

import json

import jax
import jax.numpy as jnp
import pytest

from eiw import byte_lm, compressors, main
from eiw.compressors import raw_bytes
from eiw.models import config, decoder


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "documents.jsonl"
    path.write_text("".join(json.dumps({"text": f"Document {i}."}) + "\n" for i in range(50)))
    return path


@pytest.fixture(scope="module")
def m1(tmp_path_factory):
    shape = config.DecoderConfig(
        size="test", vocab_size=259, embed_dim=16, num_heads=1, num_layers=1, mlp_dim=16
    )
    model = decoder.Decoder(shape)
    tokens = jnp.zeros((1, 4), jnp.int32)
    params = model.init(jax.random.key(0), tokens, tokens)["params"]
    folder = tmp_path_factory.mktemp("m1") / "m1"
    byte_lm.export(params, shape, folder)
    return folder


def eiw_compile(capsys, output, *arguments):
    status = main.main(["compile", "--output", str(output), *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_windows_by_default(capsys, m1, tmp_path):
    status, out, err = eiw_compile(capsys, tmp_path / "windows", "--m1", m1)
    assert status == 0, err
    assert "EqualInfoAC[b=16, v=65k]" in out
    windows = compressors.load(tmp_path / "windows")
    assert windows.name == "equal_info_b16_v65k"
    assert windows.decode(windows.encode(b"any \xff bytes")) == b"any \xff bytes"
    assert "EqualInfoAC" in (tmp_path / "windows" / "config.gin").read_text()


def test_another_method_of_other_settings(capsys, text, tmp_path):
    status, out, err = eiw_compile(
        capsys,
        tmp_path / "coder",
        *("--text", text, "--gin_file=methods/static_ac_v65k.gin"),
        "--gin.recipes.StaticAC.block_bytes=99",
    )
    assert status == 0, err
    assert "StaticAC[v=65k], 65,536 codes" in out
    coder = compressors.load(tmp_path / "coder")
    assert coder.name == "static_ac_v65k"
    assert coder.decode(coder.encode(b"Document 7." * 20)) == b"Document 7." * 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "is made from an M1: give its folder with --m1"),
        (["--gin_file=methods/gzip_v1k.gin"], "gzip_v1k.gin"),
        (["--gin_file=methods/static_ac_v256.gin", "--text=no/such"], "No file matches"),
        (
            ["--gin_file=methods/static_ac_v256.gin", "--text=x", "--corpus=y"],
            "--text or --corpus, not both",
        ),
        (["--gin_file=sizes/tiny.gin"], "the files do not say Settings's recipe: name"),
        (["--compressor=c", "--export=rwkv", "--m1=m"], "--m1 has no meaning with --compressor"),
        (["--compressor=c"], "--compressor goes with --export"),
    ],
)
def test_what_is_missing_is_one_line(capsys, tmp_path, arguments, words):
    status, _, err = eiw_compile(capsys, tmp_path / "none", *arguments)
    assert status == 1
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("relative", ["precious", "precious/below/..", "precious/file"])
def test_a_folder_of_something_else_is_not_replaced(capsys, tmp_path, relative):
    (tmp_path / "precious" / "below").mkdir(parents=True)
    (tmp_path / "precious" / "file").write_text("years of work")
    status, _, err = eiw_compile(capsys, tmp_path / relative, "--gin_file=methods/bytes.gin")
    assert status == 1
    assert "choose another folder" in err or "a file stands in the way" in err
    assert (tmp_path / "precious" / "file").read_text() == "years of work"


def test_compressing_text_beside_itself_does_not_delete_it(capsys, tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "book.txt").write_text("years of work\n" * 20_000)
    raw_bytes.RawBytes().save(tmp_path / "bytes")
    arguments = {"compressor": "bytes", "text": "train/*.txt", "output": ""}
    status = main.main(
        ["compress", *(f"--{name}={tmp_path / value}" for name, value in arguments.items())]
    )
    assert status == 1
    assert "train holds files of something else" in capsys.readouterr().err
    assert (tmp_path / "train" / "book.txt").exists()


def test_a_folder_of_something_else_is_left_alone(capsys, text, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    # Told before the text is looked for.
    method = ("--gin_file=methods/static_ac_v256.gin", "--text=no/such")
    status, _, err = eiw_compile(capsys, tmp_path, *method)
    assert status == 1
    assert "holds files of something else" in err
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_compressor_is_made_again_in_its_folder(capsys, tmp_path):
    for method in ("bytes", "gzip_v256"):
        folder = tmp_path / "made"
        status, _, err = eiw_compile(capsys, folder, f"--gin_file=methods/{method}.gin")
        assert status == 0, err
        assert compressors.load(folder).name == method
