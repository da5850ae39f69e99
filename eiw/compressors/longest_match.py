"""Cuts texts into the longest entries of a dictionary, as fast as memory allows.

The dictionary is a trie in a double array (Aoe 1989): the child of a node by byte b, if there is
one, stands at `table[base(node) + b]` and carries b as its label. No two nodes have the same base,
so the label tells a child from a stranger. One 64-bit word holds all of a node:

    bits    63 .. 43     42 .. 32     31 .. 9     8 .. 0
            code         back         base        label, 256 in empty places

The code is that of the longest entry on the path to the node, and `back` the bytes from the node
back to where that entry ends (where cutting goes on), so that a walk need not look back when it
ends at a node that is no entry. A table of the 65,536 first two bytes saves the two steps that miss
the cache most.

A walk waits for memory at every step. So as long as there are several texts, four of them are
walked in turns, without a branch: a processor works on all four at once.
"""

from collections.abc import Sequence

import numpy as np

from eiw import errors
from eiw.coding import jit

LABEL_BITS, BASE_BITS, BACK_BITS = 9, 23, 11
BASE_SHIFT = LABEL_BITS
BACK_SHIFT = BASE_SHIFT + BASE_BITS
CODE_SHIFT = BACK_SHIFT + BACK_BITS
_EMPTY = 256
MAX_LENGTH = (1 << BACK_BITS) - 1
MAX_TEXTS = 1 << 20


class LongestMatch:
    """A set of texts with codes, among them all 256 single bytes.

    Args:
      texts: distinct, none empty, of `MAX_LENGTH` bytes at most.
      codes: int[n], below `MAX_TEXTS`.
      advances: int[n], bytes that cutting goes on by after each text; by default all of it.

    Raises:
      InputError: there are too many texts, or they are too long together.
      ValueError: a single byte is missing, or a text is too long.
    """

    def __init__(
        self, texts: Sequence[bytes], codes: np.ndarray, advances: np.ndarray | None = None
    ) -> None:
        order = sorted(range(len(texts)), key=texts.__getitem__)
        if sum(len(text) == 1 for text in texts) != 256:
            raise ValueError("a dictionary needs every single byte")
        if max(map(len, texts)) > MAX_LENGTH:
            raise ValueError(f"texts of more than {MAX_LENGTH} bytes do not fit")
        if max(codes) >= MAX_TEXTS:
            raise errors.InputError(
                f"A dictionary of codes up to {max(codes)} is too large: {MAX_TEXTS:,} at most."
            )
        self._single_codes = np.empty(256, np.int32)
        for text, code in zip(texts, codes, strict=True):
            if len(text) == 1:
                self._single_codes[text[0]] = code
        lengths = np.array([len(texts[index]) for index in order], np.int64)
        joined = np.frombuffer(b"".join(texts[index] for index in order), np.uint8)
        nodes = np.zeros((lengths.sum() + 1, 5), np.int64)
        num_nodes = _build_trie(
            joined,
            lengths,
            np.asarray(codes, np.int64)[order],
            lengths if advances is None else np.asarray(advances, np.int64)[order],
            nodes,
        )
        self._table, self._first_two, highest_base = _build_tables(nodes[:num_nodes])
        if highest_base >> BASE_BITS:
            raise errors.InputError(
                f"A dictionary whose {len(texts):,} texts have {num_nodes:,} beginnings is too "
                "large to cut text with: choose fewer texts, or shorter ones."
            )

    @property
    def tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The double array, the words after two bytes, and int32[256] codes of single bytes.

        The word after bytes a and b stands at a + 256 b.
        """
        return self._table, self._first_two, self._single_codes

    def encode(self, data: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cuts texts that follow one another.

        Args:
          data: uint8[n].
          starts: int64[m + 1], where each text begins, and n.

        Returns:
          The codes of all, int32[k], and where each text's begin, int64[m + 1].
        """
        codes = np.empty(len(data), np.int32)
        code_starts = np.empty(len(starts), np.int64)
        _encode(data, starts, *self.tables, codes, code_starts)
        return codes[: code_starts[-1]].copy(), code_starts


