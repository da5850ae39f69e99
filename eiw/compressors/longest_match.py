"""Cuts texts into the longest entries of a dictionary, as fast as memory allows.

The dictionary is a trie in a double array (Aoe 1989): the child of a node by byte b, if there is
one, stands at `table[base(node) + b]` and carries b as its label. No two nodes have the same base,
so the label tells a child from a stranger. One 64-bit word holds all of a node:

    bits    63 .. 43     42 .. 32     31 .. 9     8 .. 0
            code         length       base        label, 256 in empty places

Code and length (of what is cut off) are those of the longest entry on the path to the node, so
that a walk need not look back when it ends at a node that is no entry. A table of the 65,536 first
two bytes saves the two steps that miss the cache most.
"""

from collections.abc import Sequence

import numpy as np

from eiw.coding import jit

LABEL_BITS, BASE_BITS, LENGTH_BITS = 9, 23, 11
BASE_SHIFT = LABEL_BITS
LENGTH_SHIFT = BASE_SHIFT + BASE_BITS
CODE_SHIFT = LENGTH_SHIFT + LENGTH_BITS
_EMPTY = 256
MAX_LENGTH = (1 << LENGTH_BITS) - 1
MAX_TEXTS = 1 << 20


class LongestMatch:
    """A set of texts with codes, among them all 256 single bytes.

    Args:
      texts: distinct, none empty, of `MAX_LENGTH` bytes at most.
      codes: int[n], below `MAX_TEXTS`.
      advances: int[n], bytes that cutting goes on by after each text; by default all of it.

    Raises:
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
        self._table, self._first_two = _build_tables(nodes[:num_nodes])

    @property
    def tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The double array, the words after two bytes, and int32[256] codes of single bytes."""
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


# Columns of a plain trie: label, first child, next sibling (0 for none), code and length of the
# longest entry on the path (code -1 while there is none).
_LABEL, _CHILD, _SIBLING, _CODE, _LENGTH = range(5)


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
            node[_CODE], node[_LENGTH] = parent[_CODE], parent[_LENGTH]
            if depth == shared and depth < previous:
                nodes[path[depth + 1], _SIBLING] = num_nodes
            else:
                parent[_CHILD] = num_nodes
            path[depth + 1] = num_nodes
            num_nodes += 1
        nodes[path[length], _CODE], nodes[path[length], _LENGTH] = codes[index], advances[index]
        previous, previous_start = length, start
        start += length
    return num_nodes


@jit.jit
def _word(node, base):
    return np.uint64(
        node[_CODE] << CODE_SHIFT
        | node[_LENGTH] << LENGTH_SHIFT
        | base << BASE_SHIFT
        | node[_LABEL]
    )


@jit.jit
def _build_tables(nodes):
    """The double array, uint64[size], and the words after two bytes, uint64[65536]."""
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
            table[places[node]] = _word(nodes[node], bases[node])
    first = nodes[0, _CHILD]
    while first > 0:
        start = nodes[first, _LABEL] << 8
        first_two[start : start + 256] = _word(nodes[first], 0)
        second = nodes[first, _CHILD]
        while second > 0:
            first_two[start + nodes[second, _LABEL]] = _word(nodes[second], bases[second])
            second = nodes[second, _SIBLING]
        first = nodes[first, _SIBLING]
    return table, first_two


@jit.jit
def _fits(nodes, child, table, base):
    while child > 0:
        if table[base + nodes[child, _LABEL]] != _EMPTY:
            return False
        child = nodes[child, _SIBLING]
    return True


@jit.jit
def _encode(data, starts, table, first_two, single_codes, codes, code_starts):
    label_mask = np.uint64((1 << LABEL_BITS) - 1)
    base_mask = np.uint64((1 << BASE_BITS) - 1)
    length_mask = np.uint64((1 << LENGTH_BITS) - 1)
    count = np.int64(0)
    for index in range(len(starts) - 1):
        code_starts[index] = count
        place, end = starts[index], starts[index + 1]
        while place < end - 1:
            word = first_two[(np.int64(data[place]) << 8) | np.int64(data[place + 1])]
            ahead = place + 2
            while ahead < end:
                byte = np.uint64(data[ahead])
                step = table[((word >> np.uint64(BASE_SHIFT)) & base_mask) + byte]
                if step & label_mask != byte:
                    break
                word = step
                ahead += 1
            codes[count] = word >> np.uint64(CODE_SHIFT)
            count += 1
            place += np.int64((word >> np.uint64(LENGTH_SHIFT)) & length_mask)
        if place < end:
            codes[count] = single_codes[data[place]]
            count += 1
    code_starts[len(starts) - 1] = count
