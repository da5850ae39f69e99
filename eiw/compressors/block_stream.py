"""Texts in blocks, each coded as a whole under a byte model: what AC, Huffman and ANS share."""

import pathlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from eiw import errors, vocab
from eiw.coding import bits, byte_model
from eiw.compressors import artefact, base

# Blocks coded side by side: the batch that a network is exported with.
_ROWS = 64


class BlockStream(base.Compressor):
    """Codes texts in blocks of 10,240 bytes, the paper's examples (Lester et al. 2024, 3.3).

    M1's context and the coder start afresh with each block. Only the last block of a text may be
    short, and a text of no bytes has no block. A model with EOS ends a short block by it; a full
    one needs no end. Without EOS every block's length goes before it, in as many bits as
    `block_bytes` has. A block ends on a whole token, and the bits that are missing are zeros: with
    16-bit tokens, an odd byte at the end is filled up by a zero byte. All of this counts in
    `bytes_per_token`.

    Codes that no encoder makes are refused, each of them: a text has one sequence of codes, and
    every sequence that decodes is one.

    Subclasses say `coders`, the encoder and the decoder (of `eiw.coding`), and a `short_name`.

    Args:
      model: M1; or a `StaticByteModel`, which makes "StaticAC" of AC and runs in compiled code.
      token_bits: 1, 8 or 16.

    Raises:
      InputError: other token_bits, or blocks of no bytes.
    """

    coders: ClassVar[tuple[type, type]]
    short_name: ClassVar[str]

    def __init__(
        self, model: byte_model.ByteModel, token_bits: int = 8, block_bytes: int = 10_240
    ) -> None:
        if block_bytes < 1:
            raise errors.InputError(f"block_bytes={block_bytes} must be at least 1.")
        self._token_bits = base.checked_token_bits(token_bits)
        self._block_bytes = block_bytes
        self._model = model
        self._is_static = isinstance(model, byte_model.StaticByteModel)
        self.vocab_size = 1 << token_bits
        prefix = "static_" if self._is_static else ""
        self.name = f"{prefix}{self.short_name}_{base.size_label(self.vocab_size)}"
        # The class's method is the family; an instance's says whether it runs M1.
        self.method = f"Static{type(self).method}" if self._is_static else type(self).method
        # The paper counts no M1 for StaticAC: it is a table.
        self.runs_m1 = not self._is_static
        self.m1_fingerprint = model.fingerprint
        self._has_eos = model.alphabet_size > vocab.EOS_SYMBOL
        self._length_bits = 0 if self._has_eos else block_bytes.bit_length()
        self._contents = artefact.artefact_contents(self.kind, self._config(), {})

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
    def load(cls, folder: pathlib.Path) -> "BlockStream":
        config = dict(artefact.read_artefact(folder, cls.kind).config)
        model = artefact.read_byte_model(folder, config.pop("m1_fingerprint"))
        return cls(model, **config)

    def _config(self) -> dict[str, Any]:
        """The constructor's arguments, the model by its fingerprint."""
        return {
            "token_bits": self._token_bits,
            "block_bytes": self._block_bytes,
            "m1_fingerprint": self.m1_fingerprint,
        }

    def _encode_blocks(self, blocks: Sequence[bytes]) -> list[np.ndarray]:
        """The tokens of each block."""
        lengths = np.array([len(block) for block in blocks])
        # Every row ends in EOS, which is not reached in a full block, or if there is none.
        symbols = np.full((len(blocks), lengths.max() + 1), vocab.EOS_SYMBOL, np.int64)
        for row, block in enumerate(blocks):
            symbols[row, : len(block)] = np.frombuffer(block, np.uint8)
        num_symbols = lengths + (self._has_eos & (lengths < self._block_bytes))
        encoder = self.coders[0](len(blocks), int(num_symbols.max()), self._model.precision)
        if self._is_static:
            for row, count in enumerate(num_symbols):
                encoder.encode_run(row, self._model.cdf, symbols[row, :count])
        else:
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
        limits = np.full(len(starts), self._block_bytes)
        if not self._has_eos:
            limits = self._read_lengths(joined, starts)
        decoder = self.coders[1](joined, starts + self._length_bits, ends, self._model.precision)
        if self._is_static:
            runs = [
                decoder.decode_run(row, self._model.cdf, limit, vocab.EOS_SYMBOL)
                for row, limit in enumerate(limits)
            ]
        else:
            runs = self._decode_symbols(decoder, limits)
        next_starts = [decoder.finish(row, self._token_bits) for row in range(len(starts))]
        blocks = []
        for run in runs:
            block = run[:-1] if run[-1] == vocab.EOS_SYMBOL else run
            if not len(block):
                raise errors.InputError("These codes are no text: a block has no byte.")
            blocks.append(block.astype(np.uint8).tobytes())
        return blocks, np.array(next_starts, np.int64)

    def _read_lengths(self, joined: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """What the headers say, int64[n]; a row that is too short for one is found out later."""
        lengths = np.zeros(len(starts), np.int64)
        for place in starts + np.arange(self._length_bits)[:, None]:
            lengths = lengths << 1 | joined[np.minimum(place, len(joined) - 1)]
        if not ((lengths > 0) & (lengths <= self._block_bytes)).all():
            raise errors.InputError("A block's length is not one that the encoder writes.")
        return lengths

    def _decode_symbols(self, decoder: Any, limits: np.ndarray) -> list[np.ndarray]:
        """Decodes each row up to EOS, which is kept, or to its limit."""
        symbols = np.zeros((len(limits), limits.max()), np.int16)
        lengths = limits.copy()
        prefixes = _Prefixes(self._model, len(limits))
        for place in range(limits.max()):
            rows = prefixes.rows
            if not len(rows):
                break
            now = decoder.decode(rows, prefixes.cdfs)
            symbols[rows, place] = now
            lengths[rows[now == vocab.EOS_SYMBOL]] = place + 1
            prefixes.advance(now, lengths[rows] > place + 1)
        return [row[:length] for row, length in zip(symbols, lengths, strict=True)]


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