def joined(texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Texts one after another, uint8[n], and where each begins, int64[m + 1]."""
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=starts[1:])
    return np.frombuffer(b"".join(texts), np.uint8), starts


# Columns of a plain trie: label, first child, next sibling (0 for none), code of the longest entry
# on the path (-1 while there is none) and how far back it ends.
_LABEL, _CHILD, _SIBLING, _CODE, _BACK = range(5)


@jit.jit
def _build_trie(joined, lengths, codes, advances, nodes):
    """Adds texts in lexicographic order, so that only the newest child can be shared."""
    path = np.zeros(lengths.max() + 1, np.int64)
    previous, previous_start, start = np.int64(0), np.int64(0), np.int64(0)
    nodes[0, _CODE] = -1
    num_nodes = np.int64(1)
    for index in range(len(lengths)):
        length = lengths[index]
        shared = 0
        while (
            shared < min(length, previous)
            and joined[start + shared] == joined[previous_start + shared]
        ):
            shared += 1
        for depth in range(shared, length):
            node, parent = nodes[num_nodes], nodes[path[depth]]
            node[_LABEL] = joined[start + depth]
            node[_CODE], node[_BACK] = parent[_CODE], parent[_BACK] + 1
            if depth == shared and depth < previous:
                nodes[path[depth + 1], _SIBLING] = num_nodes
            else:
                parent[_CHILD] = num_nodes
            path[depth + 1] = num_nodes
            num_nodes += 1
        entry = nodes[path[length]]
        entry[_CODE], entry[_BACK] = codes[index], length - advances[index]
        previous, previous_start = length, start
        start += length
    return num_nodes


@jit.jit
def _word(node, back, base):
    return np.uint64(
        node[_CODE] << CODE_SHIFT | back << BACK_SHIFT | base << BASE_SHIFT | node[_LABEL]
    )


@jit.jit
def _build_tables(nodes):
    """The double array, uint64[size], the words after two bytes, uint64[65536], the highest base.

    Bases of more than `BASE_BITS` are cut off.
    """
    # Base 0 belongs to nodes without children: no node stands at 0 + b with label b.
    table = np.full(2 * len(nodes) + 512, np.uint64(_EMPTY), np.uint64)
    base_used = np.zeros(len(table), np.bool_)
    first_two = np.empty(1 << 16, np.uint64)
    bases = np.zeros(len(nodes), np.int64)
    places = np.zeros(len(nodes), np.int64)
    queue = np.zeros(len(nodes), np.int64)
    num_queued = np.int64(1)
    # Where the last node with so many children found room: before that, there is hardly any. To
    # try everywhere would take quadratic time, for a table a tenth smaller.
    searched_to = np.ones(257, np.int64)
    for turn in range(len(nodes)):
        node = queue[turn]
        child = nodes[node, _CHILD]
        if child > 0:
            num_children = np.int64(0)
            other = child
            while other > 0:
                num_children += 1
                other = nodes[other, _SIBLING]
            base = searched_to[num_children]
            while True:
                if base + 512 > len(table):
                    table = np.concatenate((table, np.full(len(table), np.uint64(_EMPTY))))
                    base_used = np.concatenate((base_used, np.zeros(len(base_used), np.bool_)))
                if not base_used[base] and _fits(nodes, child, table, base):
                    break
                base += 1
            base_used[base] = True
            bases[node] = searched_to[num_children] = base
            while child > 0:
                # Marked as taken now; the whole word follows when the child's base is known.
                table[base + nodes[child, _LABEL]] = nodes[child, _LABEL]
                places[child] = base + nodes[child, _LABEL]
                queue[num_queued] = child
                num_queued += 1
                child = nodes[child, _SIBLING]
        if node > 0:
            table[places[node]] = _word(nodes[node], nodes[node, _BACK], bases[node])
    first = nodes[0, _CHILD]
    while first > 0:
        # Where the second byte leads nowhere, the walk is one byte beyond the node of the first.
        first_two[nodes[first, _LABEL] :: 256] = _word(nodes[first], nodes[first, _BACK] + 1, 0)
        second = nodes[first, _CHILD]
        while second > 0:
            pair = nodes[first, _LABEL] + 256 * nodes[second, _LABEL]
            first_two[pair] = _word(nodes[second], nodes[second, _BACK], bases[second])
            second = nodes[second, _SIBLING]
        first = nodes[first, _SIBLING]
    return table, first_two, bases.max()


@jit.jit
def _fits(nodes, child, table, base):
    while child > 0:
        if table[base + nodes[child, _LABEL]] != _EMPTY:
            return False
        child = nodes[child, _SIBLING]
    return True


# A lane walks one text. uint64[lanes, 3]: the word of the node it is at, the place in the data of
# the next byte, and of the next code; a text's codes begin where its bytes do, and have room.
_LANES = 4
_WORD, _AHEAD, _COUNT = range(3)

_ONE, _TWO = np.uint64(1), np.uint64(2)
_LABEL_SHIFT, _LABEL_MASK = np.uint64(LABEL_BITS), np.uint64((1 << LABEL_BITS) - 1)
_BASE_SHIFT, _BASE_MASK = np.uint64(BASE_SHIFT), np.uint64((1 << BASE_BITS) - 1)
_BACK_SHIFT, _BACK_MASK = np.uint64(BACK_SHIFT), np.uint64((1 << BACK_BITS) - 1)
_CODE_SHIFT = np.uint64(CODE_SHIFT)


@jit.jit
def _step(lane, data, table, first_two, codes):
    """Takes a byte, or cuts where the byte leads nowhere; returns the new lane.

    Both are worked out, and one is masked: with a branch the lanes would wait for each other.
    """
    word, ahead, count = lane
    byte = np.uint64(data[ahead])
    child = table[((word >> _BASE_SHIFT) & _BASE_MASK) + byte]
    codes[count] = np.int32(word >> _CODE_SHIFT)
    after_cut = ahead - ((word >> _BACK_SHIFT) & _BACK_MASK)
    root = first_two[jit.load_pair(data, after_cut)]
    # 1 where the labels differ. As a comparison, it would become a branch.
    is_cut = (((child ^ byte) & _LABEL_MASK) + _LABEL_MASK) >> _LABEL_SHIFT
    mask = np.uint64(0) - is_cut
    word = child ^ ((child ^ root) & mask)
    ahead += _ONE
    return word, ahead ^ ((ahead ^ (after_cut + _TWO)) & mask), count + is_cut


@jit.jit
def _walk(lanes, ends, data, table, first_two, codes):
    """Walks all lanes until one of them reaches its end."""
    a, b, c, d = _lane(lanes[0]), _lane(lanes[1]), _lane(lanes[2]), _lane(lanes[3])
    while (
        a[_AHEAD] < ends[0] and b[_AHEAD] < ends[1] and c[_AHEAD] < ends[2] and d[_AHEAD] < ends[3]
    ):
        a = _step(a, data, table, first_two, codes)
        b = _step(b, data, table, first_two, codes)
        c = _step(c, data, table, first_two, codes)
        d = _step(d, data, table, first_two, codes)
    lanes[0, :], lanes[1, :], lanes[2, :], lanes[3, :] = a, b, c, d


@jit.jit
def _lane(stored):
    return stored[0], stored[1], stored[2]


@jit.jit
def _finish(lane, text_end, data, table, first_two, single_codes, codes):
    """Walks on to the end of the text; returns the place after its last code."""
    word, ahead, count = lane
    end = np.uint64(text_end)
    while True:
        while ahead < end:
            byte = np.uint64(data[ahead])
            child = table[((word >> _BASE_SHIFT) & _BASE_MASK) + byte]
            if child & _LABEL_MASK != byte:
                break
            word = child
            ahead += _ONE
        codes[count] = np.int32(word >> _CODE_SHIFT)
        count += _ONE
        place = ahead - ((word >> _BACK_SHIFT) & _BACK_MASK)
        if place + _ONE >= end:
            break
        word = first_two[jit.load_pair(data, place)]
        ahead = place + _TWO
    if place < end:
        codes[count] = single_codes[data[place]]
        count += _ONE
    return np.int64(count)


@jit.jit
def _encode(data, starts, table, first_two, single_codes, codes, code_starts):
    num_texts = len(starts) - 1
    # Codes are put where their text's bytes are, and moved together at the end.
    code_ends = code_starts[1:]
    lanes = np.zeros((_LANES, 3), np.uint64)
    lane_ends = np.zeros(_LANES, np.uint64)
    lane_texts = np.full(_LANES, -1)
    next_text, all_walk = 0, True
    while all_walk:
        for lane in range(_LANES):
            if lanes[lane, _AHEAD] < lane_ends[lane]:
                continue
            text = lane_texts[lane]
            if text >= 0:
                code_ends[text] = _finish(
                    _lane(lanes[lane]), starts[text + 1], data, table, first_two, single_codes,
                    codes,
                )  # fmt: skip
            # Texts of less than two bytes need no walk.
            while next_text < num_texts and starts[next_text + 1] - starts[next_text] < 2:
                start, code_ends[next_text] = starts[next_text], starts[next_text + 1]
                if start < code_ends[next_text]:
                    codes[start] = single_codes[data[start]]
                next_text += 1
            if next_text == num_texts:
                lane_texts[lane], all_walk = -1, False
                continue
            start = np.uint64(starts[next_text])
            lanes[lane, _WORD] = first_two[jit.load_pair(data, start)]
            lanes[lane, _AHEAD], lanes[lane, _COUNT] = start + _TWO, start
            # Up to here, neither a byte nor the two after a cut are beyond the end.
            lane_ends[lane] = np.uint64(starts[next_text + 1] - 1)
            lane_texts[lane] = next_text
            next_text += 1
        if all_walk:
            _walk(lanes, lane_ends, data, table, first_two, codes)
    for lane in range(_LANES):
        text = lane_texts[lane]
        if text >= 0:
            code_ends[text] = _finish(
                _lane(lanes[lane]), starts[text + 1], data, table, first_two, single_codes, codes
            )
    code_starts[0] = 0
    for text in range(num_texts):
        start, count = starts[text], code_starts[text]
        length = code_ends[text] - start
        for place in range(length):
            codes[count + place] = codes[start + place]
        code_starts[text + 1] = count + length
