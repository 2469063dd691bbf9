"""Arrays that begin at a huge page's boundary."""

from __future__ import annotations

import numpy as np
import pytest

from dnalm import pages


@pytest.mark.parametrize("shape", [(0,), (1000,), (pages.LARGE // 4,), (3, pages.LARGE // 8 + 1)])
def test_empty_is_an_array_of_that_shape_that_can_be_written(shape: tuple[int, ...]) -> None:
    array = pages.empty(shape, np.int32)
    assert array.shape == shape and array.dtype == np.int32 and array.flags.c_contiguous and array.flags.writeable
    array[...] = 7
    assert (array == 7).all()
    if array.nbytes >= pages.LARGE:
        assert array.ctypes.data % (1 << 21) == 0
