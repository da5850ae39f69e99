"""Whole or absent: what a failed block leaves, and what a user is told."""

import errno
import os

import pytest

from eiw import atomic, errors


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "deep" / "file"
    for text in ("one", "two"):
        with atomic.replace_file(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text
    assert [each.name for each in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("replace", [atomic.replace_file, atomic.replace_folder])
def test_a_failed_block_leaves_the_old_one_alone(tmp_path, replace):
    path = tmp_path / "target"
    with replace(path) as temporary:
        inside = temporary / "inside" if temporary.is_dir() else temporary
        inside.write_text("old")
    with pytest.raises(RuntimeError), replace(path) as temporary:
        inside = temporary / "inside" if temporary.is_dir() else temporary
        inside.write_text("half")
        raise RuntimeError
    assert (path / "inside" if path.is_dir() else path).read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["target"]


def test_a_folder_takes_the_place_of_a_full_one(tmp_path):
    path = tmp_path / "folder"
    for text in ("one", "two"):
        with atomic.replace_folder(path) as temporary:
            (temporary / "header").write_text(text)
            (temporary / text).mkdir()
        assert (path / "header").read_text() == text
        assert {each.name for each in path.iterdir()} == {"header", text}


def test_a_folder_of_something_else_is_not_deleted(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with (
        pytest.raises(errors.InputError, match=r"texts holds something else \(mine.txt\)"),
        atomic.replace_folder(folder) as temporary,
    ):
        (temporary / "header").touch()
    assert (folder / "mine.txt").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["texts"]


@pytest.mark.parametrize("name", [".", "..", ""])
def test_the_folder_one_stands_in_is_not_replaced(tmp_path, monkeypatch, name):
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    with (
        pytest.raises(errors.InputError, match="name a folder inside it"),
        atomic.replace_folder(name) as temporary,
    ):
        (temporary / "header").touch()
    assert inside.is_dir()
    assert not list(inside.iterdir())


def test_a_file_in_a_folders_place_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(errors.InputError, match="file cannot be a folder: a file stands in the way"),
        atomic.replace_folder(tmp_path / "file") as temporary,
    ):
        (temporary / "header").touch()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "No permission"),
        (errno.EROFS, "No permission"),
        (errno.ENOSPC, "disk is full"),
    ],
)
def test_a_disk_that_refuses_is_explained(tmp_path, number, words):
    with (
        pytest.raises(errors.InputError, match=words) as caught,
        atomic.replace_file(tmp_path / "file") as temporary,
    ):
        temporary.write_text("half")
        raise OSError(number, os.strerror(number), str(temporary))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_other_errors_of_the_block_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), atomic.replace_file(tmp_path / "file"):
        (tmp_path / "missing").read_text()


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(errors.InputError, match="a file stands in the way"):
            atomic.make_folder(path)


@pytest.mark.parametrize("replace", [atomic.replace_file, atomic.replace_folder])
def test_a_file_in_the_way_of_what_is_replaced_is_named(tmp_path, replace):
    (tmp_path / "file").touch()
    with (
        pytest.raises(errors.InputError, match="a file stands in the way"),
        replace(tmp_path / "file" / "below" / "name"),
    ):
        pass
