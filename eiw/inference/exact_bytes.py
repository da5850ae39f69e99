"""Exact byte probabilities of an M2 over a dictionary, so that M2 can drive a coder of bytes.

A text's probability is that of its codes as the encoder cuts it, EOS after them; all other
sequences of codes are left out, and the rest is scaled to sum to one after each code. A text that
may go on has several parses (`canonical`): the probability of the next byte is summed over them,
down the trie. It ends by M2's EOS, once everything is parsed. So conditional probabilities multiply
to what M2 gives to the text, and no text costs more than M2 pays for its codes.
"""

import hashlib
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import jax
import numpy as np

from eiw import errors, vocab
from eiw.coding import cdf
from eiw.inference import canonical, decoding, ways

# Of the CDFs: fine enough that the least count, which every symbol gets, costs nothing.
_PRECISION = 24
_WEIGHT_BITS = 30


class NextCodes(Protocol):
    """An M2: the distribution of the next code after codes.

    Attributes:
      fingerprint: sha256 of all that decides it.
      backend: what computes it, as of a `ByteModel`.
    """

    fingerprint: str
    backend: str

    def log_p(self, prefixes: Sequence[tuple[int, ...]]) -> np.ndarray:
        """float64[prefixes, C + 1] of codes and, last, EOS; a function of each prefix alone."""


class NetworkCodes:
    """A network's, in ONE program of fixed shape: `rows` prefixes, whole contexts.

    Contexts follow one another, each with "begin" before it, as in `Generator.score`.
    """

    def __init__(self, network: decoding.Network, num_codes: int, rows: int = 8) -> None:
        self._network, self._num_codes, self._rows = network, num_codes, rows
        settings = f"{network.config} {network.context} {rows}"
        self.fingerprint = hashlib.sha256(settings.encode() + network.digest()).hexdigest()
        self.backend = f"{jax.devices()[0].device_kind}, jax {jax.__version__}"

    def log_p(self, prefixes: Sequence[tuple[int, ...]]) -> np.ndarray:
        """See `NextCodes`."""
        context = self._network.context
        result = np.empty((len(prefixes), self._num_codes + 1))
        first_code = vocab.NUM_SPECIAL_IDS
        for start in range(0, len(prefixes), self._rows):
            part = prefixes[start : start + self._rows]
            tokens_BT = np.full((self._rows, context), vocab.PAD_ID, np.int32)
            places_B = np.zeros(self._rows, np.int32)
            for row, prefix in enumerate(part):
                places_B[row] = len(prefix) % context
                ids = np.array(prefix[len(prefix) - places_B[row] :], np.int32) + first_code
                tokens_BT[row, 1 : len(ids) + 1] = ids
            logits_BV = self._network.logits_at(tokens_BT, places_B)[: len(part)].astype(float)
            answers = np.append(
                logits_BV[:, first_code : first_code + self._num_codes],
                logits_BV[:, vocab.EOS_ID, None],
                axis=1,
            )
            for row, answer in enumerate(answers):
                result[start + row] = answer - ways.log_sum(answer)
        return result


class _Row(NamedTuple):
    """A row's prefix.

    Attributes:
      codes: those before its first live boundary.
      walks: there.
      tail: the bytes behind it.
      known: M2's answers that it needs, by the codes before them.
    """

    codes: tuple[int, ...]
    walks: tuple[int, ...]
    tail: bytes
    known: dict[tuple[int, ...], np.ndarray]


