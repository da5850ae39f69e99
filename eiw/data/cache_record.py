"""eiw_cache.json: the memory of an offline cache that is being written."""

import json
import pathlib
from typing import Any

import seqio

from eiw import atomic, errors

_NAME = "eiw_cache.json"
_FORMAT_VERSION = 1


class CacheRecord:
    """What is being cached, and what is already there.

    A shard is believed if it is recorded and its file has the recorded size. It is renamed into
    place before it is recorded, so a kill between the two only makes it once more.
    """

    def __init__(self, folder: pathlib.Path, task: str, fingerprint: str, num_shards: int):
        """Args:
          folder: of the task's cache.
          task: its name.
          fingerprint: of the compressor.
          num_shards: files a split, at most one for each example.

        Raises:
          InputError: the folder holds something else, or a cache made by other settings.
          ArtefactError: its record is damaged.
        """
        self._folder, self._path = folder, folder / _NAME
        identity = {
            "format_version": _FORMAT_VERSION,
            "task": task,
            "compressor": fingerprint,
            "seqio_version": seqio.__version__,
            "max_shards": num_shards,
        }
        if self._path.exists():
            self._content = _read_json(self._path)
            for key, value in identity.items():
                if self._content.get(key) != value:
                    raise errors.InputError(
                        f"{folder} was cached with another {key} ({self._content.get(key)}, now "
                        f"{value}): choose another folder, or --overwrite."
                    )
        elif folder.is_dir() and any(folder.iterdir()):
            raise errors.InputError(
                f"{folder} holds files that `eiw compress` did not write: choose another folder, "
                "or --overwrite."
            )
        else:
            self._content = {**identity, "splits": {}}

    def begin(self, split: str, examples: int, sha256: str) -> None:
        """Says what the split's text is.

        Raises:
          InputError: there are shards of other text already.
        """
        count = min(self._content["max_shards"], examples)
        text = {"examples": examples, "sha256": sha256}
        known = self._content["splits"].setdefault(split, {**text, "shards": [None] * count})
        if {key: known[key] for key in text} != text:
            raise errors.InputError(
                f"{self._folder} holds shards of other text: its {split} split has changed since. "
                "Use --overwrite to start over."
            )
        self._write()

    def shards(self, split: str) -> list[tuple[pathlib.Path, int, int]]:
        """Each shard's file, and the numbers of its first example and of the next shard's."""
        total, count = self._split(split)["examples"], len(self._split(split)["shards"])
        prefix = seqio.get_cached_tfrecord_prefix(self._folder, split)
        return [
            (
                pathlib.Path(f"{prefix}-{number:05d}-of-{count:05d}"),
                number * total // count,
                (number + 1) * total // count,
            )
            for number in range(count)
        ]

    def is_done(self, split: str, number: int) -> bool:
        """Whether a shard stands."""
        known = self._split(split)["shards"][number]
        path = self.shards(split)[number][0]
        return known is not None and path.is_file() and path.stat().st_size == known["bytes"]

    def done(self, split: str, number: int, token_counts: list[int]) -> None:
        """Records a shard whose file stands, by the tokens of each of its examples."""
        self._split(split)["shards"][number] = {
            "bytes": self.shards(split)[number][0].stat().st_size,
            "tokens": sum(token_counts),
            "max_tokens": max(token_counts),
        }
        self._write()

    def info(self, split: str) -> dict[str, Any]:
        """What SeqIO's info.SPLIT.json says."""
        return {
            "features": {"targets": {"dtype": "int32", "shape": [None]}},
            "num_shards": len(self._split(split)["shards"]),
            "seqio_version": self._content["seqio_version"],
        }

    def stats(self, split: str) -> dict[str, int]:
        """What SeqIO's stats.SPLIT.json says, of a split whose shards all stand."""
        shards = self._split(split)["shards"]
        return {
            "examples": self._split(split)["examples"],
            "targets_tokens": sum(shard["tokens"] for shard in shards),
            "targets_max_tokens": max(shard["max_tokens"] for shard in shards),
        }

    def _split(self, split: str) -> dict[str, Any]:
        return self._content["splits"][split]

    def _write(self) -> None:
        write_json(self._path, self._content)


def write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, as SeqIO does: keys sorted, two blanks of indentation."""
    with atomic.replace_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["splits"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.ArtefactError(f"{path} is damaged: use --overwrite to start over.") from error
    return content
