"""Packaging of eiw.

Two folders of the top level are installed inside the package, so that nothing generic lands in
site-packages: `tasks/` as `eiw.tasks` and `gin/` as the data folder `eiw/gin`.
"""

import pathlib

import setuptools

BASE = [
    "absl-py",
    "flax>=0.12",
    "gin-config>=0.5",
    "jax>=0.10",
    "matplotlib",
    "numba>=0.61",
    "numpy>=2",
    "optax",
    "orbax-checkpoint>=0.11",
    "scipy",
    "sentencepiece",
    "tensorboardX",  # writes TensorBoard's files without importing TensorFlow
    "tqdm",
]
# SeqIO tasks, vocabularies inside tf.data, and the T5X path.
SEQIO = ["seqio>=0.0.20", "tensorflow", "tensorflow-datasets", "tensorflow-text"]
# SeqIO's own caching on clusters. Beam pulls protobuf below 7, where sentencepiece 0.2.3 fails to
# import; SeqIO reads checksums that Beam writes with google-crc32c, and does not ask for it.
BEAM = [*SEQIO, "apache-beam>=2.65", "google-crc32c", "sentencepiece==0.2.1"]
# What T5X imports beyond that. T5X itself is not on PyPI: eiw/t5x.py.
T5X = [
    *SEQIO,
    *("cached-property", "chex", "fiddle", "jaxtyping", "jestimator", "tensorboard"),
]
# Who reads exported dictionaries. Writing them needs neither.
EXPORT = ["pyrwkv-tokenizer", "transformers>=5"]
# `eiw demo`: Flask takes requests apart; cheroot serves them in threads, as models take seconds,
# with limits of size and time, and writes a line of a stream when it is there (waitress collects).
DEMO = ["cheroot>=10", "flask>=3.1"]
# Others to measure against: `eiw benchmark`.
BENCH = [
    "constriction",  # entropy coders
    "pyrwkv-tokenizer",  # longest match, the fastest tokenizer on PyPI that was found
    "tiktoken",  # byte pairs, as GPT's
    "tokenizers",  # byte pairs, as in transformers; what it trains tiktoken runs too
]
# JAX for accelerators; launch/gpu.sh and launch/tpu_pod.sh install them.
CUDA = ["jax[cuda12]>=0.10"]
TPU = ["jax[tpu]>=0.10"]
TEST = [*SEQIO, *EXPORT, *DEMO, "hypothesis", "pytest", "pytest-xdist", "ruff"]

setuptools.setup(
    name="eiw",
    version="0.1.0",
    description="Equal-Info Windows: language models over neurally compressed text",
    long_description=(pathlib.Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # tensorflow-text has no wheel for Python 3.14 yet.
    python_requires=">=3.11,<3.14",
    packages=[*setuptools.find_packages(include=["eiw", "eiw.*"]), "eiw.tasks", "eiw.gin"],
    package_dir={"eiw.tasks": "tasks", "eiw.gin": "gin"},
    package_data={
        "eiw.gin": ["*.gin", "*/*.gin"],
        "eiw.analysis": ["*.csv"],
        "eiw.demo": ["static/*"],
    },
    install_requires=BASE,
    extras_require={
        "beam": BEAM,
        "bench": BENCH,
        "cuda": CUDA,
        "demo": DEMO,
        "export": EXPORT,
        "seqio": SEQIO,
        "t5x": T5X,
        "tpu": TPU,
        "test": TEST,
    },
    entry_points={"console_scripts": ["eiw=eiw.main:main"]},
)
