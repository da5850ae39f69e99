"""The registered tasks, on a tiny C4 in TFDS's own format, a text file and a stand-in for docs."""

import pathlib

import numpy as np
import pytest
import seqio
import tensorflow_datasets as tfds

import eiw.tasks
from eiw import errors, gin_config, vocab
from eiw.coding import byte_model
from eiw.compressors.neural_ac import NeuralAC
from eiw.compressors.raw_bytes import RawBytes
from eiw.data import locations, seqio_source

# A few, to run: a task does the same with all. Every one is registered.
METHODS = ("bytes", "sentencepiece", "ac_v256", "equal_info_b16_v65k")
ALL_METHODS = sorted(path.stem for path in (gin_config.folder() / "methods").glob("*.gin"))
TEXTS = [f"Document {i}. " * (i % 90) for i in range(300)]
SPLITS = {"docs": ("train", "validation", "test"), "text": ("train", "validation", "test")}
SPLITS["c4"] = ("train", "validation")


@pytest.fixture(scope="module")
def c4(tmp_path_factory):
    """Writes what TFDS would have downloaded: c4/en, version 3.1.0."""
    root = tmp_path_factory.mktemp("tfds")
    folder = root / "c4" / "en" / "3.1.0"
    folder.mkdir(parents=True)
    identity = tfds.core.dataset_info.DatasetIdentity(
        name="c4", version=tfds.core.Version("3.1.0"), data_dir=str(folder),
        module_name="", config_name="en",
    )  # fmt: skip
    features = tfds.features.FeaturesDict(
        {"text": tfds.features.Text(), "url": tfds.features.Text()}
    )
    info = tfds.core.DatasetInfo(builder=identity, features=features, description="A tiny C4.")
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=1000)
    writer.initialize_splits(["train", "validation"])
    writer.add_examples({"train": [{"text": text, "url": "u"} for text in TEXTS]})
    writer.add_examples({"validation": [{"text": "held out", "url": "u"}]})
    writer.close_all()
    seqio.set_tfds_data_dir_override(str(root))
    yield
    seqio.set_tfds_data_dir_override(None)


@pytest.fixture
def compressors(tmp_path):
    """Stand-ins: what a task does with its compressor does not depend on which it is."""
    for name in METHODS:
        RawBytes().save(tmp_path / "compressors" / name)
    (tmp_path / "a.txt").write_text("".join(TEXTS).replace(". ", ".\n") * 2)
    locations.set_locations(str(tmp_path / "compressors"), str(tmp_path / "*.txt"))
    yield
    locations.set_locations()


@pytest.fixture(autouse=True)
def docs(monkeypatch):
    texts = {split: [text.encode() for text in TEXTS] for split in SPLITS["docs"]}
    monkeypatch.setattr(seqio_source, "_docstrings", lambda: texts)


def examples(name, split="train", **options):
    task = seqio.get_mixture_or_task(name)
    dataset = task.get_dataset(options.pop("lengths", None), split, **options)
    return [example["targets"] for example in dataset.as_numpy_iterator()]


def test_every_method_that_can_be_compiled_is_registered_and_literal():
    source = pathlib.Path(eiw.tasks.__file__).read_text()
    assert set(METHODS) < set(ALL_METHODS)
    for prefix in SPLITS:
        for method in ALL_METHODS:
            name = f"{prefix}_{method}"
            assert name in seqio.TaskRegistry.names()
            assert f'_add("{name}")\n' in source


def test_all_texts_have_the_same_methods():
    names = [name.partition("_") for name in seqio.TaskRegistry.names()]
    methods = {prefix: {method for text, _, method in names if text == prefix} for prefix in SPLITS}
    assert methods["docs"] == methods["text"] == methods["c4"]


def test_tasks_of_a_method_share_its_vocabulary():
    tasks = [seqio.TaskRegistry.get(f"{prefix}_gzip_v256_no_header") for prefix in SPLITS]
    assert len({id(task.output_features["targets"].vocabulary) for task in tasks}) == 1


