"""What a probe runs on a GPU: right arithmetic, carried out by a CPU, and good code from NVIDIA's compiler."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workload.gpu.played import COMPILER, NO_COMPILER, PlayedMemory, compiled
from workload.gpu import compiler
from workload.probe.gpu_kernels import (
    COPY,
    FLOPS,
    MULTIPLY_ADD,
    QUAD_BYTES,
    QUADS,
    ROUNDS,
    STEPS,
    SUMS,
    THREADS,
    launched,
    source,
)

needs_player = pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)


def _compiler_missing() -> bool:
    try:
        compiler.loaded()
    except RuntimeError:
        return True
    return False


needs_compiler = pytest.mark.skipif(
    _compiler_missing(), reason="the CUDA compiler is not installed: '.[gpu]' brings it"
)


def run(name: str, folder: Path, x: np.ndarray, positions: int, launched_for: int) -> np.ndarray:
    """What the kernel leaves in as many floats as x has, NaN where it wrote nothing."""
    there, y = PlayedMemory(x.nbytes), PlayedMemory(x.nbytes)
    there.floats[...] = x
    compiled(source(name), folder, name)(*launched(name, launched_for), (there, y), positions)
    found = y.floats.copy()
    y.free()
    return found


@needs_player
@settings(max_examples=25, deadline=None)
@given(positions=st.integers(1, 3 * THREADS * QUADS), more=st.integers(0, 5))
def test_a_copy_takes_every_position_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, positions: int, more: int
) -> None:
    x = np.arange(1, (positions + more) * QUAD_BYTES // 4 + 1, dtype=np.float32)
    found = run(COPY, tmp_path_factory.getbasetemp(), x, positions, positions)
    taken = positions * QUAD_BYTES // 4
    np.testing.assert_array_equal(found[:taken], x[:taken])
    assert np.isnan(found[taken:]).all()


@needs_player
@pytest.mark.parametrize("positions", [1, THREADS - 1, THREADS + 3])
def test_multiply_adds_are_done_and_end_at_their_fixed_point(tmp_path: Path, positions: int) -> None:
    """x + x s = s, so each of the sums ends at x / (1 - x)."""
    x = np.linspace(0.25, 0.75, THREADS + 5, dtype=np.float32)
    found = run(MULTIPLY_ADD, tmp_path, x, positions, positions)
    np.testing.assert_allclose(found[:positions], SUMS * x[:positions] / (1 - x[:positions]), rtol=1e-5)
    assert np.isnan(found[positions:]).all()
    assert FLOPS == 2 * SUMS * ROUNDS * STEPS


@needs_compiler
@pytest.mark.parametrize("capability", [80, 89, 90])
@pytest.mark.parametrize("name", [COPY, MULTIPLY_ADD])
def test_compiles_without_a_gpu_and_stays_in_registers(name: str, capability: int) -> None:
    code, said = compiler.compile_for(source(name), capability)
    assert code[:4] == b"\x7fELF"
    assert "0 bytes spill stores" in said, said
    assert f"entry function '{name}' for 'sm_{capability}'" in said


@needs_compiler
def test_the_compiler_keeps_what_is_measured() -> None:
    """Loads of a quad each and as many stores; in the loop a fused multiply-add of each sum in each round."""
    copy = compiler.compile_for(source(COPY), 990)[0].decode()
    loads, stores = (re.findall(rf"{what}\.global\S*\.v4\.\S+", copy) for what in ("ld", "st"))
    assert (len(loads), len(stores)) == (QUADS, QUADS)
    adds = compiler.compile_for(source(MULTIPLY_ADD), 990)[0].decode()
    assert adds.count("fma.rn.f32") in (SUMS * ROUNDS, 2 * SUMS * ROUNDS), "of one turn of the loop, or of two"
    assert "ftz" not in adds


def test_a_launch_covers_the_positions() -> None:
    for name, of_block in ((COPY, THREADS * QUADS), (MULTIPLY_ADD, THREADS)):
        for positions in (1, of_block, of_block + 1):
            blocks, threads = launched(name, positions)
            assert (blocks.y, threads) == (1, (THREADS, 1))
            assert (blocks.x - 1) * of_block < positions <= blocks.x * of_block
