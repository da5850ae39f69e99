"""Checkpoints: what comes back is what was saved, and what is damaged is said to be."""

import errno
import json
import logging
import resource
import shutil

import jax
import numpy as np
import optax
import pytest
import tiny_run

from eiw import cpus, errors
from eiw.training import checkpoint, optimizer, sharding, state

ADAFACTOR = optimizer.Adafactor()


def blueprint_of(factory=ADAFACTOR, **changes):
    return state.blueprint(tiny_run.tiny_model(**changes), factory, sharding.make_mesh({"data": 1}))


@pytest.fixture(scope="module")
def blueprint():
    return blueprint_of()


def random_state(blueprint, step):
    rng = np.random.default_rng(step)

    def leaf(shaped):
        values = rng.normal(size=shaped.shape) * 100
        return jax.device_put(values.astype(shaped.dtype), shaped.sharding)

    filled = jax.tree.map(leaf, blueprint.shapes)
    return filled.replace(step=jax.device_put(np.int32(step), blueprint.shapes.step.sharding))


@pytest.fixture(scope="module")
def saved(blueprint, tmp_path_factory):
    """A run with checkpoints of steps 1, 2, 3, and their states."""
    run_dir = tmp_path_factory.mktemp("saved")
    states = {step: random_state(blueprint, step) for step in (1, 2, 3)}
    for step, current in states.items():
        checkpoint.save(run_dir, current, blueprint.model.config, {"data": step}, keep=5)
    return run_dir, states


@pytest.fixture
def run(saved, tmp_path):
    """A copy that a test may damage."""
    run_dir, states = saved
    shutil.copytree(run_dir, tmp_path / "run")
    return tmp_path / "run", states


@pytest.mark.parametrize("part", ["params", "training"])
def test_a_full_disk_is_named_and_the_older_checkpoints_stay(run, blueprint, monkeypatch, part):
    run_dir, states = run
    write = checkpoint.ocp.StandardCheckpointer.save

    def fill_up(checkpointer, folder, tree):
        if folder.name == part:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder / "d"))
        write(checkpointer, folder, tree)

    monkeypatch.setattr(checkpoint.ocp.StandardCheckpointer, "save", fill_up)
    with pytest.raises(errors.InputError, match=r"The disk is full: no room for .*step_00000004"):
        checkpoint.save(run_dir, random_state(blueprint, 4), blueprint.model.config, {"data": 4})
    assert checkpoint.steps(run_dir) == [1, 2, 3]
    assert not list((run_dir / "checkpoints").glob("*.tmp*"))
    restored, _ = checkpoint.restore(run_dir, blueprint)
    assert_equal(restored, states[3])


# Below Orbax, tasks of a closed event loop go on failing.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_orbax_says_of_a_disk_is_one_line(run, blueprint, caplog):
    run_dir, states = run
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As a full disk does, it fails writing, deep inside of Orbax.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(errors.InputError, match=r"step_00000004.* cannot be written.*large"):
            checkpoint.save(run_dir, random_state(blueprint, 4), blueprint.model.config, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not caplog.records
    assert_equal(checkpoint.restore(run_dir, blueprint)[0], states[3])


def newest_array_file(run_dir, part="training"):
    folder = run_dir / "checkpoints" / "step_00000003" / part
    return max(folder.rglob("d/*"), key=lambda path: path.stat().st_size)


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(a), jax.device_get(b))


def test_restored_leaves_equal_the_saved_ones(saved, blueprint):
    run_dir, states = saved
    restored, host = checkpoint.restore(run_dir, blueprint)
    assert_equal(restored, states[3])
    assert host == {"data": 3}
    shardings = jax.tree.map(lambda leaf: leaf.sharding, restored)
    assert jax.tree.leaves(shardings) == jax.tree.leaves(blueprint.shardings)


def test_a_model_loads_without_its_trainer(saved):
    run_dir, states = saved
    model, params, step = checkpoint.load_model(run_dir)
    assert_equal(params, states[3].params)
    assert (model, step) == (tiny_run.tiny_model(), 3)


def test_a_checkpoint_moves_to_another_mesh(saved):
    run_dir, states = saved
    mesh = sharding.make_mesh({"data": 1, "fsdp": 2})
    other = state.blueprint(tiny_run.tiny_model(), optimizer.Adafactor(), mesh)
    restored, _ = checkpoint.restore(run_dir, other)
    assert_equal(restored, states[3])
    assert restored.params["embedding"].sharding == other.shardings.params["embedding"]


def test_nothing_to_restore(tmp_path, blueprint):
    assert checkpoint.restore(tmp_path, blueprint) is None
    with pytest.raises(errors.ArtefactError, match="holds no checkpoint"):
        checkpoint.load_model(tmp_path)


