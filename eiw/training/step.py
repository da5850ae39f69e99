"""One update of the parameters, compiled once."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax.linen import partitioning

from eiw import errors
from eiw.models import axes as model_axes
from eiw.models import decoder
from eiw.training import losses, sharding, state

Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]


# Tokens whose activations the caches of a CPU hold.
_CPU_TOKENS = 512


def make_train_step(
    blueprint: state.Blueprint,
    *,
    z_loss: float = 1e-4,
    loss_chunk_logits: int = 2**25,
    microbatches: int | None = 1,
) -> Callable[[state.TrainState, Batch], tuple[state.TrainState, Metrics]]:
    """The jitted train step: state, batch -> state, metrics. It consumes the state it is given.

    The loss is the mean over tokens that count, z-loss included. The batch has
    `decoder_input_tokens`, `decoder_target_tokens` and `decoder_loss_weights`, each [B, T].

    Args:
      blueprint: network, optimizer and mesh.
      z_loss: coefficient of the z-loss.
      loss_chunk_logits: logits that a device holds at the same time, at least one position's.
      microbatches: parts of a batch whose gradients are added up one after the other, so that
        only one part's activations exist. None: as many as suit the device: on CPU, parts of 512
        tokens, which its caches hold; elsewhere one.

    Returns:
      A function whose metrics are scalars that stay on the device until they are read: `nats`,
      `z_loss` and `weight` (sums over tokens) and `gradient_norm`. It raises InputError where the
      microbatches do not divide the rows that a device has of a batch.
    """
    model = blueprint.model
    # The mesh cuts batches; what a chunk costs a device depends on its own rows only.
    batch_parts = blueprint.mesh.shape["data"] * blueprint.mesh.shape["fsdp"]

    def loss(params: dict, batch: Batch, key: jax.Array) -> tuple[jax.Array, losses.LossSums]:
        hidden_BTD = model.apply(
            {"params": params},
            batch["decoder_input_tokens"],
            batch["decoder_target_tokens"],
            enable_dropout=model.config.dropout_rate > 0,
            rngs={"dropout": key},
            method=decoder.Decoder.hidden,
        )
        rows = -(-hidden_BTD.shape[0] // batch_parts)
        chunk_length = loss_chunk_logits // (rows * model.config.padded_vocab_size)
        return losses.cross_entropy(
            hidden_BTD,
            decoder.Decoder.head_kernel(params),
            batch["decoder_target_tokens"],
            batch["decoder_loss_weights"],
            vocab_size=model.config.vocab_size,
            z_loss=z_loss,
            chunk_length=max(1, chunk_length),
        )

    def gradients_of(params: dict, batch: Batch, key: jax.Array) -> tuple[dict, losses.LossSums]:
        """Sums over all tokens of the batch."""
        rows, length = batch["decoder_target_tokens"].shape
        count = _num_microbatches(microbatches, rows, length, batch_parts)
        gradient = jax.grad(loss, has_aux=True)
        if count == 1:
            return gradient(params, batch, key)

        def add(sums: tuple, part: tuple) -> tuple[tuple, None]:
            return jax.tree.map(jnp.add, sums, gradient(params, *part)), None

        parts = (
            {name: _split(x, count) for name, x in batch.items()},
            jax.random.split(key, count),
        )
        zeros = jax.tree.map(
            lambda shaped: jnp.zeros(shaped.shape, shaped.dtype),
            jax.eval_shape(gradient, params, *jax.tree.map(lambda x: x[0], parts)),
        )
        return jax.lax.scan(add, zeros, parts)[0]

    def train_step(old: state.TrainState, batch: Batch) -> tuple[state.TrainState, Metrics]:
        with partitioning.axis_rules(model_axes.MESH_RULES):
            key = jax.random.fold_in(jax.random.wrap_key_data(old.key), old.step)
            gradients, sums = gradients_of(old.params, batch, key)
            # A batch of padding alone has no mean; its gradient is zero.
            weight = jnp.maximum(sums.weight, 1)
            gradients = jax.tree.map(lambda x: x / weight.astype(x.dtype), gradients)
            updates, optimizer = blueprint.transform.update(gradients, old.optimizer, old.params)
            new = old.replace(
                step=old.step + 1,
                params=optax.apply_updates(old.params, updates),
                optimizer=optimizer,
            )
        metrics = {**sums._asdict(), "gradient_norm": optax.tree.norm(gradients)}
        return new, metrics

    everywhere = jax.NamedSharding(blueprint.mesh, jax.P())
    return jax.jit(
        train_step,
        donate_argnums=0,
        in_shardings=(blueprint.shardings, sharding.batch_sharding(blueprint.mesh)),
        out_shardings=(blueprint.shardings, everywhere),
    )


def _num_microbatches(asked: int | None, rows: int, length: int, batch_parts: int) -> int:
    """Into how many parts of equal size a batch is cut.

    Raises:
      InputError: `asked` does not divide the rows of each device.
    """
    own_rows = max(1, rows // batch_parts)
    if asked is None:
        if jax.default_backend() != "cpu":
            return 1
        most = max(1, own_rows * length // _CPU_TOKENS)
        return max(n for n in range(1, most + 1) if own_rows % n == 0)
    if own_rows % asked:
        raise errors.InputError(
            f"{asked} microbatches do not divide the {own_rows} rows that a device has of a batch."
        )
    return asked


def _split(x_Br: jax.Array, count: int) -> jax.Array:
    """[B, ...] -> [count, B / count, ...]; each device's rows stay where they are."""
    x_Nbr = jnp.moveaxis(x_Br.reshape(-1, count, *x_Br.shape[1:]), 1, 0)
    return partitioning.with_sharding_constraint(x_Nbr, (None, "batch", "length"))
