"""Buffers are touched page by page and filled with NaN, also those that are part of a larger array."""

import numpy as np
import pytest

from workload.movement.movement import PAGE_ELEMENTS, fill_with_nan, touch


@pytest.mark.parametrize("part", [np.s_[:], np.s_[1:3, :, 2:5], np.s_[:, 1:, :, 1:4], np.s_[0:0], np.s_[:, :, :, 6:]])
def test_a_part_is_filled_and_nothing_else(part: tuple[slice, ...]) -> None:
    array = np.zeros((4, 2, 6, 7), np.float32)
    fill_with_nan(array[part])
    filled = np.zeros(array.shape, bool)
    filled[part] = True
    np.testing.assert_array_equal(np.isnan(array), filled)


@pytest.mark.parametrize("columns", [1, 5, PAGE_ELEMENTS + 1, 3 * PAGE_ELEMENTS])
def test_every_page_of_a_part_is_written_to(columns: int) -> None:
    array = np.zeros((3, 5 * PAGE_ELEMENTS), np.float32)
    for part in (array[:, 7 : 7 + columns], np.zeros((9, columns), np.float32)):
        part.fill(0)
        touch(part)
        written = np.isnan(part)
        assert written[:, 0].all() or part.flags.c_contiguous
        ends = [0, *np.flatnonzero(written.reshape(-1)), part.size - 1]
        assert max(np.diff(ends)) <= PAGE_ELEMENTS
        assert written.reshape(-1)[-1]
