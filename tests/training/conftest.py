"""What the trainer's tests share: the module `tiny_run`, and compiled programs."""

import pathlib
import sys

import jax
import pytest

# Importable here and in the processes that tests start.
sys.path.insert(0, str(pathlib.Path(__file__).parent))


@pytest.fixture(autouse=True, scope="package")
def compilation_cache(tmp_path_factory):
    """Each `train` jits anew; the same program is compiled once for all tests of this folder."""
    folder = str(tmp_path_factory.mktemp("compiled"))
    settings = {
        "jax_compilation_cache_dir": folder,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, setting in settings.items():
        jax.config.update(name, setting)
    yield
    for name, setting in before.items():
        jax.config.update(name, setting)
