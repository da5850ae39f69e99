"""Conversion to T5X's checkpoints and back; tests/test_t5x.py loads them with T5X itself."""

import jax
import numpy as np
import pytest
from orbax import checkpoint as ocp

from eiw import errors
from eiw.models import config, decoder
from eiw.training import checkpoint, optimizer, sharding, state, t5x_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Sharding info not provided")
# Attention is square, so only the names of its axes tell rows from columns.
SHAPE = config.DecoderConfig(
    vocab_size=259, embed_dim=128, num_heads=2, num_layers=2, mlp_dim=256, size="two layers"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one checkpoint, whose moments are all different numbers; and that state."""
    folder = tmp_path_factory.mktemp("run")
    blueprint = state.blueprint(
        decoder.Decoder(SHAPE), optimizer.Adafactor(), sharding.make_mesh({"data": 1})
    )
    generator = np.random.default_rng(0)
    train_state = jax.tree.map(
        lambda shaped: jax.device_put(generator.random(shaped.shape).astype(shaped.dtype)),
        blueprint.shapes,
    )
    step = np.asarray(1234, np.int32)
    train_state = train_state.replace(
        step=step, optimizer=train_state.optimizer._replace(count=step)
    )
    checkpoint.save(folder, jax.device_put(train_state), SHAPE, {})
    return folder, train_state, blueprint


def test_there_and_back(run, tmp_path):
    folder, train_state, blueprint = run
    written = t5x_checkpoint.to_t5x(folder, tmp_path / "t5x")
    assert written == tmp_path / "t5x" / "checkpoint_1234"
    assert t5x_checkpoint.from_t5x(written, tmp_path / "back", blueprint.model) == 1234
    back, host = checkpoint.restore(tmp_path / "back", blueprint)
    assert host == {} and int(back.step) == 1234
    jax.tree.map(np.testing.assert_array_equal, back.params, train_state.params)
    jax.tree.map(np.testing.assert_array_equal, back.optimizer, train_state.optimizer)


def test_moments_have_t5xs_names(run, tmp_path):
    folder, train_state, _ = run
    written = t5x_checkpoint.to_t5x(folder, tmp_path)
    with ocp.PyTreeCheckpointer() as reader:
        tree = reader.restore(written / "state")
    ours = train_state.optimizer.moments["layers"]
    theirs = tree["state"]["param_states"]["layers"]
    # The rows are those of "embed", wherever it stands: [layers, joined_kv, embed] in `out`.
    for name, row in (("query", "row"), ("out", "column")):
        column = {"row": "column", "column": "row"}[row]
        moments, converted = (side["attention"][name]["kernel"] for side in (ours, theirs))
        np.testing.assert_array_equal(converted["v_row"], moments[row])
        np.testing.assert_array_equal(converted["v_col"], moments[column])
        assert converted["v"].shape == converted["m"].shape == (1,)
    norm = theirs["mlp_norm"]["scale"]
    np.testing.assert_array_equal(norm["v"], ours["mlp_norm"]["scale"]["full"])
    assert tree["state"]["step"] == 1234


def test_what_cannot_be_converted_is_one_line(run, tmp_path):
    folder, _, blueprint = run
    with pytest.raises(errors.ArtefactError, match="no checkpoint"):
        t5x_checkpoint.to_t5x(tmp_path, tmp_path / "t5x")
    with pytest.raises(errors.ArtefactError, match="holds no checkpoint of T5X"):
        t5x_checkpoint.from_t5x(tmp_path / "none", tmp_path / "new", blueprint.model)
    written = t5x_checkpoint.to_t5x(folder, tmp_path / "t5x")
    with pytest.raises(errors.InputError, match="is there already"):
        t5x_checkpoint.to_t5x(folder, tmp_path / "t5x")
    with pytest.raises(errors.InputError, match="has checkpoints already"):
        t5x_checkpoint.from_t5x(written, folder, blueprint.model)
    other = decoder.Decoder(config.DecoderConfig(**{**SHAPE.to_dict(), "mlp_dim": 512}))
    with pytest.raises(errors.ArtefactError, match=r"mlp/wi_0/kernel is \(2, 128, 256\) there"):
        t5x_checkpoint.from_t5x(written, tmp_path / "new", other)
