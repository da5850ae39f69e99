"""Exported dictionaries, read by the packages that they are for: the same ids for any text."""

import ast
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiw import compressors, errors, main, vocab
from eiw.coding import byte_model
from eiw.compressors import gzip_bits, parse, tunstall_fit, window_dictionary
from eiw.export import transformers_folder, vocabulary_file

TEXT = (
    'It isn\'t "quoted", nor a \\ or a tab\t; été, naïve — 日本語 of windows\n'
    "<pad> ⟨pad⟩ ⟨eos⟩  two  spaces\r\n\x00\x1f\x7f\x85\u2028 🙂 end"
).encode() * 20
# Bytes that are no UTF-8 are in the dictionary too.
BROKEN = b"\xff\xfe text \xc3( and \x80\xe3\x81" * 20


@pytest.fixture(scope="module")
def model():
    return byte_model.NgramByteModel.fit([TEXT, BROKEN], order=4)


@pytest.fixture(scope="module", params=["tunstall", "equal_info"])
def dictionary(request, model):
    if request.param == "tunstall":
        return tunstall_fit.fit_tunstall(model, 3000)
    return window_dictionary.compile_windows(model)


@pytest.fixture(scope="module")
def rwkv(dictionary, tmp_path_factory):
    reader = pytest.importorskip(
        "pyrwkv_tokenizer", reason="pip install 'eiw[export]' for what reads exported dictionaries"
    )
    path = tmp_path_factory.mktemp("rwkv") / "vocab.txt"
    vocabulary_file.write_vocabulary(path, dictionary)
    return reader.RWKVTokenizer(vocab_filepath=str(path))


def test_the_vocabulary_file_is_of_pythons_literals(dictionary, tmp_path):
    vocabulary_file.write_vocabulary(tmp_path / "vocab.txt", dictionary)
    texts = []
    lines = (tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=vocabulary_file.FIRST_ID):
        # As RWKV's reference tokenizer reads it.
        index, literal, length = int(line.split(" ")[0]), *line.partition(" ")[2].rsplit(" ", 1)
        text = ast.literal_eval(literal)
        text = text.encode() if isinstance(text, str) else text
        assert (index, len(text)) == (number, int(length))
        texts.append(text)
    assert texts == dictionary.texts()
    assert any("é" in line for line in lines), "text that can be read is not spelt in bytes"


def test_rwkv_tokenizers_give_the_same_ids(rwkv, dictionary):
    text = TEXT.decode()
    ids = np.array(rwkv.encode(text)) - vocabulary_file.FIRST_ID
    np.testing.assert_array_equal(ids, dictionary.encode(TEXT))
    assert rwkv.decode(rwkv.encode(text)) == text


@given(text=st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("it's "))))
def test_any_text_has_the_same_ids_for_rwkv(rwkv, dictionary, text):
    ids = (dictionary.encode(text.encode()) + vocabulary_file.FIRST_ID).tolist()
    assert rwkv.encode(text) == ids


# In a process of its own, as it writes into its cache, and imports for seconds.
_TOKENIZE = """
import json, sys
from transformers import AutoTokenizer
folder, texts = sys.argv[1], json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
tokenizer.save_pretrained(folder + "-again")
again = AutoTokenizer.from_pretrained(
    folder + "-again", trust_remote_code=True, errors="surrogateescape"
)
ids = [tokenizer(text)["input_ids"] for text in texts]
special = [tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id]
json.dump({
    "ids": ids,
    "again": [again(text)["input_ids"] for text in texts],
    "decoded": [again.decode(row) for row in ids],
    "skipped": again.decode([*ids[0], *special], skip_special_tokens=True),
    "special": special,
    "length": len(tokenizer),
    "batch": tokenizer(texts[:2], padding=True)["attention_mask"],
}, sys.stdout)
"""


def test_transformers_give_the_same_ids(dictionary, tmp_path):
    pytest.importorskip(
        "transformers", reason="pip install 'eiw[export]' for what reads exported dictionaries"
    )
    transformers_folder.write_tokenizer(tmp_path / "tokenizer", dictionary)
    generator = np.random.default_rng(0)
    data = [b"a window", TEXT, BROKEN, b"", b" ", bytes(range(256)), b"<pad>"]
    data += [generator.integers(0, 256, size).astype(np.uint8).tobytes() for size in range(40)]
    texts = [text.decode("utf-8", "surrogateescape") for text in data]
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": "",
    }
    done = subprocess.run(
        [sys.executable, "-c", _TOKENIZE, str(tmp_path / "tokenizer")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected = [(codes + vocab.NUM_SPECIAL_IDS).tolist() for codes in dictionary.encode_batch(data)]
    assert found["ids"] == found["again"] == expected
    assert found["decoded"] == texts
    assert found["skipped"] == texts[0]
    assert found["special"] == [vocab.PAD_ID, vocab.EOS_ID, vocab.UNK_ID]
    assert found["length"] == dictionary.vocab_size + vocab.NUM_SPECIAL_IDS
    assert sum(found["batch"][0]) == len(expected[0])


def test_the_exported_tokenizer_needs_nothing_of_eiw():
    source = pathlib.Path(transformers_folder.__file__).with_name("tokenization_eiw.py")
    modules = [
        getattr(node, "module", None) or node.names[0].name
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert set(modules) == {"json", "os", "pathlib", "transformers"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda model: gzip_bits.GZip(), "no dictionary to export"),
        (
            lambda model: tunstall_fit.fit_tunstall(model, 300, how=parse.Parse("fewest")),
            "cuts text by 'fewest'",
        ),
        (
            lambda model: tunstall_fit.fit_tunstall(model, 300, how=parse.Parse(words="prefer")),
            "cuts text by 'prefer'",
        ),
        (
            lambda model: window_dictionary.compile_windows(model, window_end="delay"),
            "no plain dictionary",
        ),
        (
            lambda model: window_dictionary.compile_windows(model, dense=False),
            "no plain dictionary",
        ),
    ],
    ids=["gzip", "fewest", "prefer", "delay", "sparse"],
)
def test_what_is_not_longest_match_is_refused(model, make, words, tmp_path):
    compressor = make(model)
    with pytest.raises(errors.InputError, match=words):
        vocabulary_file.write_vocabulary(tmp_path / "vocab.txt", compressor)
    with pytest.raises(errors.InputError, match=words):
        transformers_folder.write_tokenizer(tmp_path / "tokenizer", compressor)
    assert not list(tmp_path.iterdir())


def test_a_saved_dictionary_is_exported_from_the_command_line(capsys, model, tmp_path):
    tunstall_fit.fit_tunstall(model, 300).save(tmp_path / "saved")
    output = tmp_path / "exports"
    command = ["compile", f"--compressor={tmp_path / 'saved'}", f"--output={output}"]
    assert main.main([*command, "--export=rwkv,transformers"]) == 0
    assert f"{output / 'rwkv_vocab.txt'}: 300 texts" in capsys.readouterr().out
    assert len((output / "rwkv_vocab.txt").read_text().splitlines()) == 300
    config = json.loads((output / "transformers" / "tokenizer_config.json").read_text())
    assert config["eiw_fingerprint"] == compressors.load(tmp_path / "saved").fingerprint
    assert main.main([*command, "--export=gguf"]) == 1
    assert "choose among rwkv, transformers" in capsys.readouterr().err
    assert main.main(command) == 1
    assert "goes with --export" in capsys.readouterr().err
