import itertools
import json

import pytest

from eiw.data import locations, seqio_source

TEXTS = [f"document {i}" + "\x00" * (i % 3) for i in range(300)] + ["\u00fc" * 5]


@pytest.fixture
def text_file(tmp_path):
    lines = (json.dumps({"text": text}) + "\n" for text in TEXTS)
    (tmp_path / "a.jsonl").write_text("".join(lines))
    locations.set_locations(text=str(tmp_path / "*.jsonl"))
    yield
    locations.set_locations()


def texts(source, split, **options):
    dataset = source.get_dataset(split, **options)
    return [example["text"].decode() for example in dataset.as_numpy_iterator()]


def test_text_files_come_whole_in_order_and_split(text_file):
    splits = {
        split: texts(seqio_source.text_source(), split, shuffle=False)
        for split in ("train", "validation", "test")
    }
    assert splits["train"] == [text for text in TEXTS if text in splits["train"]]
    assert sorted(itertools.chain(*splits.values())) == sorted(TEXTS)
    assert len(splits["validation"]) == len(splits["test"]) == 3


def test_docs_are_shuffled_by_seed_only_if_asked(monkeypatch):
    data = {"train": [text.encode() for text in TEXTS], "validation": [b"v\x00"], "test": []}
    monkeypatch.setattr(seqio_source, "_docstrings", lambda: data)
    source = seqio_source.docs_source()
    assert texts(source, "train", shuffle=False) == TEXTS
    assert texts(source, "validation", shuffle=False) == ["v\x00"]
    first, same, other = (texts(source, "train", shuffle=True, seed=seed) for seed in (1, 1, 2))
    assert first == same != other and sorted(first) == sorted(other) == sorted(TEXTS)
