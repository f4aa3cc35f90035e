"""Every plan fits its CPU's registers and the output it is for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workload.convolve.simd_plan import AVX2, AVX512, LEVELS, MAX_UNROLLED, SSE2, Level, choose, cost, strip_tiles

sizes = st.integers(1, 80)


@settings(deadline=None)
@given(st.sampled_from(LEVELS), st.tuples(sizes, sizes, sizes, sizes), st.integers(1, 3000), st.integers(1, 3000))
def test_fits(level: Level, w_shape: tuple[int, int, int, int], out_rows: int, out_columns: int) -> None:
    plan = choose(level, w_shape, out_rows, out_columns)
    sums = plan.vectors * plan.rows * plan.out_block
    assert sums + plan.vectors * plan.rows + 1 < level.registers
    assert plan.lanes <= level.lanes
    assert plan.columns <= out_columns
    assert plan.rows <= out_rows
    assert plan.out_block <= w_shape[0]
    assert w_shape[2] % plan.patch[0] == w_shape[3] % plan.patch[1] == 0
    assert sums * plan.patch[0] * plan.patch[1] <= MAX_UNROLLED
    assert plan.rows == 1 or plan.patch[0] == w_shape[2]
    assert strip_tiles(plan, w_shape) >= 1


@pytest.mark.parametrize(("level", "lanes"), [(AVX512, 16), (AVX2, 8), (SSE2, 4)])
def test_uses_whole_registers(level: Level, lanes: int) -> None:
    assert choose(level, (3, 3, 3, 3), 1022, 1022).lanes == lanes
    assert choose(level, (3, 3, 3, 3), 1022, 3).lanes == 2


def test_narrow_output_takes_several_rows() -> None:
    assert choose(AVX512, (1, 1, 3, 3), 30, 30).rows > 1


def test_cost_counts_the_waste_of_a_last_tile() -> None:
    tile = (2, 1, 1)
    assert cost(8, tile, (1, 1, 3, 3), 1, 17) == 2 * cost(8, tile, (1, 1, 3, 3), 1, 16)
