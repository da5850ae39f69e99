"""AC: arithmetic coding of whole texts under M1 (Lester et al. 2024, 3.3)."""

import pathlib
from collections.abc import Sequence

import numpy as np

from eiw import errors, vocab
from eiw.coding import arithmetic_coder, bits, byte_model
from eiw.compressors import artefact, base

# Blocks coded side by side: the batch that a network is exported with.
_ROWS = 64


class NeuralAC(base.Compressor):
    """Codes texts in blocks of 10,240 bytes, the paper's examples; StaticAC is AC of counts.

    M1's context and the coder start afresh with each block. A model with EOS ends each block by
    it; without, the block's length goes before it, in as many bits as `block_bytes` has. A block
    ends on a whole token, and the bits that are missing are zeros: with 16-bit tokens, an odd byte
    at the end is filled up by a zero byte. All of this counts in `bytes_per_token`.

    Only the last block of a text may be short, and a text of no bytes has no block.

    Args:
      model: M1, or a `StaticByteModel` for StaticAC.
      token_bits: 8 or 16.

    Raises:
      InputError: other token_bits, or blocks of no bytes.
    """

    kind = "neural_ac"

    def __init__(
        self, model: byte_model.ByteModel, token_bits: int = 8, block_bytes: int = 10_240
    ) -> None:
        if token_bits not in (8, 16):
            raise errors.InputError(f"token_bits={token_bits} must be 8 or 16.")
        if block_bytes < 1:
            raise errors.InputError(f"block_bytes={block_bytes} must be at least 1.")
        is_static = isinstance(model, byte_model.StaticByteModel)
        self.method = "StaticAC" if is_static else "AC"
        self.name = f"{'static_ac' if is_static else 'ac'}_v{'256' if token_bits == 8 else '65k'}"
        self.vocab_size = 1 << token_bits
        # The paper counts no M1 for StaticAC: it is a table.
        self.runs_m1 = not is_static
        self.m1_fingerprint = model.fingerprint
        self._model = model
        self._token_bits, self._block_bytes = token_bits, block_bytes
        self._has_eos = model.alphabet_size > vocab.EOS_SYMBOL
        self._length_bits = 0 if self._has_eos else block_bytes.bit_length()
        config = {
            "token_bits": token_bits,
            "block_bytes": block_bytes,
            "m1_fingerprint": model.fingerprint,
        }
        self._contents = artefact.artefact_contents(self.kind, config, {})

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        places = [
            (index, start)
            for index, text in enumerate(texts)
            for start in range(0, len(text), self._block_bytes)
        ]
        blocks = [texts[index][start : start + self._block_bytes] for index, start in places]
        block_tokens: list[np.ndarray] = [np.zeros(0, np.int32)] * len(blocks)
        for batch in _batches_of_like_size([len(block) for block in blocks]):
            coded = self._encode_blocks([blocks[number] for number in batch])
            for number, tokens in zip(batch, coded, strict=True):
                block_tokens[number] = tokens
        parts: list[list[np.ndarray]] = [[np.zeros(0, np.int32)] for _ in texts]
        for (index, _), tokens in zip(places, block_tokens, strict=True):
            parts[index].append(tokens)
        return [np.concatenate(tokens) for tokens in parts]

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """Decodes the first block of every text, then the next: only decoding tells its end.

        Raises:
          InputError: a code is out of range, or the codes are none that the encoder makes.
        """
        all_bits = [
            bits.tokens_to_bits(base.checked_codes(one, self.vocab_size), self._token_bits)
            for one in codes
        ]
        joined = np.concatenate([np.zeros(0, np.uint8), *all_bits])
        ends = np.cumsum([len(one) for one in all_bits], dtype=np.int64)
        starts = ends - [len(one) for one in all_bits]
        texts = [bytearray() for _ in codes]
        unfinished = np.flatnonzero(starts < ends)
        while len(unfinished):
            for batch in _batches_of_like_size((ends - starts)[unfinished]):
                rows = unfinished[batch]
                blocks, starts[rows] = self._decode_blocks(joined, starts[rows], ends[rows])
                for row, block in zip(rows, blocks, strict=True):
                    texts[row] += block
                    if len(block) < self._block_bytes and starts[row] < ends[row]:
                        raise errors.InputError(f"Text {row} goes on after its last block.")
            unfinished = unfinished[(starts < ends)[unfinished]]
        return [bytes(text) for text in texts]

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents, self._model)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "NeuralAC":
        config = artefact.read_artefact(folder, cls.kind).config
        model = artefact.read_byte_model(folder, config["m1_fingerprint"])
        return cls(model, config["token_bits"], config["block_bytes"])

    def _encode_blocks(self, blocks: Sequence[bytes]) -> list[np.ndarray]:
        """The tokens of each block."""
        lengths = np.array([len(block) for block in blocks])
        # Every row ends in EOS; without EOS in the alphabet it is not reached.
        symbols = np.full((len(blocks), lengths.max() + 1), vocab.EOS_SYMBOL, np.int64)
        for row, block in enumerate(blocks):
            symbols[row, : len(block)] = np.frombuffer(block, np.uint8)
        num_symbols = lengths + self._has_eos
        encoder = arithmetic_coder.ArithmeticEncoder(
            len(blocks), int(num_symbols.max()), self._model.precision
        )
        prefixes = _Prefixes(self._model, len(blocks))
        for place in range(num_symbols.max()):
            now = symbols[prefixes.rows, place]
            encoder.encode(prefixes.rows, prefixes.cdfs, now)
            prefixes.advance(now, num_symbols[prefixes.rows] > place + 1)
        return [
            self._to_tokens(encoder.finish(row), len(block)) for row, block in enumerate(blocks)
        ]

    def _to_tokens(self, coded: np.ndarray, length: int) -> np.ndarray:
        header = np.array([length >> place & 1 for place in range(self._length_bits)], np.uint8)
        return bits.bits_to_tokens(np.concatenate([header[::-1], coded]), self._token_bits)

    def _decode_blocks(
        self, joined: np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[list[bytes], np.ndarray]:
        """The block that begins at each start, and where the next one does, int64[n]."""
        # Without EOS the header says the length; with it, EOS must come within the block.
        lengths = np.zeros(len(starts), np.int64)
        for place in starts + np.arange(self._length_bits)[:, None]:
            lengths = lengths << 1 | joined[np.minimum(place, len(joined) - 1)]
        decoder = arithmetic_coder.ArithmeticDecoder(
            joined, starts + self._length_bits, ends, self._model.precision
        )
        if not self._has_eos and not ((lengths > 0) & (lengths <= self._block_bytes)).all():
            raise errors.InputError("A block's length is not one that the encoder writes.")
        decoded = np.zeros((len(starts), self._block_bytes + 1), np.uint8)
        prefixes = _Prefixes(self._model, len(starts))
        for place in range(self._block_bytes + 1):
            if not len(prefixes.rows):
                break
            symbols = decoder.decode(prefixes.rows, prefixes.cdfs)
            if self._has_eos:
                going = symbols != vocab.EOS_SYMBOL
                lengths[prefixes.rows[~going]] = place
            else:
                going = lengths[prefixes.rows] > place + 1
            decoded[prefixes.rows, place] = symbols & 0xFF
            prefixes.advance(symbols, going)
        if len(prefixes.rows) or not lengths.all():
            raise errors.InputError(
                f"These codes are no text: a block has no byte, or no end in {self._block_bytes}."
            )
        next_starts = [decoder.finish(row, self._token_bits) for row in range(len(starts))]
        blocks = [decoded[row, :length].tobytes() for row, length in enumerate(lengths)]
        return blocks, np.array(next_starts, np.int64)


class _Prefixes:
    """Rows under a byte model, of which the finished ones are dropped.

    Rows of a state have prefixes of one length, so a block cannot take the place of a finished one
    in the middle; blocks of like size end together instead.

    Attributes:
      rows: int64[n], the numbers of those still going.
      cdfs: uint32[n, A + 1], of their next symbols.
    """

    def __init__(self, model: byte_model.ByteModel, num_rows: int) -> None:
        self._model = model
        self._state, self.cdfs = model.start(num_rows)
        self.rows = np.arange(num_rows)

    def advance(self, symbols: np.ndarray, going: np.ndarray) -> None:
        """Appends a symbol to each row, int64[n], and drops those not `going`, bool[n]."""
        if not going.all():
            kept = np.flatnonzero(going)
            self.rows, symbols = self.rows[kept], symbols[kept]
            if len(kept):
                self._state = self._model.take(self._state, kept)
        if len(self.rows):
            self._state, self.cdfs = self._model.advance(self._state, symbols)


def _batches_of_like_size(sizes: Sequence[int]) -> list[np.ndarray]:
    """Indices int64[n], n <= 64, of all items; the largest first, so that a batch ends together."""
    order = np.argsort(-np.asarray(sizes, np.int64), kind="stable")
    return [order[first : first + _ROWS] for first in range(0, len(order), _ROWS)]
