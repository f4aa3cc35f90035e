"""CUDA C for a shape: what its tiling promises, and that NVIDIA's compiler makes good code of it without a GPU.

`test_backends.py` has the kernel's arithmetic, which a CPU carries out from the same source.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.marks import thorough
from workload.convolve.cuda_kernel import NAME, WARP, choose, launched, pack, source
from workload.gpu import compiler
from workload.gpu.compiler import compile_for, loaded


def _compiler_missing() -> bool:
    try:
        loaded()
    except RuntimeError:
        return True
    return False


needs_compiler = pytest.mark.skipif(
    _compiler_missing(), reason="the CUDA compiler is not installed: '.[gpu]' brings it"
)
SHAPES = {  # x and w
    "paper-3x3": ((80, 3, 1024, 1024), (3, 3, 3, 3)),
    "paper-5x5": ((80, 3, 1024, 1024), (3, 3, 5, 5)),
    "mid-16x16": ((8, 16, 256, 256), (16, 16, 3, 3)),
    "deep-64x64": ((8, 64, 256, 256), (64, 64, 3, 3)),
    "deep-256x256": ((8, 256, 64, 64), (256, 256, 3, 3)),
    "pointwise": ((8, 64, 256, 256), (64, 64, 1, 1)),
    "odd": ((3, 5, 13, 17), (11, 5, 4, 6)),
    "one pixel": ((1, 1, 1, 1), (1, 1, 1, 1)),
    "large taps": ((1, 3, 100, 90), (10, 3, 37, 90)),
    "large plane": ((1, 1, 70_000, 70_000), (1, 1, 3, 3)),
}
sizes = st.integers(1, 200)


@given(outs=sizes, channels=st.integers(1, 9), rows=sizes, columns=sizes, taps=st.integers(1, 20))
def test_a_tiling_covers_the_output_within_the_limits_of_a_gpu(
    outs: int, channels: int, rows: int, columns: int, taps: int
) -> None:
    tap_rows, tap_columns = min(taps, rows), min(taps, columns)
    w_shape = (outs, channels, tap_rows, tap_columns)
    tiling = choose((1, channels, rows, columns), w_shape)
    y_shape = (5, outs, rows - tap_rows + 1, columns - tap_columns + 1)
    blocks, threads, positions = launched(tiling, y_shape)
    assert tap_rows % tiling.band == 0
    assert threads.x % WARP == 0
    assert threads.x * threads.y <= 1024
    assert blocks.x * threads.x >= positions > (blocks.x - 1) * threads.x
    assert blocks.y * threads.y * tiling.outs >= outs
    assert tiling.outs * tiling.rows <= 64


def test_weights_are_packed_by_sets_of_channels_and_filled_up_with_zeros() -> None:
    w = np.arange(1, 10 * 2 * 3 * 3 + 1, dtype=np.float32).reshape(10, 2, 3, 3)
    tiling = choose((1, 2, 9, 9), w.shape)
    packed = pack(w, tiling)
    assert (tiling.outs, tiling.padded_outs) == (5, 8)
    assert packed.shape == (2, 2, 3, 3, 8)
    np.testing.assert_array_equal(packed[..., :5].transpose(0, 4, 1, 2, 3).reshape(w.shape), w)
    assert not packed[..., 5:].any()


@needs_compiler
@pytest.mark.parametrize(
    ("name", "capability"),
    [
        case if case[0] == "paper-3x3" or case[1] == 90 else thorough(*case)
        for case in itertools.product(SHAPES, (80, 89, 90))
    ],
)
def test_compiles_without_a_gpu_and_keeps_its_sums_in_registers(name: str, capability: int) -> None:
    x_shape, w_shape = SHAPES[name]
    code, said = compile_for(source(choose(x_shape, w_shape), x_shape, w_shape), capability)
    assert code[:4] == b"\x7fELF"
    spilled = re.search(r"(\d+) bytes spill stores", said)
    assert spilled is not None, said
    assert int(spilled[1]) <= 8, said  # a pointer, once a thread
    assert f"entry function '{NAME}' for 'sm_{capability}'" in said


@needs_compiler
def test_a_gpu_newer_than_the_compiler_gets_code_that_its_driver_translates() -> None:
    x_shape, w_shape = SHAPES["paper-3x3"]
    code, _ = compile_for(source(choose(x_shape, w_shape), x_shape, w_shape), 990)
    assert b".target sm_90" in code
    assert b"fma.rn.f32" in code
    assert b"tf32" not in code
    assert b"ftz" not in code  # denormal numbers stay


@needs_compiler
def test_a_gpu_older_than_the_compiler_knows_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"of compute capability 3\.0 is too old: \d\.\d is needed"):
        compile_for("", 30)


@needs_compiler
def test_what_the_compiler_refuses_is_said_in_one_line() -> None:
    with pytest.raises(RuntimeError, match=r"refuses the kernel for sm_90: .*undefined") as caught:
        compile_for('extern "C" __global__ void convolve() { nothing(); }', 90)
    assert "\n" not in str(caught.value)


def test_without_the_compiler_a_person_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "LIBRARY", "libnothing.so.1")
    with pytest.raises(RuntimeError, match=r"no CUDA compiler: 'pip install .* brings it") as caught:
        compiler.loaded.__wrapped__()
    assert "\n" not in str(caught.value)
