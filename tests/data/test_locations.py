import pytest

from eiw import errors
from eiw.data import locations


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv("EIW_COMPRESSORS", raising=False)
    monkeypatch.delenv("EIW_TEXT", raising=False)
    yield
    locations.set_locations()


def test_environment_then_setter(tmp_path, monkeypatch):
    for root in ("a", "b"):
        (tmp_path / root / "bytes").mkdir(parents=True)
    named = locations.NamedCompressor("bytes")
    monkeypatch.setenv("EIW_COMPRESSORS", str(tmp_path / "a"))
    monkeypatch.setenv("EIW_TEXT", "*.txt")
    assert named() == tmp_path / "a" / "bytes" and locations.text_pattern() == "*.txt"
    locations.set_locations(compressors=str(tmp_path / "b"), text="*.md")
    assert named() == tmp_path / "b" / "bytes" and locations.text_pattern() == "*.md"
    locations.set_locations()
    assert named() == tmp_path / "a" / "bytes" and locations.text_pattern() == "*.txt"


def test_the_folder_is_absolute(tmp_path, monkeypatch):
    (tmp_path / "made" / "bytes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    locations.set_locations(compressors="made")
    assert locations.NamedCompressor("bytes")() == tmp_path / "made" / "bytes"


def test_what_is_missing_is_said(tmp_path):
    named = locations.NamedCompressor("ac_v256")
    with pytest.raises(errors.InputError, match="EIW_COMPRESSORS to the folder that holds ac_v256"):
        named()
    locations.set_locations(compressors=str(tmp_path))
    with pytest.raises(errors.InputError, match=f"{tmp_path} holds no compressor ac_v256"):
        named()
    with pytest.raises(errors.InputError, match="EIW_TEXT"):
        locations.text_pattern()
