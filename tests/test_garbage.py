import gc

import pytest

from eiw import garbage


def test_nobody_looks_for_garbage_until_the_block_ends():
    with pytest.raises(KeyError), garbage.kept():
        assert not gc.isenabled()
        with garbage.kept():
            pass
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