def test_c4_is_the_papers_pipeline(c4):
    got = examples("c4_bytes", shuffle=False)
    expected = []
    for group in (TEXTS[:128], TEXTS[128:256], TEXTS[256:]):
        ids = []
        for text in group:
            ids += [byte + vocab.NUM_SPECIAL_IDS for byte in text.encode()] + [vocab.EOS_ID]
        expected += [ids[i : i + 10_240][:512] for i in range(0, len(ids), 10_240)]
    assert [ids.tolist() for ids in got] == expected
    assert max(map(len, expected)) == 512 and min(map(len, expected)) < 512


@pytest.mark.parametrize("prefix", SPLITS)
@pytest.mark.parametrize("method", METHODS)
def test_every_task_gives_examples(prefix, method, c4, compressors):
    for split in SPLITS[prefix]:
        ids = examples(f"{prefix}_{method}", split)
        assert ids and all(0 < len(example) <= 512 and example.dtype == np.int32 for example in ids)


def test_ac_codes_eos_like_any_other_symbol(c4, tmp_path):
    coder = NeuralAC(byte_model.NgramByteModel.fit([TEXTS[50].encode()], order=2))
    coder.save(tmp_path / "ac_v256")
    locations.set_locations(str(tmp_path))
    try:
        got = examples("c4_ac_v256", shuffle=False, lengths={"targets": 20_000})
    finally:
        locations.set_locations()
    streams = coder.decode_symbol_batch([ids - vocab.NUM_SPECIAL_IDS for ids in got])
    expected = []
    for group in (TEXTS[:128], TEXTS[128:256], TEXTS[256:]):
        symbols = [symbol for text in group for symbol in (*text.encode(), vocab.EOS_SYMBOL)]
        expected += [symbols[i : i + 10_240] for i in range(0, len(symbols), 10_240)]
    # Examples are blocks: 10,240 symbols with the EOS ones, which no id of its own stands for.
    assert [stream.tolist() for stream in streams] == expected
    assert all((ids >= vocab.NUM_SPECIAL_IDS).all() for ids in got)


def test_another_length_may_be_asked_for(c4):
    assert max(map(len, examples("c4_bytes", lengths={"targets": 600}))) == 600


@pytest.mark.parametrize("prefix", SPLITS)
def test_the_same_seed_gives_the_same_order(prefix, c4, compressors):
    first, same, other = (
        [ids.tolist() for ids in examples(f"{prefix}_bytes", seed=seed)] for seed in (1, 1, 2)
    )
    assert first == same != other
    if prefix != "docs":  # whose documents are shuffled before they are put end to end
        assert sorted(first) == sorted(other)


def test_language_model_features(c4):
    dataset = seqio.get_dataset(
        "c4_bytes", {"targets": 512}, seqio.LMFeatureConverter(pack=False), shuffle=False
    )
    example = next(dataset.as_numpy_iterator())
    targets = example["decoder_target_tokens"]
    assert targets.shape == (512,) and example["decoder_input_tokens"][0] == vocab.PAD_ID
    np.testing.assert_array_equal(example["decoder_input_tokens"][1:], targets[:-1])
    np.testing.assert_array_equal(example["decoder_loss_weights"], targets != vocab.PAD_ID)


def test_what_is_missing_is_said_when_a_task_is_used(monkeypatch, c4, tmp_path):
    monkeypatch.delenv("EIW_COMPRESSORS", raising=False)
    monkeypatch.delenv("EIW_TEXT", raising=False)
    for name, message in (
        ("c4_ac_v256", "Nothing says where compressor ac_v256 is"),
        ("text_bytes", "EIW_TEXT"),
    ):
        with pytest.raises(errors.InputError, match=message):
            examples(name)
    locations.set_locations(str(tmp_path), str(tmp_path / "*.none"))
    try:
        for name, message in (
            ("docs_equal_info_b16_v65k", "holds no compressor equal_info_b16_v65k"),
            ("text_bytes", "No file matches"),
        ):
            with pytest.raises(errors.InputError, match=message) as error:
                examples(name)
            assert "\n" not in str(error.value)
    finally:
        locations.set_locations()
