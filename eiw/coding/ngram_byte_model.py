"""A byte model of n-gram counts, in integers from end to end.

It needs no network and compiles a dictionary in a second, so tests and quick looks use it in
place of M1. With c(h, x) the count of symbol x after context h, N(h) their sum, T(h) how many
different ones there are, and h' the context h without its oldest symbol:

    p(x | h) = max(c(h, x) - D, 0) / N(h) + D T(h) / N(h) * p(x | h')

absolute discounting, one D for each order, from n1 / (n1 + 2 n2), where n1 and n2 say how many
counts are 1 and 2 (Ney, Essen and Kneser 1994).
"""

import pathlib
from collections.abc import Iterable

import numpy as np

from eiw import vocab
from eiw.coding import array_folder, cdf, jit

_FORMAT_VERSION = 1
_HEADER_NAME = "config.json"

# A context is packed into one integer: its symbols at 9 bits each, the newest lowest, and above
# them its order, so that contexts of different orders never meet in the hash table.
_SYMBOL_BITS = 9
_MAX_ORDER = 6
_ORDER_SHIFT = _SYMBOL_BITS * _MAX_ORDER

# Fixed point: probabilities are multiples of 2^-24, discounts of 2^-8, back-off weights of 2^-16.
_PROBABILITY_BITS = 24
_DISCOUNT_BITS = 8
_BACKOFF_BITS = 16

# Multiplier of the hash: 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming
# 6.4).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class NgramByteModel:
    """Interpolated byte n-grams up to `order` symbols of context, over 256 bytes and EOS.

    A state is the last six symbols of each row, packed into uint64[rows], beside the length.
    """

    kind = "ngram"
    backend = ""
    alphabet_size = vocab.ALPHABET_SIZE

    def __init__(
        self, arrays: dict[str, np.ndarray], order: int, precision: int = cdf.PRECISION
    ) -> None:
        """Use `fit` or `load`."""
        self.precision = precision
        self._order = order
        config = {"order": order, "precision": precision}
        self._contents = array_folder.Contents(self.kind, _FORMAT_VERSION, config, arrays)
        self.fingerprint = self._contents.fingerprint
        table_bits = (2 * len(arrays["contexts"])).bit_length()
        self._model = (
            _hash_table(arrays["contexts"], table_bits),
            arrays["contexts"],
            arrays["offsets"],
            arrays["symbols"],
            arrays["counts"],
            arrays["discounts"],
        )

    @classmethod
    def fit(
        cls,
        documents: Iterable[bytes],
        order: int = 5,
        *,
        min_context_count: int = 2,
        precision: int = cdf.PRECISION,
    ) -> "NgramByteModel":
        """Counts the n-grams of `documents`, each followed by EOS.

        Takes about a second and 60 MB for each MB of text.

        Args:
          order: symbols of context, at most 6.
          min_context_count: longer contexts than one symbol seen less often than this are dropped.

        Raises:
          ValueError: `order` is out of range.
        """
        if not 0 <= order <= _MAX_ORDER:
            raise ValueError(f"order must be in 0..{_MAX_ORDER}, not {order}")
        symbols, positions = _concatenate(documents)
        parts = [
            _count(symbols, positions, context_order, min_context_count if context_order > 1 else 0)
            for context_order in range(order + 1)
        ]
        contexts, sizes, next_symbols, counts, discounts = zip(*parts, strict=True)
        arrays = {
            "contexts": np.concatenate(contexts),
            "offsets": np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64),
            "symbols": np.concatenate(next_symbols),
            "counts": np.concatenate(counts),
            "discounts": np.array(discounts, np.int64),
        }
        return cls(arrays, order, precision)

    def start(self, rows: int) -> tuple[tuple[np.ndarray, int], np.ndarray]:
        state = (np.zeros(rows, np.uint64), 0)
        return state, self._cdfs(*state)

    def advance(
        self, state: tuple[np.ndarray, int], symbols: np.ndarray
    ) -> tuple[tuple[np.ndarray, int], np.ndarray]:
        history, length = state
        history = history << np.uint64(_SYMBOL_BITS) | symbols.astype(np.uint64)
        state = (history & np.uint64((1 << _ORDER_SHIFT) - 1), min(length + 1, self._order))
        return state, self._cdfs(*state)

    def take(self, state: tuple[np.ndarray, int], rows: np.ndarray) -> tuple[np.ndarray, int]:
        return state[0][rows], state[1]

    def open_lanes(self, count: int) -> "_Lanes":
        """See `lanes.open_lanes`."""
        return _Lanes(self, count)

    def save(self, folder: pathlib.Path) -> None:
        array_folder.write_contents(folder, _HEADER_NAME, self._contents)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "NgramByteModel":
        contents = array_folder.read_contents(folder, _HEADER_NAME, _FORMAT_VERSION)
        return cls(contents.arrays, contents.config["order"], contents.config["precision"])

    def _cdfs(self, history: np.ndarray, length: int) -> np.ndarray:
        weights = np.empty((len(history), self.alphabet_size), np.int64)
        _mix_orders(history, min(length, self._order), *self._model, weights)
        return cdf.cdf_from_weights(weights, self.precision)


