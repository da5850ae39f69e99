from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eiw.compressors import text_table

# Shorter and longer than a slot, and just as long.
TEXTS = st.binary(max_size=30) | st.integers(13, 18).map(lambda length: b"x" * length)


@given(st.lists(TEXTS, min_size=1, max_size=9), st.data())
def test_entries_are_joined(texts, data):
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
    table = text_table.TextTable(np.frombuffer(b"".join(texts), np.uint8), offsets)
    assert table.texts() == texts
    entry = st.integers(0, len(texts) - 1)
    lists = data.draw(st.lists(st.lists(entry, max_size=20), max_size=4))
    starts = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    entries = np.array([entry for one in lists for entry in one], np.int32)
    expected = [b"".join(texts[entry] for entry in one) for one in lists]
    assert table.decode(entries, starts) == expected
    with mock.patch.object(text_table, "_MOST_ROOM", 0):
        assert table.decode(entries, starts) == expected
