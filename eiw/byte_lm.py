"""A trained M1 as a byte model: the only place where a float becomes an integer.

Floating-point sums depend on the shapes that a program is compiled for: with another number of
rows or slots, or a parallel pass over whole texts, some of a softmax's last bits differ, some
integers of the CDFs with them, and a decoder then reads rubbish. So M1 runs through ONE program:
one symbol for each of a fixed number of rows, over a cache of a fixed number of slots, each row at
a position of its own. Fewer rows are filled up with dummies, more are run in turns, and a row's
integers are a pure function of its prefix. They are those of this machine and this XLA: another
device may round otherwise, which is why dictionaries are compiled once and shipped, and why M1
itself is not asked where one is.

A prefix longer than the cache rolls on: each layer reads the last `context` symbols.
"""

import dataclasses
import functools
import hashlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from eiw import atomic, byte_lm_lanes, errors, vocab
from eiw.coding import array_folder, byte_model, cdf
from eiw.models import decode_step, decoder, flops, host_cache, layer_stacking
from eiw.models.config import DecoderConfig
from eiw.models.decode_step import Cache

# Rows that one run of the program takes, and slots of its cache; the matrix products of a small M1
# gain little from more rows.
ROWS = 64
CONTEXT = 64

_FORMAT_VERSION = 1
# Symbols that each row reads to tell one backend from another. Where one of them differs at all, it
# is in about every hundredth row.
_DIGEST_STEPS = 8
_VOCAB_SIZE = vocab.NUM_SPECIAL_IDS + vocab.NUM_BYTES


@dataclasses.dataclass
class _State:
    """Prefixes of one length.

    Attributes:
      rows: how many; dummies are not counted.
      length: tokens that the cache has seen, the one that begins every text included.
      cache: at most as many rows as the program has: its cache on the device (`decode_step`),
        filled up with dummies. More: exactly these rows on the host (`host_cache`).
    """

    rows: int
    length: int
    cache: Cache


