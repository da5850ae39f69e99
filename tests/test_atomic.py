"""Whole or absent: what a failed block leaves, and what a user is told."""

import errno
import functools
import os

import pytest

from eiw import atomic, errors

REPLACE_FOLDER = functools.partial(atomic.replace_folder, mark=None)


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "deep" / "file"
    for text in ("one", "two"):
        with atomic.replace_file(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text
    assert [each.name for each in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("replace", [atomic.replace_file, REPLACE_FOLDER])
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
    for name in ("one", "two"):
        with REPLACE_FOLDER(path) as temporary:
            (temporary / name).touch()
        assert [each.name for each in path.iterdir()] == [name]


def test_what_somebody_else_has_in_a_folder_is_not_deleted(tmp_path, monkeypatch):
    (tmp_path / "data" / "empty").mkdir(parents=True)
    (tmp_path / "data" / "thesis").write_text("years")
    (tmp_path / "data" / "here").mkdir()
    monkeypatch.chdir(tmp_path / "data" / "here")
    for path in (tmp_path / "data", "..", "../../data", "../empty/.."):
        with (
            pytest.raises(errors.InputError, match="something else") as caught,
            atomic.replace_folder(path, "mark"),
        ):
            pytest.fail("the block must not run")
        assert str(path) in str(caught.value)
    assert (tmp_path / "data" / "thesis").read_text() == "years"
    for name in ("one", "two"):  # into an empty folder, and then over what has the mark
        with atomic.replace_folder(tmp_path / "data" / "empty", "mark") as temporary:
            (temporary / "mark").write_text(name)
        assert (tmp_path / "data" / "empty" / "mark").read_text() == name


def test_some_places_are_no_folder_to_replace(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    for path in (".", tmp_path / "here" / "below", ".."):
        with pytest.raises(errors.InputError, match="the folder you are in"):
            atomic.check_replaceable(path, "below")
    with pytest.raises(errors.InputError, match="a mount point"):
        atomic.check_replaceable("/", "tmp")
    with pytest.raises(errors.InputError, match="a file stands in the way"):
        atomic.check_replaceable(tmp_path / "file", "mark")


def test_the_folder_that_a_link_names_is_replaced(tmp_path):
    (tmp_path / "far" / "folder").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "folder")
    for name in ("one", "two"):
        with REPLACE_FOLDER(tmp_path / "link") as temporary:
            (temporary / name).touch()
        assert [each.name for each in (tmp_path / "far" / "folder").iterdir()] == [name]
    assert (tmp_path / "link").is_symlink()


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


@pytest.mark.parametrize("replace", [atomic.replace_file, REPLACE_FOLDER])
def test_a_file_in_the_way_of_what_is_replaced_is_named(tmp_path, replace):
    (tmp_path / "file").touch()
    with (
        pytest.raises(errors.InputError, match="a file stands in the way"),
        replace(tmp_path / "file" / "below" / "name"),
    ):
        pass
