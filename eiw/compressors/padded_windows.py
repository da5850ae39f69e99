"""The paper's own ends of Equal-Info Windows: greedy and delay (Lester et al. 2024, 3.3, A.5, D.5).

A window takes the longest text s whose interval still encloses one of the 2^W cells. Its code is
the shortest string of bits whose every continuation falls into I(s), padded with zeros to W:

    I(s)    [---------------------------)
    cells     | 011 | 100 | 101 | 110 |          10 and any bits: in I(s); 1 and any bits: not
                    |    10     |                so the code of s is 10 and, padded, cell 100

Texts that begin with s can have the same code, when what follows s adds only zeros. So:

  - *greedy*, the paper's default, decodes by trying lengths: the longest text with that code. A
    fifth of all windows come back wrong at W = 16; `count_lost` says how many.
  - *delay* emits the code of s and goes on after the SHORTEST text that has it, which is the one
    that decodes. Exact, for an eighth more codes.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from eiw import errors, vocab
from eiw.coding import byte_model
from eiw.compressors import window_format, window_node, window_trie


def padded_code(cells: range) -> int:
    """The code of a text whose interval encloses `cells`, at least one: itself a cell.

    Of the parts of the unit interval that a string of bits names, the largest within, the lowest
    of these.
    """
    for zeros in range((cells.stop - cells.start).bit_length(), -1, -1):
        code = -(-cells.start >> zeros) << zeros
        if code + (1 << zeros) <= cells.stop:
            return code
    raise ValueError("a text that fits into no window has no code")


def next_window(
    root: window_node.WindowNode, symbols: Sequence[int], window_end: str
) -> tuple[int, window_node.WindowNode]:
    """The first window of `symbols`, at least one: its cell, and the text that it takes."""
    node, nodes, codes = root, [], []
    for symbol in symbols:
        node = node.child(symbol)
        if node is None:
            break
        nodes.append(node)
        codes.append(padded_code(node.enclosed_cells))
    return codes[-1], nodes[-1 if window_end == "greedy" else codes.index(codes[-1])]


def decode_cell(
    root: window_node.WindowNode, cell: int, window_end: str
) -> tuple[list[int], window_node.WindowNode]:
    """The symbols that a window stands for, and their node.

    Raises:
      InputError: no text has this code.
    """
    texts = list(_texts_with_code(root, cell))
    if not texts:
        raise errors.InputError(f"No text has the code {cell}, so no encoder wrote it.")
    if window_end == "delay":
        return texts[0]
    # Nothing follows EOS; it may be the last text of the line, but texts of bytes end before it.
    ends_in_eos = texts[-1][0][-1] == vocab.EOS_SYMBOL
    return texts[-2] if ends_in_eos and len(texts) > 1 else texts[-1]


def enumerate_padded(
    model: byte_model.ByteModel, settings: window_format.WindowFormat
) -> window_trie.WindowTexts:
    """All texts of bytes that fit, with their codes, and which of them each code decodes to.

    Raises:
      InputError: windows so wide that their trie would have millions of texts.
    """
    trie = window_trie.walk_windows(model, settings)
    bounds = zip(trie.first_cells.tolist(), trie.end_cells.tolist(), strict=True)
    codes = np.array([padded_code(range(first, end)) for first, end in bounds], np.int32)
    numbers = np.arange(1, len(codes))  # all but the empty text
    _, offsets = trie.spell(numbers)
    # All texts with one code lie on one path, so no two are equally long. Sorted by code, and by
    # how near each is to the one that its code decodes to, that one comes first.
    lengths = np.diff(offsets)
    nearness = -lengths if settings.window_end == "greedy" else lengths
    numbers = numbers[np.lexsort((nearness, codes[1:]))]
    cells, firsts = np.unique(codes[numbers], return_index=True)
    numbers = np.concatenate([numbers[firsts], np.delete(numbers, firsts)])
    owners = np.full(1 << settings.window_bits, -1, np.int32)
    owners[cells] = np.arange(len(cells))
    return window_trie.WindowTexts(*trie.spell(numbers), codes[numbers], owners)


def _texts_with_code(
    root: window_node.WindowNode, cell: int
) -> Iterator[tuple[list[int], window_node.WindowNode]]:
    """The texts whose code is `cell`, the shortest first: all lie on the way to that cell."""
    node, symbols = root, []
    while (symbol := node.symbol_enclosing(cell)) is not None:
        node = node.child(symbol)
        symbols.append(symbol)
        if padded_code(node.enclosed_cells) == cell:
            yield symbols.copy(), node
