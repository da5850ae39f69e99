"""One update of the parameters, compiled once."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax.linen import partitioning

from eiw.models import axes as model_axes
from eiw.models import decoder
from eiw.training import losses, sharding, state

Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]


def make_train_step(
    blueprint: state.Blueprint, *, z_loss: float = 1e-4, loss_chunk_tokens: int = 512
) -> Callable[[state.TrainState, Batch], tuple[state.TrainState, Metrics]]:
    """The jitted train step: state, batch -> state, metrics. It consumes the state it is given.

    The loss is the mean over tokens that count, z-loss included. The batch has
    `decoder_input_tokens`, `decoder_target_tokens` and `decoder_loss_weights`, each [B, T].

    Args:
      blueprint: network, optimizer and mesh.
      z_loss: coefficient of the z-loss.
      loss_chunk_tokens: tokens on each device whose logits exist at the same time.

    Returns:
      A function whose metrics are scalars that stay on the device until they are read: `nats`,
      `z_loss` and `weight` (sums over tokens) and `gradient_norm`.
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
        total, sums = losses.cross_entropy(
            hidden_BTD,
            decoder.Decoder.head_kernel(params),
            batch["decoder_target_tokens"],
            batch["decoder_loss_weights"],
            vocab_size=model.config.vocab_size,
            z_loss=z_loss,
            chunk_length=max(1, loss_chunk_tokens // rows),
        )
        # A batch of padding alone has no mean; its gradient is zero.
        return total / jnp.maximum(sums.weight, 1), sums

    def train_step(old: state.TrainState, batch: Batch) -> tuple[state.TrainState, Metrics]:
        with partitioning.axis_rules(model_axes.MESH_RULES):
            key = jax.random.fold_in(jax.random.wrap_key_data(old.key), old.step)
            gradients, sums = jax.grad(loss, has_aux=True)(old.params, batch, key)
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
