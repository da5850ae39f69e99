"""Texts in blocks, each coded as a whole under a byte model: what AC, Huffman and ANS share."""

import enum
import pathlib
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np

from eiw import errors, vocab
from eiw.coding import bits, byte_model
from eiw.compressors import artefact, base

# Blocks coded side by side: the batch that a network is exported with.
_ROWS = 64
# More than any coder writes for a symbol, at any precision.
_MOST_SYMBOL_BITS = 64
# What a decoder that stops at no symbol is told to stop at.
_NO_SYMBOL = -1


class _Ending(enum.Enum):
    """How the decoder learns where a block ends."""

    EOS = enum.auto()  # a short block by EOS, a full one by its being full
    LENGTH = enum.auto()  # by the length before it
    FLAG = enum.auto()  # a bit before it: 0, it is full; 1, and the length of a short block


class BlockStream(base.Compressor):
    """Codes texts in blocks of 10,240 bytes, the paper's examples (Lester et al. 2024, 3.3).

    M1's context and the coder start afresh with each block. Only the last block of a text may be
    short, and a text of no bytes has no block. A model with EOS ends a short block by it; a full
    one needs no end. Without EOS every block's length goes before it, in as many bits as
    `block_bytes` has. A block ends on a whole token, and the bits that are missing are zeros: with
    16-bit tokens, an odd byte at the end is filled up by a zero byte. All of this counts in
    `bytes_per_token`.

    `encode_symbol_batch` codes streams in which EOS stands between documents like any other symbol,
    as the paper's AC does, so no block can end by it. There a bit goes before each block of
    `block_bytes` symbols: 0, the block is full; 1, it is the stream's short end, and its length
    follows in as many bits as `block_bytes` has.

    Codes that no encoder makes are refused, each of them: a text has one sequence of codes, and
    every sequence that decodes is one.

    Subclasses say `coders`, the encoder and the decoder (of `eiw.coding`), and a `short_name`.

    Attributes:
      codes_eos: whether the model's alphabet has EOS, so that streams of symbols can be coded.
      block_bytes: as given.

    Args:
      model: M1; or a `StaticByteModel`, which makes "StaticAC" of AC and runs in compiled code.
      token_bits: 1, 8 or 16.

    Raises:
      InputError: other token_bits, or blocks of no bytes.
    """

    carries_m1 = True
    coders: ClassVar[tuple[type, type]]
    short_name: ClassVar[str]

    def __init__(
        self, model: byte_model.ByteModel, token_bits: int = 8, block_bytes: int = 10_240
    ) -> None:
        if block_bytes < 1:
            raise errors.InputError(f"block_bytes={block_bytes} must be at least 1.")
        self._token_bits = base.checked_token_bits(token_bits)
        self.block_bytes = block_bytes
        self._model = model
        self._is_static = isinstance(model, byte_model.StaticByteModel)
        self.vocab_size = 1 << token_bits
        prefix = "static_" if self._is_static else ""
        self.name = f"{prefix}{self.short_name}_{base.size_label(self.vocab_size)}"
        # The class's method is the family; an instance's says whether it runs M1.
        self.method = f"Static{type(self).method}" if self._is_static else type(self).method
        self._run_m1(model)
        # The paper counts no M1 for StaticAC: it is a table.
        self.runs_m1 = not self._is_static
        self.codes_eos = model.alphabet_size > vocab.EOS_SYMBOL
        self._text_ending = _Ending.EOS if self.codes_eos else _Ending.LENGTH
        self._contents = artefact.artefact_contents(self.kind, self._config(), {})

    @property
    def fingerprint(self) -> str:
        return self._contents.fingerprint

    def encode_batch(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return self._encode([np.frombuffer(text, np.uint8) for text in texts], self._text_ending)

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """See `Compressor`.

        Raises:
          InputError: a code is out of range, or the codes are none that the encoder makes.
        """
        texts = self._decode(codes, self._text_ending)
        return [symbols.astype(np.uint8).tobytes() for symbols in texts]

    def encode_symbol_batch(self, examples: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The codes of each stream of symbols: int[n], 0..255 the bytes and 256 EOS -> int32[m].

        Raises:
          InputError: the model's alphabet has no EOS, or something is no symbol.
        """
        self._check_codes_eos()
        streams = [base.checked_codes(example, vocab.ALPHABET_SIZE) for example in examples]
        return self._encode(streams, _Ending.FLAG)

    def decode_symbol_batch(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The symbols, int32[n], of each int[m] of codes that `encode_symbol_batch` made.

        Raises:
          InputError: the model's alphabet has no EOS, or the codes are none of a stream.
        """
        self._check_codes_eos()
        return [symbols.astype(np.int32) for symbols in self._decode(codes, _Ending.FLAG)]

    def save(self, folder: pathlib.Path) -> None:
        artefact.write_artefact(folder, self._contents, self._model)

    @classmethod
    def load(cls, folder: pathlib.Path, allow_mismatch: Collection[str] = ()) -> "BlockStream":
        config = artefact.read_artefact(folder, cls.kind).config
        model = artefact.read_byte_model(folder, config, allow_mismatch)
        return cls(model, **{name: config[name] for name in config if not name.startswith("m1_")})

    def _config(self) -> dict[str, Any]:
        """The constructor's arguments, the model by its fingerprint."""
        return {
            "token_bits": self._token_bits,
            "block_bytes": self.block_bytes,
            **artefact.model_facts(self._model),
        }

    @property
    def ends_by_eos(self) -> bool:
        """Whether a short block of text ends by EOS, and has no length before it."""
        return self._text_ending is _Ending.EOS

    def _check_codes_eos(self) -> None:
        if not self.codes_eos:
            raise errors.InputError(
                f"{self.name} codes texts, not streams of symbols: its byte model knows no EOS."
            )

    def _encode(self, streams: Sequence[np.ndarray], ending: _Ending) -> list[np.ndarray]:
        """The codes of each stream of symbols, int32[n]."""
        places = [
            (index, start)
            for index, stream in enumerate(streams)
            for start in range(0, len(stream), self.block_bytes)
        ]
        blocks = [streams[index][start : start + self.block_bytes] for index, start in places]
        block_tokens: list[np.ndarray] = [np.zeros(0, np.int32)] * len(blocks)
        for batch in _batches_of_like_size([len(block) for block in blocks]):
            coded = self._encode_blocks([blocks[number] for number in batch], ending)
            for number, tokens in zip(batch, coded, strict=True):
                block_tokens[number] = tokens
        parts: list[list[np.ndarray]] = [[np.zeros(0, np.int32)] for _ in streams]
        for (index, _), tokens in zip(places, block_tokens, strict=True):
            parts[index].append(tokens)
        return [np.concatenate(tokens) for tokens in parts]

    def _decode(self, codes: Sequence[np.ndarray], ending: _Ending) -> list[np.ndarray]:
        """The symbols of each stream, int[n].

        Decodes the first block of every stream, then the next: only decoding tells its end.
        """
        all_bits = [
            bits.tokens_to_bits(base.checked_codes(one, self.vocab_size), self._token_bits)
            for one in codes
        ]
        joined = np.concatenate([np.zeros(0, np.uint8), *all_bits])
        ends = np.cumsum([len(one) for one in all_bits], dtype=np.int64)
        starts = ends - [len(one) for one in all_bits]
        streams: list[list[np.ndarray]] = [[np.zeros(0, np.int16)] for _ in codes]
        unfinished = np.flatnonzero(starts < ends)
        while len(unfinished):
            for batch in _batches_of_like_size((ends - starts)[unfinished]):
                rows = unfinished[batch]
                # What coders prepare is only these blocks, not all texts once for each batch.
                part, part_starts, part_ends = _cut_out(
                    joined, starts[rows], ends[rows], self.most_bits
                )
                blocks, next_starts = self._decode_blocks(part, part_starts, part_ends, ending)
                starts[rows] += next_starts - part_starts
                for row, block in zip(rows, blocks, strict=True):
                    streams[row].append(block)
                    if len(block) < self.block_bytes and starts[row] < ends[row]:
                        raise errors.InputError(f"Text {row} goes on after its last block.")
            unfinished = unfinished[(starts < ends)[unfinished]]
        return [np.concatenate(blocks) for blocks in streams]

    @property
    def most_bits(self) -> int:
        """More than any block takes, its header included; a whole number of tokens."""
        return _MOST_SYMBOL_BITS * (self.block_bytes + 4)

    def _encode_blocks(self, blocks: Sequence[np.ndarray], ending: _Ending) -> list[np.ndarray]:
        """The tokens of each block of symbols."""
        lengths = np.array([len(block) for block in blocks])
        # Every row ends in EOS, which is reached only where a short block ends by it.
        symbols = np.full((len(blocks), lengths.max() + 1), vocab.EOS_SYMBOL, np.int64)
        for row, block in enumerate(blocks):
            symbols[row, : len(block)] = block
        num_symbols = lengths + ((ending is _Ending.EOS) & (lengths < self.block_bytes))
        encoder = self.coders[0](len(blocks), int(num_symbols.max()), self._model.precision)
        if self._is_static:
            for row, count in enumerate(num_symbols):
                encoder.encode_run(row, self._model.cdf, symbols[row, :count])
        else:
            prefixes = Prefixes(self._model, len(blocks))
            for place in range(num_symbols.max()):
                now = symbols[prefixes.rows, place]
                encoder.encode(prefixes.rows, prefixes.cdfs, now)
                prefixes.advance(now, num_symbols[prefixes.rows] > place + 1)
        return [
            bits.bits_to_tokens(
                np.concatenate([self._header(len(block), ending), encoder.finish(row)]),
                self._token_bits,
            )
            for row, block in enumerate(blocks)
        ]

    def _header(self, length: int, ending: _Ending) -> np.ndarray:
        """What stands before a block, uint8[n] of 0 and 1."""
        header = bits.BitWriter()
        is_full = length == self.block_bytes
        if ending is _Ending.FLAG:
            header.write(int(not is_full), 1)
        if ending is _Ending.LENGTH or (ending is _Ending.FLAG and not is_full):
            header.write(length, self.block_bytes.bit_length())
        return header.tokens(1)

    def _decode_blocks(
        self, joined: np.ndarray, starts: np.ndarray, ends: np.ndarray, ending: _Ending
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """The block that begins at each start, int[n], and where the next one does, int64[n]."""
        limits, starts = self._read_headers(joined, starts, ending)
        stop = vocab.EOS_SYMBOL if ending is _Ending.EOS else _NO_SYMBOL
        decoder = self.coders[1](joined, starts, ends, self._model.precision)
        if self._is_static:
            runs = [
                decoder.decode_run(row, self._model.cdf, limit, stop)
                for row, limit in enumerate(limits)
            ]
        else:
            runs = self._decode_symbols(decoder, limits, stop)
        next_starts = [decoder.finish(row, self._token_bits) for row in range(len(starts))]
        # Copied, as a run is a part of a block's room, which many short blocks must not hold.
        blocks = [
            (run[:-1] if run[-1] == stop else run).astype(np.int16, copy=True) for run in runs
        ]
        if not all(map(len, blocks)):
            raise errors.InputError("These codes are no text: a block has no byte.")
        return blocks, np.array(next_starts, np.int64)

    def _read_headers(
        self, joined: np.ndarray, starts: np.ndarray, ending: _Ending
    ) -> tuple[np.ndarray, np.ndarray]:
        """How long each block may be at most, and where its code starts, both int64[n].

        A row that is too short for its header is found out later.
        """
        full = np.full(len(starts), self.block_bytes)
        if ending is _Ending.EOS:
            return full, starts
        has_length = np.ones(len(starts), bool)
        if ending is _Ending.FLAG:
            has_length, starts = joined[starts] == 1, starts + 1
        num_bits = self.block_bytes.bit_length()
        lengths = np.zeros(len(starts), np.int64)
        for place in starts + np.arange(num_bits)[:, None]:
            lengths = lengths << 1 | joined[np.minimum(place, len(joined) - 1)]
        # A full block after a flag has no length: each block has one header.
        longest = self.block_bytes - (ending is _Ending.FLAG)
        if not (~has_length | ((lengths > 0) & (lengths <= longest))).all():
            raise errors.InputError("A block's length is not one that the encoder writes.")
        return np.where(has_length, lengths, full), starts + num_bits * has_length

    def _decode_symbols(self, decoder: Any, limits: np.ndarray, stop: int) -> list[np.ndarray]:
        """Decodes each row up to `stop`, which is kept, or to its limit."""
        symbols = np.zeros((len(limits), limits.max()), np.int16)
        lengths = limits.copy()
        prefixes = Prefixes(self._model, len(limits))
        for place in range(limits.max()):
            rows = prefixes.rows
            if not len(rows):
                break
            now = decoder.decode(rows, prefixes.cdfs)
            symbols[rows, place] = now
            lengths[rows[now == stop]] = place + 1
            prefixes.advance(now, lengths[rows] > place + 1)
        return [row[:length] for row, length in zip(symbols, lengths, strict=True)]


class Prefixes:
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


def _cut_out(
    joined: np.ndarray, starts: np.ndarray, ends: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most `most` bits from each start, one after another, with their starts and ends there."""
    lengths = np.minimum(ends - starts, most)
    part_ends = np.cumsum(lengths)
    pieces = [joined[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    return np.concatenate(pieces), part_ends - lengths, part_ends


def _batches_of_like_size(sizes: Sequence[int]) -> list[np.ndarray]:
    """Indices int64[n], n <= 64, of all items; the largest first, so that a batch ends together."""
    order = np.argsort(-np.asarray(sizes, np.int64), kind="stable")
    return [order[first : first + _ROWS] for first in range(0, len(order), _ROWS)]
