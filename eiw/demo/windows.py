"""A text as a compressor cuts it: which bytes its codes stand for, as in the paper's Fig. 9."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from eiw.coding import bits, byte_model
from eiw.compressors import base, block_stream
from eiw.inference import code_texts

# Texts that M1 reads side by side.
_ROWS = 64


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of a text that some codes stand for.

    Attributes:
      text: its bytes.
      first: index of its first code.
      end: index behind its last code. Wide windows may share a code with their neighbours.
      room: bits of the Equal-Info Windows that it is: one, or those between two fresh starts of M1;
        0 where it is none.
      bits: information in the text under M1; None where no M1 is asked.
    """

    text: bytes
    first: int
    end: int
    room: int = 0
    bits: float | None = None


@dataclasses.dataclass(frozen=True)
class Cut:
    """A text and its codes.

    Attributes:
      codes: int32[n], what the compressor encodes the text to.
      pieces: one after another. Together they are what the codes decode to.
      by_information: bytes were set beside the codes that their information falls into, which is
        within two bits of the coder's own boundaries.
    """

    codes: np.ndarray
    pieces: list[Piece]
    by_information: bool = False


def cut(compressor: base.Compressor, text: bytes, model: byte_model.ByteModel | None = None) -> Cut:
    """Encodes a text and finds what each of its codes, or each window, stands for.

    A piece is a code of a dictionary, or an Equal-Info Window; windows between which M1 goes on are
    one piece. Codes of a block stand for nothing by themselves, so the block is a piece; but of AC
    one is the bytes that begin within a code's bits, where `model` tells how many each takes. Of
    other compressors (GZip, a SentencePiece that loses text) the whole text is one.

    Args:
      compressor: any.
      text: any bytes.
      model: M1, by which the codes were decided, to count the bits of information.
    """
    if isinstance(compressor, block_stream.BlockStream):
        codes, blocks = _blocks(compressor, text)
        if compressor.kind == "neural_ac" and compressor.codes_eos and model is not None:
            return Cut(codes, _stream_pieces(compressor, blocks, model), by_information=True)
        pieces: list[Piece] | None = blocks
    else:
        codes = compressor.encode(text)
        pieces = _own_pieces(compressor, codes)
    if pieces is None:
        return Cut(codes, [Piece(text, 0, len(codes))] if text else [])
    if model is not None:
        paid = information(model, [_symbols(piece.text) for piece in pieces])
        pieces = [
            dataclasses.replace(piece, bits=float(one.sum()))
            for piece, one in zip(pieces, paid, strict=True)
        ]
    return Cut(codes, pieces)


def information(model: byte_model.ByteModel, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Bits of each symbol, -log2 of the share that a coder gives it under a byte model.

    Args:
      model: begins afresh with each sequence.
      sequences: of symbols, int[n], n at least 1.

    Returns:
      float64[n] for each.
    """
    # Sequences of like length end together.
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]))
    result = [np.zeros(0)] * len(sequences)
    for start in range(0, len(order), _ROWS):
        batch = order[start : start + _ROWS]
        lengths = np.array([len(sequences[index]) for index in batch])
        symbols = np.zeros((len(batch), lengths.max()), np.int64)
        for row, index in zip(symbols, batch, strict=True):
            row[: len(sequences[index])] = sequences[index]
        paid = np.zeros(symbols.shape)
        prefixes = block_stream.Prefixes(model, len(batch))
        for place in range(lengths.max()):
            rows = prefixes.rows
            now = symbols[rows, place]
            cdfs, each = prefixes.cdfs.astype(np.int64), np.arange(len(rows))
            paid[rows, place] = model.precision - np.log2(cdfs[each, now + 1] - cdfs[each, now])
            prefixes.advance(now, lengths[rows] > place + 1)
        for row, index in zip(paid, batch, strict=True):
            result[index] = row[: len(sequences[index])]
    return result


def _own_pieces(compressor: base.Compressor, codes: np.ndarray) -> list[Piece] | None:
    """What codes or windows stand for by themselves; None where they do not."""
    texts = code_texts.texts_of_codes(compressor)
    if texts is not None:
        width = compressor.window_bits
        return [
            Piece(texts[code], place, place + 1, width) for place, code in enumerate(codes.tolist())
        ]
    if not code_texts.codes_a_group(compressor) or not len(codes):
        return None
    width, token_bits = compressor.window_bits, compressor.format.token_bits
    stream = bits.tokens_to_bits(codes, token_bits)
    # What fills up the last token is less than a window.
    stream = stream[: len(stream) // width * width]
    starts = range(0, len(stream), width * compressor.format.reset_every)
    groups = np.split(stream, starts[1:])
    texts = compressor.decode_batch([bits.bits_to_tokens(group, token_bits) for group in groups])
    return [
        Piece(text, start // token_bits, -(-(start + len(group)) // token_bits), len(group))
        for start, group, text in zip(starts, groups, texts, strict=True)
    ]


def _blocks(compressor: block_stream.BlockStream, text: bytes) -> tuple[np.ndarray, list[Piece]]:
    """A text's codes and its blocks, each of which is coded by itself."""
    size = compressor.block_bytes
    texts = [text[start : start + size] for start in range(0, len(text), size)]
    parts = compressor.encode_batch(texts)
    codes = np.concatenate([np.zeros(0, np.int32), *parts])
    if compressor.kind == "equal_text":
        codes = compressor.encode(text)
    # Delimiters, of the variant that has them, belong to no block.
    between = (len(codes) - sum(map(len, parts))) // max(1, len(parts) - 1)
    pieces, first = [], 0
    for block, part in zip(texts, parts, strict=True):
        pieces.append(Piece(block, first, first + len(part)))
        first += len(part) + between
    return codes, pieces


def _stream_pieces(
    compressor: block_stream.BlockStream, blocks: Sequence[Piece], model: byte_model.ByteModel
) -> list[Piece]:
    """The bytes of blocks beside the codes that they begin in."""
    token_bits = compressor.vocab_size.bit_length() - 1
    pieces = []
    paid_of_blocks = information(model, [_symbols(block.text) for block in blocks])
    for block, paid in zip(blocks, paid_of_blocks, strict=True):
        begins = np.append(0.0, np.cumsum(paid[:-1]))
        codes = block.first + (begins / token_bits).astype(np.int64)
        codes = np.minimum(codes, block.end - 1)
        # A byte that takes many bits also owns the codes that no byte begins in.
        places = np.flatnonzero(np.diff(codes, prepend=-1))
        ends = np.append(places[1:], len(codes))
        code_ends = np.append(codes[places[1:]], block.end)
        pieces += [
            Piece(block.text[place:end], int(codes[place]), int(code_end), bits=float(total))
            for place, end, code_end, total in zip(
                places, ends, code_ends, np.add.reduceat(paid, places), strict=True
            )
        ]
    return pieces


def _symbols(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8).astype(np.int64)
