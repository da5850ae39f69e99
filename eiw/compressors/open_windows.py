"""Equal-Info Windows of a text that may go on: what its last windows can be.

The windows of a text and of a longer one are the same up to the first that, in the longer one, may
reach over the shorter one's end: where the rest of the text fits, its cells are those that its
interval encloses. And where what follows leads to no code of these, a shorter text is cut off, with
its own code, and the rest of it is looked at again.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from eiw.coding import bits, byte_model
from eiw.compressors import padded_windows, window_format, window_node

# Windows that begin earlier than so many bytes before the end are sure. What fits into a window and
# has no code is a few bytes longer than what has one.
_LOOK_BACK = 256


def bounds(
    model: byte_model.ByteModel,
    settings: window_format.WindowFormat,
    text: bytes,
    cells: Sequence[int],
    starts: Sequence[int],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Between what the windows of all texts lie that begin with `text`, as bits.

    Args:
      model: M1.
      settings: of the windows.
      text: any.
      cells: the windows of `text` as if it ended there.
      starts: where in `text` each of them begins.

    Returns:
      Ranges that do not meet: of each the least and the greatest bits, uint8[n]; zeros follow the
      one and ones the other. Exact windows between them are all of such texts; of those that are
      padded, as the paper does, some are no text's.
    """
    first = sum(start < len(text) - _LOOK_BACK for start in starts)
    every = settings.reset_every
    reset = first // every * every if every else 0
    place = [*starts, len(text)][first]
    context = None
    if reset < first:
        state, cdfs = model.start(1)
        for byte in text[starts[reset] : place]:
            state, cdfs = model.advance(state, np.array([byte]))
        context = state, cdfs[0]
    width = settings.window_bits
    before = [bits.bits_of(cell, width) for cell in cells[:first]]
    ranges = []
    for windows, least, greatest in _ranges(model, settings, text[place:], first, context):
        inner = [bits.bits_of(cell, width) for cell in windows]
        ends = [[bits.bits_of(end, width)] if end is not None else [] for end in (least, greatest)]
        none = np.zeros(0, np.uint8)
        ranges.append(tuple(np.concatenate([none, *before, *inner, *end]) for end in ends))
    return ranges


def _ranges(
    model: byte_model.ByteModel,
    settings: window_format.WindowFormat,
    text: bytes,
    number: int,
    context: window_node.Context | None,
) -> Iterator[tuple[list[int], int | None, int | None]]:
    """Windows, then the least and the greatest cell of one that covers what is left of the text.

    `number` windows stand before the text, and M1 has `context`. The cells are None where nothing
    is left.
    """
    if not text:
        yield [], None, None
        return
    root = window_node.root_node(model, settings, context)
    nodes = _nodes(root, text)
    others = _others(nodes, text, settings.window_end)
    if len(nodes) == len(text):
        cells = nodes[-1].enclosed_cells
        apart = {cell for cell, _ in others}
        if settings.window_end == "exact":
            if len(text) > 1:
                apart.add(nodes[0].reserved_by_itself)
        elif settings.window_end == "greedy":
            apart |= {
                code
                for code in map(_padded, nodes)
                if code in cells
                and padded_windows.decode_cell(root, code, "greedy")[1].depth < len(text)
            }
        least = cells.start
        for cell in sorted(cell for cell in apart if cell is not None and cell in cells):
            if least < cell:
                yield [], least, cell - 1
            least = cell + 1
        if least < cells.stop:
            yield [], least, cells.stop - 1
    every = settings.reset_every
    for cell, node in others:
        after = None if every and (number + 1) % every == 0 else node.context
        for windows, *ends in _ranges(model, settings, text[node.depth :], number + 1, after):
            yield [cell, *windows], *ends


def _nodes(root: window_node.WindowNode, text: bytes) -> list[window_node.WindowNode]:
    """Of the beginnings of a text, as many as fit, the shortest first."""
    nodes, node = [], root
    for byte in text:
        node = node.child(byte)
        if node is None:
            break
        nodes.append(node)
    return nodes


def _padded(node: window_node.WindowNode) -> int:
    return padded_windows.padded_code(node.enclosed_cells)


def _others(
    nodes: Sequence[window_node.WindowNode], text: bytes, window_end: str
) -> list[tuple[int, window_node.WindowNode]]:
    """The windows that can stand here and leave some of the text over: cells and nodes."""
    fits = len(nodes) == len(text)
    if window_end == "exact":
        if fits and nodes[-1].own_cells:
            return []
        coded = [node for node in nodes[: len(text) - 1] if node.own_cells]
        return [(coded[-1].code, coded[-1])] if coded else []
    if window_end == "greedy":
        return [] if fits else [(_padded(nodes[-1]), nodes[-1])]
    codes = [_padded(node) for node in nodes]
    if not fits:
        return [(codes[-1], nodes[codes.index(codes[-1])])]
    # What decodes to the shortest text with its code, of which the rest of the text is left over.
    cells, found = nodes[-1].enclosed_cells, {}
    for code, node in zip(codes[:-1], nodes, strict=False):
        if code in cells:
            found.setdefault(code, node)
    return list(found.items())
