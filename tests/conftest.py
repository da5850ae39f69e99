"""Strictness for every test: two CPU devices, no silent dtype promotion, no silent broadcasting."""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compilation makes first examples slow; a deadline would only measure that.
hypothesis.settings.register_profile("eiw", deadline=None)
hypothesis.settings.load_profile("eiw")