class ExactBytes:
    """An M2 as a `ByteModel`: 256 bytes and EOS.

    Args:
      parses: of the dictionary; its encoder takes longest entries.
      next_codes: M2.
    """

    alphabet_size = vocab.ALPHABET_SIZE
    precision = _PRECISION

    def __init__(self, parses: canonical.CanonicalParses, next_codes: NextCodes) -> None:
        self._parses, self._next_codes = parses, next_codes
        digest = hashlib.sha256(next_codes.fingerprint.encode())
        for text in parses.texts:
            digest.update(len(text).to_bytes(4, "little") + text)
        self.fingerprint = digest.hexdigest()
        self.backend = next_codes.backend

    def start(self, rows: int) -> tuple[list[_Row], np.ndarray]:
        """See `ByteModel`."""
        return self._answer([_Row((), (), b"", {})] * rows)

    def advance(self, state: list[_Row], symbols: np.ndarray) -> tuple[list[_Row], np.ndarray]:
        """See `ByteModel`; after EOS a row begins anew.

        Raises:
          ValueError: a symbol outside of the alphabet.
        """
        rows = []
        for row, symbol in zip(state, np.asarray(symbols).tolist(), strict=True):
            if symbol == vocab.EOS_SYMBOL:
                rows.append(_Row((), (), b"", {}))
            else:
                rows.append(row._replace(tail=row.tail + bytes([symbol])))
        return self._answer(rows)

    def take(self, state: list[_Row], rows: np.ndarray) -> list[_Row]:
        """See `ByteModel`."""
        return [state[row] for row in np.asarray(rows).tolist()]

    def save(self, folder: pathlib.Path) -> None:
        """No compressor's folder carries an M2.

        Raises:
          InputError: always.
        """
        raise errors.InputError(
            "An M2 is not saved with a compressor: keep its run and its compressor, from which "
            "`Generator.byte_model` makes it again."
        )

    def probabilities(self, state: list[_Row]) -> np.ndarray:
        """float64[rows, 257] of the next symbol; each row sums to one."""
        weights = np.stack([np.exp(self.log_weights(row)) for row in state])
        return weights / weights.sum(axis=1, keepdims=True)

    def log_weights(self, row: _Row) -> np.ndarray:
        """float64[257]: log of what M2 gives to all texts that go on from a row's prefix with each
        symbol, relative to the codes before its first live boundary.

        Raises:
          ValueError: M2 gives no text with this prefix any probability.
        """
        codes, boundaries = self._cut(row)
        log_p = np.stack([row.known[row.codes + codes[: each.codes]] for each in boundaries])
        weights = ways.log_weights(self._parses.forks(boundaries, codes), log_p)
        highest = weights.max()
        if highest == -math.inf:
            raise ValueError("the model gives no text with this prefix any probability")
        weights = np.exp(weights - highest)
        sums = np.zeros(self.alphabet_size)
        for boundary, row_weights in zip(boundaries, weights, strict=True):
            if boundary.node >= 0:
                sums[: vocab.NUM_BYTES] += self._parses.sums_by_next_byte(
                    boundary.node, row_weights
                )
        sums[vocab.EOS_SYMBOL] = weights[-1, -1]
        with np.errstate(divide="ignore"):
            return np.log(sums) + highest

    def _answer(self, rows: Sequence[_Row]) -> tuple[list[_Row], np.ndarray]:
        state = self._moved(rows)
        weights = np.rint(self.probabilities(state) * (1 << _WEIGHT_BITS)).astype(np.int64)
        return state, cdf.cdf_from_weights(weights, self.precision)

    def _moved(self, rows: Sequence[_Row]) -> list[_Row]:
        """The rows, each begun at its first live boundary, with M2's answers at all of them."""
        moved, missing = [], {}
        for row in rows:
            codes, boundaries = self._cut(row)
            sure = codes[: boundaries[0].codes]
            length = sum(len(self._parses.texts[code]) for code in sure)
            known = {}
            for each in boundaries:
                prefix = row.codes + codes[: each.codes]
                known[prefix] = row.known.get(prefix)
                if known[prefix] is None:
                    missing[prefix] = None
            moved.append(_Row(row.codes + sure, boundaries[0].walks, row.tail[length:], known))
        if missing:
            missing = dict(zip(missing, self._next_codes.log_p(list(missing)), strict=True))
        for row in moved:
            for prefix, answer in row.known.items():
                if answer is None:
                    row.known[prefix] = missing[prefix]
        return moved

    def _cut(self, row: _Row) -> tuple[tuple[int, ...], list[canonical.Boundary]]:
        codes, place = [], 0
        while place < len(row.tail):
            codes.append(self._parses.longest(row.tail[place:]))
            place += len(self._parses.texts[codes[-1]])
        return tuple(codes), self._parses.boundaries(codes, row.walks)