def truncate(run_dir):
    path = newest_array_file(run_dir)
    path.write_bytes(path.read_bytes()[:-1])
    return path, "truncated or altered"


def alter(run_dir):
    path = newest_array_file(run_dir)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path, "is altered"


def remove(run_dir):
    path = newest_array_file(run_dir, "params")
    path.unlink()
    return path, "is missing"


def remove_manifest(run_dir):
    path = run_dir / "checkpoints" / "step_00000003" / "manifest.json"
    path.unlink()
    return path, "is missing"


def tear_manifest(run_dir):
    path = run_dir / "checkpoints" / "step_00000003" / "manifest.json"
    path.write_text(path.read_text()[:-20])
    return path, "it is no JSON"


def alter_state(run_dir):
    path = run_dir / "checkpoints" / "step_00000003" / "state.json"
    path.write_text(path.read_text().replace('"data": 3', '"data": 4'))
    return path, "is altered"


DAMAGES = [truncate, alter, remove, remove_manifest, tear_manifest, alter_state]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_loads(run, blueprint, caplog, damage):
    run_dir, states = run
    path, what = damage(run_dir)
    with caplog.at_level(logging.WARNING):
        restored, host = checkpoint.restore(run_dir, blueprint)
    assert_equal(restored, states[2])
    assert host == {"data": 2}
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    assert what in record.getMessage()
    assert "\n" not in record.getMessage()


def test_when_all_are_damaged_it_says_so(run, blueprint):
    run_dir, _ = run
    for step in (1, 2, 3):
        (run_dir / "checkpoints" / f"step_{step:08d}" / "state.json").unlink()
    with pytest.raises(errors.ArtefactError, match=r"No checkpoint of .* is whole"):
        checkpoint.restore(run_dir, blueprint)
    with pytest.raises(errors.ArtefactError, match=r"No checkpoint of .* is whole"):
        checkpoint.load_model(run_dir)


def test_saving_removes_old_and_abandoned_checkpoints(run, blueprint):
    run_dir, states = run
    stale = run_dir / "checkpoints" / "step_00000009.tmp-1"
    stale.mkdir()
    again = random_state(blueprint, 2)
    checkpoint.save(run_dir, again, blueprint.model.config, {"data": 22}, keep=1)
    assert checkpoint.steps(run_dir) == [2]  # 1 is old; 3 is later than where training stands
    assert not stale.exists()
    restored, host = checkpoint.restore(run_dir, blueprint)
    assert_equal(restored, states[2])
    assert host == {"data": 22}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embed_dim": 64}, "its embed_dim is 32, yours is 64"),
        ({"vocab_size": 300}, "its vocab_size is 259, yours is 300"),
        ({"scan_layers": False}, "its scan_layers is True, yours is False"),
        ({"factory": lambda axes: optax.sgd(0.1)}, "another network or optimizer: .*optimizer"),
    ],
    ids=["width", "vocabulary", "scan", "optimizer"],
)
def test_a_checkpoint_of_another_network_is_refused(saved, changes, message):
    run_dir, _ = saved
    with pytest.raises(errors.ArtefactError, match=message):
        checkpoint.restore(run_dir, blueprint_of(**changes))


def test_how_a_network_is_computed_may_change(saved):
    run_dir, states = saved
    other = blueprint_of(dtype="bfloat16", remat="full", dropout_rate=0.1)
    restored, _ = checkpoint.restore(run_dir, other)
    assert_equal(restored, states[3])


def test_another_number_of_cpus_is_said(saved, blueprint, caplog, monkeypatch):
    monkeypatch.setattr(cpus, "visible", lambda: 999)
    with caplog.at_level(logging.WARNING):
        checkpoint.restore(saved[0], blueprint)
    assert "this process sees 999" in caplog.text


def test_a_folder_that_cannot_be_written(tmp_path, blueprint):
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(errors.InputError, match="a file stands in the way"):
        checkpoint.save(tmp_path, random_state(blueprint, 1), blueprint.model.config, {})


def test_another_format_version_is_refused(run, blueprint, monkeypatch, caplog):
    monkeypatch.setattr(checkpoint, "_FORMAT_VERSION", 2)
    with pytest.raises(errors.ArtefactError, match="is whole"):
        checkpoint.restore(run[0], blueprint)
    assert "has format version 1, this eiw reads 2" in caplog.text


def test_state_json_tells_people_what_it_is(saved):
    content = json.loads((saved[0] / "checkpoints" / "step_00000002" / "state.json").read_text())
    assert content["step"] == 2
    assert content["leaves"][".params['embedding']"] == [384, 32, "float32"]