class _Lanes:
    """Rows of which each has a length of its own; beyond the order, length makes no difference."""

    bank_entries = bank_depth = 0

    def __init__(self, model: NgramByteModel, count: int) -> None:
        self._model = model
        self._history = np.zeros(count, np.uint64)
        self._lengths = np.zeros(count, np.int64)

    def feed(self, lanes: np.ndarray, symbols: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        cdfs = np.empty((len(lanes), self._model.alphabet_size + 1), np.uint32)
        self._history[lanes[fresh]] = self._lengths[lanes[fresh]] = 0
        lengths = self._lengths[lanes]
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            state = self._history[lanes[rows]], int(length)
            (history, new_length), cdfs[rows] = self._model.advance(state, symbols[rows])
            self._history[lanes[rows]], self._lengths[lanes[rows]] = history, new_length
        return cdfs


def _concatenate(documents: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """All documents as uint64[n] symbols, and int64[n] places within the document."""
    symbols, positions = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for document in documents:
        symbols.append(np.frombuffer(document, np.uint8).astype(np.uint64))
        symbols.append(np.array([vocab.EOS_SYMBOL], np.uint64))
        positions.append(np.arange(len(document) + 1))
    return np.concatenate(symbols), np.concatenate(positions)


def _count(
    symbols: np.ndarray, positions: np.ndarray, order: int, min_context_count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Contexts of one order, how many next symbols each has, these, their counts, the discount."""
    grams = symbols.copy()
    for distance in range(1, order + 1):
        grams[distance:] |= symbols[:-distance] << np.uint64(_SYMBOL_BITS * distance)
    # Contexts end at the start of their document.
    grams, counts = np.unique(grams[positions >= order], return_counts=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = (once << _DISCOUNT_BITS) // max(once + 2 * twice, 1)
    contexts, starts, sizes = np.unique(
        grams >> np.uint64(_SYMBOL_BITS), return_index=True, return_counts=True
    )
    totals = np.add.reduceat(counts, starts) if len(starts) else np.zeros(0, np.int64)
    kept = totals >= min_context_count
    kept_grams = np.repeat(kept, sizes)
    next_symbols = grams[kept_grams] & np.uint64((1 << _SYMBOL_BITS) - 1)
    return (
        contexts[kept] | np.uint64(order << _ORDER_SHIFT),
        sizes[kept],
        next_symbols.astype(np.uint16),
        counts[kept_grams].astype(np.uint32),
        # A discount of one would take all mass from every symbol seen once.
        min(discount, (1 << _DISCOUNT_BITS) * 15 // 16),
    )


@jit.jit
def _hash_table(contexts, table_bits):
    """Open addressing: int32[2^table_bits] of indices into `contexts`, -1 where empty."""
    table = np.full(1 << table_bits, -1, np.int32)
    for index in range(len(contexts)):
        slot = (contexts[index] * _GOLDEN) >> np.uint64(64 - table_bits)
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & np.uint64(len(table) - 1)
        table[slot] = index
    return table


@jit.jit
def _mix_orders(
    history, length, table, contexts, offsets, symbols, counts, discounts, weights
):  # fmt: skip
    """Fills weights int64[rows, A] with the probabilities of the next symbol times 2^24."""
    table_bits = 0
    while 1 << table_bits < len(table):
        table_bits += 1
    alphabet = weights.shape[1]
    for row in range(len(history)):
        weights[row, :] = (1 << _PROBABILITY_BITS) // alphabet
        for order in range(length + 1):
            symbol_mask = (np.uint64(1) << np.uint64(_SYMBOL_BITS * order)) - np.uint64(1)
            context = (history[row] & symbol_mask) | np.uint64(order << _ORDER_SHIFT)
            slot = (context * _GOLDEN) >> np.uint64(64 - table_bits)
            while table[slot] >= 0 and contexts[table[slot]] != context:
                slot = (slot + np.uint64(1)) & np.uint64(len(table) - 1)
            if table[slot] < 0:
                break  # a context that was not seen was not seen with more before it either
            first, last = offsets[table[slot]], offsets[table[slot] + 1]
            total = np.int64(0)
            for index in range(first, last):
                total += counts[index]
            # D T / N, the share that goes to the shorter context.
            scale = total << _DISCOUNT_BITS
            backoff = (discounts[order] * (last - first) << _BACKOFF_BITS) // scale
            for symbol in range(alphabet):
                weights[row, symbol] = weights[row, symbol] * backoff >> _BACKOFF_BITS
            for index in range(first, last):
                discounted = (np.int64(counts[index]) << _DISCOUNT_BITS) - discounts[order]
                weights[row, symbols[index]] += (discounted << _PROBABILITY_BITS) // scale
