"""What the demo shows of a run of `eiw smoke`: its compressors, their M1, and the M2s."""

import functools
import os
import pathlib
from collections.abc import Collection, Sequence

from eiw import compressors, errors
from eiw.coding import array_folder, byte_model
from eiw.compressors import artefact
from eiw.inference import generator, ways_on
from eiw.training import checkpoint


class Method:
    """A compressor of a run, and its M2 where one was trained.

    Attributes:
      name: its folder's.
      compressor: opened.
      model: the M1 that decided its codes; None where there was none, or the run lacks it.
      has_m2: whether there is a checkpoint to go on with.
      takes_prompts: whether M2 can go on with a text, rather than only begin one.
    """

    def __init__(
        self,
        name: str,
        compressor: compressors.Compressor,
        model: byte_model.ByteModel | None,
        m2_folder: pathlib.Path,
        compressor_folder: pathlib.Path,
        allow_mismatch: Collection[str],
    ) -> None:
        self.name, self.compressor, self.model = name, compressor, model
        self.has_m2 = bool(checkpoint.steps(m2_folder))
        self.takes_prompts = ways_on.takes_prompts(compressor)
        self._load = functools.partial(
            generator.Generator.load, m2_folder, compressor_folder, allow_mismatch=allow_mismatch
        )

    @functools.cached_property
    def generator(self) -> generator.Generator:
        """M2, loaded when it is first asked for.

        Raises:
          ArtefactError: there is none, or it belongs to another compressor.
        """
        return self._load()


class RunFolder:
    """A run, opened for the demo.

    Args:
      folder: with compressors/NAME, and m2/NAME and m1 where they were trained.
      allow_mismatch: see `compressors.load`.

    Attributes:
      name: the folder's.
      methods: by name, Equal-Info Windows first.
      left_out: why, by the name of a compressor that cannot be opened here, such as AC where M1
        would compute other integers than where the run was made.

    Raises:
      ArtefactError: there is no compressor that can be opened.
    """

    def __init__(self, folder: str | os.PathLike, allow_mismatch: Collection[str] = ()) -> None:
        folder = pathlib.Path(folder)
        self.name = folder.resolve().name
        self.left_out: dict[str, str] = {}
        opened = {}
        for header in sorted(folder.glob(f"compressors/*/{artefact.HEADER_NAME}")):
            path = header.parent
            try:
                opened[path] = compressors.load(path, allow_mismatch=allow_mismatch)
            except errors.ArtefactError as error:
                self.left_out[path.name] = str(error)
        if not opened:
            reason = next(iter(self.left_out.values()), "give the folder of a run of `eiw smoke`.")
            raise errors.ArtefactError(f"{folder} holds no compressors/NAME to show: {reason}")
        carried = [path / artefact.BYTE_MODEL for path, each in opened.items() if each.carries_m1]
        models = _byte_models([folder / "m1", *carried])
        self.methods = {
            path.name: Method(
                path.name,
                compressor,
                models.get(compressor.m1_fingerprint),
                folder / "m2" / path.name,
                path,
                allow_mismatch,
            )
            for path, compressor in sorted(opened.items(), key=lambda item: not item[1].window_bits)
        }


def _byte_models(folders: Sequence[pathlib.Path]) -> dict[str, byte_model.ByteModel]:
    """Those of the folders that are there, by fingerprint."""
    models = {}
    for folder in folders:
        if (folder / byte_model.HEADER_NAME).exists():
            fingerprint = array_folder.read_header(folder, byte_model.HEADER_NAME)["fingerprint"]
            if fingerprint not in models:
                models[fingerprint] = byte_model.load_byte_model(folder)
    return models
