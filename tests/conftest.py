"""Strictness for every test: two CPU devices, no silent dtype promotion, no silent broadcasting.

And the modules beside this file can be imported: here, and where a process is started from here.
"""

import os
import pathlib
import sys

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import jax

sys.path.insert(0, str(pathlib.Path(__file__).parent))

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compilation makes first examples slow; a deadline would only measure that.
hypothesis.settings.register_profile("eiw", deadline=None)
hypothesis.settings.load_profile("eiw")

# Few tests, but each starts processes or trains.
_LONG_FILES = (
    *("test_smoke.py", "test_steps.py", "test_lazy_windows.py", "test_train_on_task.py"),
    *("test_task_cache.py", "test_hosts.py"),
)


def pytest_collection_modifyitems(items):
    """Long files first: at the end, one of them would keep one process busy and the others idle."""
    items.sort(key=lambda item: item.path.name not in _LONG_FILES)
