"""A file imports only from lower ranks or its own folder, and only its folder's third parties."""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILES = sorted((ROOT / "eiw").rglob("*.py")) + sorted((ROOT / "tasks").rglob("*.py"))

# Longest prefix wins. Ranks are those of the layout: a lower one never sees a higher one.
RANKS = {
    "eiw": 0,
    "eiw.coding": 1,
    "eiw.compressors": 2,
    "eiw.models": 2,
    "eiw.byte_lm_lanes": 3,
    "eiw.byte_lm": 3,
    "eiw.data": 3,
    "eiw.export": 3,
    "eiw.training": 4,
    "eiw.inference": 5,
    "eiw.demo": 6,
    "eiw.evaluation": 6,
    "eiw.analysis": 7,
    "eiw.tasks": 8,
    "eiw.gin_config": 8,
    "eiw.recipes": 8,
    "eiw.model_rows": 8,
    "eiw.pipeline": 8,
    "eiw.score_pipeline": 8,
    "eiw.task_pipeline": 8,
    "eiw.t5x": 9,
    "eiw.commands": 10,
    "eiw.main": 11,
}
JAX = {"jax", "flax", "numpy"}
THIRD_PARTIES = {
    "eiw": {"tqdm"},
    "eiw.coding": {"numpy", "numba"},
    "eiw.compressors": {"numpy", "numba", "sentencepiece"},
    "eiw.models": JAX,
    "eiw.byte_lm_lanes": JAX,
    "eiw.byte_lm": JAX,
    "eiw.data": {"numpy"},
    "eiw.data.cache_record": {"seqio"},
    "eiw.data.preprocessors": {"numpy", "seqio", "tensorflow"},
    "eiw.data.seqio_source": {"numpy", "seqio", "tensorflow"},
    "eiw.data.task_cache": {"numpy", "seqio", "tensorflow"},
    "eiw.data.task_metrics": {"numpy", "seqio"},
    "eiw.data.task_reader": {"numpy", "seqio"},
    "eiw.data.task_text": {"numpy", "seqio", "tensorflow"},
    "eiw.data.vocabularies": {"numpy", "seqio", "tensorflow"},
    "eiw.export": set(),
    # Copied beside what is exported, and run there.
    "eiw.export.tokenization_eiw": {"transformers"},
    "eiw.training": JAX | {"optax", "orbax", "tensorboardX"},
    "eiw.inference": JAX,
    "eiw.demo": {"numpy"},
    "eiw.demo.asked": {"flask", "werkzeug"},
    "eiw.demo.server": {"cheroot", "flask", "werkzeug"},
    "eiw.evaluation": JAX,
    "eiw.evaluation.rival_coders": {"constriction", "numpy"},
    "eiw.evaluation.rival_tokenizers": {
        *("pyrwkv_tokenizer", "sentencepiece", "tiktoken", "tokenizers")
    },
    "eiw.analysis": {"numpy", "scipy", "matplotlib"},
    "eiw.tasks": {"seqio"},
    "eiw.gin_config": {"gin"},
    "eiw.recipes": set(),
    "eiw.model_rows": set(),
    "eiw.pipeline": {"jax"},
    "eiw.score_pipeline": {"jax"},
    "eiw.task_pipeline": {"jax", "numpy"},
    "eiw.commands": JAX | {"absl"},
    "eiw.t5x": {"gin", "jax", "seqio", "t5x"},
    "eiw.main": {"absl"},
}
# The one upward edge: a saved compressor may carry an M1, which is resolved by name when loaded.
ALLOWED_UPWARD = {("eiw.coding.byte_model", "eiw.byte_lm")}


def module_name(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "tasks":
        parts = ("eiw", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def lookup(table: dict, module: str):
    while module not in table:
        module = module.rpartition(".")[0]
    return table[module]


def folder_of(module: str) -> str:
    return module if module in ("eiw", "eiw.tasks") else module.rpartition(".")[0]


def imported_modules(path: pathlib.Path) -> set[str]:
    """Full names of everything that `path` imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (ROOT / full.replace(".", "/")).with_suffix(".py").exists() or (
                    ROOT / full.replace(".", "/")
                ).is_dir()
                names.add(full if is_module else node.module)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "import_module"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            names.add(node.args[0].value)
    return names


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_down(path):
    module = module_name(path)
    for imported in imported_modules(path):
        top = imported.partition(".")[0]
        if top == "eiw":
            downward = lookup(RANKS, imported) < lookup(RANKS, module)
            # A package face imports from the folder that it is the face of.
            beside = folder_of(imported) in (folder_of(module), module)
            beside = beside or imported == folder_of(module)
            upward = (module, imported) in ALLOWED_UPWARD
            assert downward or beside or upward, f"{module} imports {imported}"
        elif top not in sys.stdlib_module_names:
            assert top in lookup(THIRD_PARTIES, module), f"{module} imports {imported}"


def test_gin_folder_is_no_package():
    # With an __init__.py, `import gin` from the repository's root would find the folder.
    assert not (ROOT / "gin" / "__init__.py").exists()


def test_no_module_is_called_utils():
    assert not [path for path in FILES if "util" in path.stem]
