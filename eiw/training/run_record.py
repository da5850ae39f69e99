"""config.json of a run: what a later command has to know of its training."""

import json
import os
import pathlib
from typing import Any

from eiw import errors


def data_of_run(run_dir: str | os.PathLike, *names: str) -> dict[str, Any]:
    """What config.json says of the data that a run was trained on.

    Raises:
      ArtefactError: there is no such file, it is damaged, or lacks one of `names`.
    """
    path = pathlib.Path(run_dir) / "config.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))["data"]
        return dict(data) | {name: data[name] for name in names}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.ArtefactError(
            f"{path} does not say {' and '.join(names)} of its training: run the training again, "
            "which goes on from the last checkpoint and writes it."
        ) from error