class ByteLM:
    """A `ByteModel` over bytes and EOS that a decoder computes.

    Args:
      params: of `Decoder(config)`, scanned or unrolled, any float dtype; float32 is what runs.
      config: the decoder's shape, over 259 ids: three special ones, then the bytes.
      rows: fixed number of rows of the program.
      context: fixed number of slots of its cache, in symbols. Both decide the integers, so the
        fingerprint covers them.

    Attributes:
      kernel_params: parameters in the kernels of attention and feed-forward.
      flops: operations a symbol in all products, by `flops.exact_flops_per_token`.

    Raises:
      InputError: a vocabulary other than bytes, parameters that are not finite, no rows or slots.
      ValueError: parameters that are not those of `config`.
    """

    kind = "transformer"
    alphabet_size = vocab.ALPHABET_SIZE
    precision = cdf.PRECISION

    def __init__(
        self, params: dict, config: DecoderConfig, *, rows: int = ROWS, context: int = CONTEXT
    ) -> None:
        if rows < 1 or context < 1:
            raise errors.InputError(f"rows={rows} and context={context} must be at least 1.")
        # How it was trained does not matter here: one form, whatever the trainer's was.
        config = dataclasses.replace(
            config, dtype="float32", dropout_rate=0.0, scan_layers=False, remat="none"
        )
        self._model = decoder.Decoder(config)
        self.kernel_params = config.kernel_params()
        self.flops = flops.exact_flops_per_token(config, context).total
        arrays = _checked(params, self._model)
        self._contents = array_folder.Contents(
            self.kind,
            _FORMAT_VERSION,
            {
                "decoder": config.to_dict(),
                "rows": rows,
                "context": context,
                "precision": self.precision,
            },
            arrays,
        )
        self.fingerprint = self._contents.fingerprint
        self._rows, self._context = rows, context

    @classmethod
    def load(
        cls, folder: pathlib.Path, *, rows: int | None = None, context: int | None = None
    ) -> "ByteLM":
        """Reads what `export` or `save` wrote.

        Args:
          folder: with `config.json`.
          rows: instead of what the folder says; as `context` it makes another fingerprint.
          context: instead of what the folder says.

        Raises:
          ArtefactError: something is missing, truncated, altered, or of another kind or version.
        """
        folder = pathlib.Path(folder)
        contents = array_folder.read_contents(folder, byte_model.HEADER_NAME, _FORMAT_VERSION)
        if contents.kind != cls.kind:
            raise errors.ArtefactError(
                f"{folder} holds a byte model of kind {contents.kind!r}, not an exported M1."
            )
        return cls(
            traverse_util.unflatten_dict(contents.arrays, sep="/"),
            DecoderConfig.from_dict(contents.config["decoder"]),
            rows=contents.config["rows"] if rows is None else rows,
            context=contents.config["context"] if context is None else context,
        )

    def save(self, folder: pathlib.Path) -> None:
        """Writes the model into a folder that exists."""
        array_folder.write_contents(folder, byte_model.HEADER_NAME, self._contents)

    @functools.cached_property
    def backend(self) -> str:
        """Where the program runs, and a digest of integers that it gave: see `ByteModel`.

        Names do not tell two CPUs apart that sum in another order; the digest does.
        """
        digest = hashlib.sha256()
        rows = np.arange(self._rows)
        state, _ = self.start(self._rows)
        for step in range(_DIGEST_STEPS):
            state, cdfs = self.advance(state, (rows * rows + 31 * step) % self.alphabet_size)
            digest.update(cdfs.astype("<u4").tobytes())
        device = jax.devices()[0].device_kind
        return f"{device}, jax {jax.__version__}, integers {digest.hexdigest()[:16]}"

    def start(self, rows: int) -> tuple[_State, np.ndarray]:
        """The state of `rows` empty prefixes and their CDFs, uint32[rows, 258]."""
        first, cdfs = self._first
        return self.take(first, np.zeros(rows, np.int64)), np.repeat(cdfs, rows, axis=0)

    def advance(self, state: _State, symbols: np.ndarray) -> tuple[_State, np.ndarray]:
        """Appends a symbol to each row; consumes `state`.

        Args:
          state: of `rows` prefixes.
          symbols: int[rows], bytes or `EOS_SYMBOL`. After EOS a row goes on like after any other
            symbol; whoever wants an empty prefix takes a row of a fresh start.

        Returns:
          The new state, and the CDFs of the next symbols, uint32[rows, 258].

        Raises:
          ValueError: another number of symbols than rows, or one outside the alphabet.
        """
        symbols = np.asarray(symbols)
        if symbols.shape != (state.rows,):
            raise ValueError(f"{state.rows} rows take as many symbols, not {symbols.shape}.")
        tokens = self._tokens(symbols)
        if state.rows <= self._rows:
            return self._run(state, tokens)
        return self._run_in_turns(state, tokens)

    def take(self, state: _State, rows: np.ndarray) -> _State:
        """The given rows of `state`, int[n] with repeats; `state` stays good.

        Raises:
          IndexError: a row that `state` does not have.
        """
        rows = np.asarray(rows, np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= state.rows):
            raise IndexError(f"A row is outside 0..{state.rows - 1}.")
        if len(rows) <= self._rows:
            filled = np.zeros(self._rows, np.int64)
            filled[: len(rows)] = rows
            if state.rows <= self._rows:
                cache = decode_step.take(state.cache, filled)
            else:
                part = {path: leaf[filled] for path, leaf in state.cache.items()}
                cache = host_cache.to_device(self._empty_cache(), part)
        else:
            wide = state.cache
            if state.rows <= self._rows:
                wide = host_cache.from_device(wide, state.length)
            cache = {path: leaf[rows] for path, leaf in wide.items()}
        return _State(len(rows), state.length, cache)

    def open_lanes(self, count: int) -> byte_lm_lanes.NetworkLanes:
        """See `lanes.open_lanes`: the same program on the same integers, rows in any order."""
        return byte_lm_lanes.NetworkLanes(
            count,
            self._rows,
            self._context,
            functools.partial(_step, self._model, self._params),
            self._empty_cache,
            self._first[0].cache,
            self._tokens,
        )

    @functools.cached_property
    def _params(self) -> dict:
        return jax.device_put(traverse_util.unflatten_dict(self._contents.arrays, sep="/"))

    @functools.cached_property
    def _first(self) -> tuple[_State, np.ndarray]:
        """One empty prefix: what every start is a copy of."""
        state = _State(1, 0, self._empty_cache())
        return self._run(state, np.array([vocab.PAD_ID], np.int32))

    def _empty_cache(self) -> Cache:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), self._cache_shapes)

    @functools.cached_property
    def _cache_shapes(self) -> Cache:
        def allocate(params: dict, tokens: jax.Array) -> Cache:
            run = functools.partial(self._model.apply, decode=True, mutable=["cache"])
            _, variables = run({"params": params}, tokens, tokens)
            return decode_step.kept(traverse_util.flatten_dict(variables["cache"]))

        tokens = jax.ShapeDtypeStruct((self._rows, self._context), jnp.int32)
        return jax.eval_shape(allocate, self._params, tokens)

    def _tokens(self, symbols: np.ndarray) -> np.ndarray:
        if symbols.size and (symbols.min() < 0 or symbols.max() >= self.alphabet_size):
            raise ValueError(f"A symbol is outside 0..{self.alphabet_size - 1}.")
        return np.where(
            symbols == vocab.EOS_SYMBOL, vocab.EOS_ID, symbols + vocab.NUM_SPECIAL_IDS
        ).astype(np.int32)

    def _run(self, state: _State, tokens: np.ndarray) -> tuple[_State, np.ndarray]:
        """One turn of the program: at most its number of rows."""
        filled = np.full(self._rows, vocab.PAD_ID, np.int32)
        filled[: len(tokens)] = tokens
        lengths = np.full(self._rows, state.length, np.int32)
        cache, cdfs = _step(self._model, self._params, state.cache, lengths, filled)
        return _State(state.rows, state.length + 1, cache), np.asarray(cdfs)[: state.rows]

    def _run_in_turns(self, state: _State, tokens: np.ndarray) -> tuple[_State, np.ndarray]:
        """Turn after turn of rows that lie on the host, through one cache on the device."""
        cdfs = np.empty((state.rows, self.alphabet_size + 1), np.uint32)
        new: Cache = {}
        device_cache = self._empty_cache()
        for begin in range(0, state.rows, self._rows):
            end = min(begin + self._rows, state.rows)
            # The last turn repeats its last row. Slots beyond those written keep what an earlier
            # turn left there: they weigh exactly zero.
            numbers = np.minimum(np.arange(begin, begin + self._rows), end - 1)
            part = {path: leaf[numbers] for path, leaf in state.cache.items()}
            turn = _State(end - begin, state.length, host_cache.to_device(device_cache, part))
            turn, cdfs[begin:end] = self._run(turn, tokens[begin:end])
            device_cache = turn.cache
            for path, leaf in host_cache.from_device(device_cache, turn.length).items():
                if path not in new:
                    new[path] = np.empty((state.rows, *leaf.shape[1:]), leaf.dtype)
                new[path][begin:end] = leaf[: end - begin]
        return _State(state.rows, state.length + 1, new), cdfs


