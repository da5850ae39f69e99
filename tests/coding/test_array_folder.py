import json

import numpy as np
import pytest

from eiw import errors
from eiw.coding import array_folder

CONTENTS = array_folder.Contents(
    "thing", 3, {"width": 5}, {"a": np.arange(1000), "b": np.zeros((2, 0), np.uint8)}
)


@pytest.fixture
def folder(tmp_path):
    array_folder.write_contents(tmp_path, "header.json", CONTENTS)
    return tmp_path


def read(folder):
    return array_folder.read_contents(folder, "header.json", 3)


def refused(folder, match):
    with pytest.raises(errors.ArtefactError, match=match) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


def change_header(folder, **changes):
    path = folder / "header.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_comes_back(folder):
    contents = read(folder)
    assert (contents.kind, contents.config) == ("thing", {"width": 5})
    assert contents.fingerprint == CONTENTS.fingerprint
    for name, array in CONTENTS.arrays.items():
        assert contents.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(contents.arrays[name], array)


@pytest.mark.parametrize(
    "other",
    [
        array_folder.Contents("other", 3, CONTENTS.config, CONTENTS.arrays),
        array_folder.Contents("thing", 4, CONTENTS.config, CONTENTS.arrays),
        array_folder.Contents("thing", 3, {"width": 6}, CONTENTS.arrays),
        array_folder.Contents("thing", 3, CONTENTS.config, {"a": np.arange(1000)}),
        array_folder.Contents(
            "thing", 3, CONTENTS.config, CONTENTS.arrays | {"a": np.arange(1000).astype(np.uint64)}
        ),
    ],
)
def test_everything_is_in_the_fingerprint(other):
    assert other.fingerprint != CONTENTS.fingerprint


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_truncated_arrays(folder, keep):
    path = folder / "arrays.npz"
    path.write_bytes(path.read_bytes()[:keep])
    refused(folder, "truncated or altered")


@pytest.mark.parametrize("place", [0, 100, -5])
def test_altered_arrays(folder, place):
    path = folder / "arrays.npz"
    octets = bytearray(path.read_bytes())
    octets[place] ^= 1
    path.write_bytes(octets)
    refused(folder, "truncated or altered")


def test_no_arrays(folder):
    (folder / "arrays.npz").unlink()
    refused(folder, "cannot be read")


@pytest.mark.parametrize("keep", [0, 20, -3])
def test_truncated_header(folder, keep):
    path = folder / "header.json"
    path.write_bytes(path.read_bytes()[:keep])
    refused(folder, "damaged")


def test_altered_header(folder):
    change_header(folder, config={"width": 6})
    refused(folder, "altered")


def test_other_format_version(folder):
    change_header(folder, format_version=2)
    refused(folder, "version 2, this eiw reads version 3")


@pytest.mark.parametrize("text", ["[]", "{}", '{"kind": 3}', '{"kind": "thing"}'])
def test_foreign(folder, text):
    (folder / "header.json").write_text(text)
    refused(folder, "not written by eiw")


def test_no_folder(tmp_path):
    refused(tmp_path / "nothing", "no header.json")
