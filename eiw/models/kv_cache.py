"""Keys and values of the tokens read so far, one cache a layer.

Token number n of a row is kept in slot n % S of S slots, so a row longer than the cache rolls on
and reads its last S tokens. Keys lie as [B, H, K, S] and values as [B, H, S, K]: in both products
of attention the axis that is not summed over is the last, and a CPU's vector units run along it.

Leaves (T5X's decoding relies on the first two points): `cache_index` is the number of tokens read,
a scalar, or [B] after a prefill; the batch is axis 0 of all others; scanning over layers prepends
an axis to every leaf.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

# Which axis of a leaf (unrolled layers) counts the slots.
SLOT_AXES = {"cached_key": 3, "cached_value": 2}


class KVCache:
    """The cache of the attention module that makes it, inside that module's call.

    Attributes:
      allocated: whether the cache existed before this call. The call that allocates it must not
        write to it: T5X allocates with a call on full-length dummy tokens.
    """

    def __init__(
        self, module: nn.Module, batch: int, slots: int, heads: int, head_dim: int, dtype: str
    ) -> None:
        """Finds the cache in `module`'s variables, or makes an empty one of the given shape."""
        self.allocated = module.has_variable("cache", "cached_key")
        self._key = module.variable(
            "cache", "cached_key", jnp.zeros, (batch, heads, head_dim, slots), dtype
        )
        self._value = module.variable(
            "cache", "cached_value", jnp.zeros, (batch, heads, slots, head_dim), dtype
        )
        self._index = module.variable("cache", "cache_index", jnp.zeros, (), jnp.int32)

    def append(self, key_BHK: jax.Array, value_BHK: jax.Array) -> tuple[jax.Array, ...]:
        """Writes one token a row.

        Returns:
          key_BHKS and value_BHSK with the token in them; distance_BS: int32, how many tokens
          before this one each slot's token stands; filled_BS: bool, whether it holds a token. The
          first axis of the last two is 1 while all rows stand at the same position.
        """
        index = self._index.value
        slots = self._key.value.shape[-1]
        key_BHK1, value_BH1K = key_BHK[..., None], value_BHK[:, :, None]
        if index.shape == (1,):
            # Written without the axis of rows: else XLA's CPU, which drops axes of one from matrix
            # products, writes the token twice, for them and for the next step, into copies.
            write = jax.lax.dynamic_update_slice_in_dim
            slot = index[0] % slots
            self._key.value = write(self._key.value[0], key_BHK1[0], slot, axis=2)[None]
            self._value.value = write(self._value.value[0], value_BH1K[0], slot, axis=1)[None]
        elif index.ndim == 0:
            write_key = jax.lax.dynamic_update_slice_in_dim
            slot = index % slots
            self._key.value = write_key(self._key.value, key_BHK1, slot, axis=3)
            self._value.value = write_key(self._value.value, value_BH1K, slot, axis=2)
        else:
            write = jax.vmap(jax.lax.dynamic_update_slice_in_dim, in_axes=(0, 0, 0, None))
            slot_B = index % slots
            self._key.value = write(self._key.value, key_BHK1, slot_B, 2)
            self._value.value = write(self._value.value, value_BH1K, slot_B, 1)
        self._index.value = index + 1

        index_B1 = index.reshape(-1, 1)
        # Modulo S this is right for a rolling cache; in one that has not rolled yet, slots ahead
        # of the token come out as distances beyond the row's beginning, that is: not filled.
        distance_BS = (index_B1 - jnp.arange(slots, dtype=jnp.int32)[None]) % slots
        filled_BS = distance_BS <= index_B1
        return self._key.value, self._value.value, distance_BS, filled_BS

    def fill(self, key_BTHK: jax.Array, value_BTHK: jax.Array, lengths_B: jax.Array | None) -> None:
        """Takes the first `lengths_B` of T tokens (None: all T) as the rows read so far.

        What lies beyond a row's length is written too, but not filled: the next tokens replace it.

        Raises:
          ValueError: more tokens than slots.
        """
        batch, length = key_BTHK.shape[:2]
        slots = self._key.value.shape[-1]
        if length > slots:
            raise ValueError(f"A prefill of {length} tokens does not fit {slots} cache slots.")
        if lengths_B is None:
            lengths_B = jnp.full((batch,), length)
        tail = (0, slots - length)
        key_BHKT = key_BTHK.transpose(0, 2, 3, 1)
        value_BHTK = value_BTHK.transpose(0, 2, 1, 3)
        self._key.value = jnp.pad(key_BHKT, ((0, 0), (0, 0), (0, 0), tail))
        self._value.value = jnp.pad(value_BHTK, ((0, 0), (0, 0), tail, (0, 0)))
        self._index.value = lengths_B.astype(jnp.int32)