def export(
    params: dict,
    config: DecoderConfig,
    folder: pathlib.Path,
    *,
    rows: int = ROWS,
    context: int = CONTEXT,
) -> ByteLM:
    """Writes a trained M1 for `ByteLM.load`, whole or not at all, and returns it.

    The folder holds `config.json` and the parameters as numpy arrays: no checkpoint library is
    needed to read it. Arguments and errors are those of `ByteLM`.
    """
    model = ByteLM(params, config, rows=rows, context=context)
    with atomic.replace_folder(folder, array_folder.ARRAYS_NAME) as temporary:
        model.save(temporary)
    return model


def _checked(params: dict, model: decoder.Decoder) -> dict[str, np.ndarray]:
    """The parameters by path, unrolled, in float32, if they are those of `model`."""
    if model.config.vocab_size != _VOCAB_SIZE:
        raise errors.InputError(
            f"A byte model has {_VOCAB_SIZE} ids, this decoder has {model.config.vocab_size}: "
            "export the M1 that was trained on bytes."
        )
    flat = traverse_util.flatten_dict(layer_stacking.unstack_layers(dict(params)), sep="/")
    arrays = {path: np.asarray(leaf).astype(np.float32) for path, leaf in flat.items()}
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    expected = jax.eval_shape(model.init, jax.random.key(0), tokens, tokens)["params"]
    shapes = {
        path: leaf.shape for path, leaf in traverse_util.flatten_dict(expected, sep="/").items()
    }
    if shapes != {path: leaf.shape for path, leaf in arrays.items()}:
        raise ValueError(f"These are not the parameters of {model.config}.")
    if not all(np.isfinite(leaf).all() for leaf in arrays.values()):
        raise errors.InputError("M1's parameters are not all finite: its training diverged.")
    return arrays


@functools.partial(jax.jit, static_argnames="model", donate_argnames="cache")
def _step(
    model: decoder.Decoder, params: dict, cache: Cache, lengths_B: jax.Array, tokens_B: jax.Array
) -> tuple[Cache, jax.Array]:
    """The one program: reads a token a row, returns the cache and uint32[B, 258] CDFs."""
    cache, logits_BV = decode_step.read_token(model, params, cache, lengths_B, tokens_B)
    first_byte = vocab.NUM_SPECIAL_IDS
    bytes_BV = logits_BV[:, first_byte : first_byte + vocab.NUM_BYTES]
    eos_B1 = logits_BV[:, vocab.EOS_ID, None]
    # Padding and the unknown id are no symbols: the softmax is over those that are.
    probabilities_BA = jax.nn.softmax(jnp.concatenate([bytes_BV, eos_B1], axis=1))
    return cache, _integer_cdfs(probabilities_BA)


def _integer_cdfs(probabilities_BA: jax.Array) -> jax.Array:
    """`cdf.cdf_from_probabilities` on the device, in 32 bits: uint32[B, A + 1].

    One rounding makes integers of the floats. Everything after it is exact, in whatever order a
    device sums.
    """
    alphabet = probabilities_BA.shape[1]
    # Scaling by a power of two is exact; the rounding is to nearest, ties to even, as numpy's.
    scaled_BA = probabilities_BA * jnp.float32(1 << cdf.WEIGHT_BITS)
    sums_BA = jnp.cumsum(jnp.rint(scaled_BA).astype(jnp.uint32), axis=1)
    # Each of the A roundings adds at most a half to a total of 2^17, so the product with less than
    # 2^14 stays below 2^32.
    spread = jnp.uint32((1 << cdf.PRECISION) - alphabet)
    own_BA = jnp.arange(1, alphabet + 1, dtype=jnp.uint32)[None]
    return jnp.pad(own_BA + sums_BA * spread // sums_BA[:, -1:], ((0, 0), (1, 0)))
