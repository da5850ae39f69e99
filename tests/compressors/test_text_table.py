import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eiw.compressors import text_table


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=9), st.data())
def test_entries_are_joined(texts, data):
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
    table = text_table.TextTable(np.frombuffer(b"".join(texts), np.uint8), offsets)
    assert table.texts() == texts
    entries = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=40))
    expected = b"".join(texts[entry] for entry in entries)
    assert table.decode(np.array(entries, np.int64)) == expected
