import json

import pytest

from eiw import errors
from eiw.training import run_record


def test_what_was_written_is_read(tmp_path):
    data = {"length": 16, "compressor": "bytes"}
    (tmp_path / "config.json").write_text(json.dumps({"model": {}, "data": data}))
    assert run_record.data_of_run(tmp_path, "length") == data


@pytest.mark.parametrize("content", [None, "{", "[]", '{"data": null}', '{"data": {"length": 1}}'])
def test_what_is_missing_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(errors.ArtefactError, match=r"config.json does not say length and task"):
        run_record.data_of_run(tmp_path, "length", "task")
