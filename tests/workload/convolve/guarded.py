"""A program: convolves drawn shapes in arrays that lie flush against unreadable pages, then says how many.

    python -m tests.workload.convolve.guarded LEVEL STORES SHAPES

Rows of any length are streamed.

A read or write one byte outside x, y or the packed weights ends it with SIGSEGV.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings

from tests.workload.convolve.reference import Case, Float32, Layout, cases, eq1, rounding_bound
from workload.convolve import Convolve, simd, simd_kernel

PAGE = mmap.PAGESIZE
PROT_NONE = 0
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(shape: tuple[int, ...], fill: float, at_end: bool) -> Float32:
    """A contiguous array between two unreadable pages, flush with the second or the first."""
    size = 4 * math.prod(shape)
    inner = -(-size // PAGE) * PAGE
    memory = mmap.mmap(-1, inner + 2 * PAGE)
    bytes_ = np.frombuffer(memory, np.uint8)
    for guard in (bytes_.ctypes.data, bytes_.ctypes.data + PAGE + inner):
        if LIBC.mprotect(guard, PAGE, PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    start = PAGE + (inner - size if at_end else 0)
    array = bytes_[start : start + size].view(np.float32).reshape(shape)
    array[...] = fill
    return array


def view(layout: Layout, shape: tuple[int, ...], at_end: bool) -> Float32:
    flush = replace(layout, gaps=(0, 0, 0, 0))
    return flush.view(shape, np.nan, lambda extents, fill: guarded(extents, fill, at_end))[0]


def convolve_guarded(convolve: Convolve, case: Case, at_end: bool) -> None:
    values, w = case.operands()
    x, y = view(case.x_layout, case.x_shape, at_end), view(case.y_layout, case.y_shape, at_end)
    x[...] = values
    convolve(x, w, y)
    if not (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all():
        raise SystemExit(f"wrong answer for {case}")


def main(level: str, stores: str, shapes: int) -> None:
    simd.SHORTEST_STREAMED = 1
    convolve = simd.Compiler(features=level, stores=stores).convolve
    pack = simd_kernel.pack
    ends = [False]

    def guarded_pack(w: Float32, out_block: int) -> Float32:
        packed = pack(w, out_block)
        copy = guarded(packed.shape, 0, ends[0])
        copy[...] = packed
        return copy

    simd_kernel.pack = guarded_pack
    seen = 0

    @settings(max_examples=shapes, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases())
    def every(case: Case) -> None:
        nonlocal seen
        seen += 1
        for at_end in (True, False):
            ends[0] = at_end
            convolve_guarded(convolve, case, at_end)

    every()
    print(f"{seen} shapes stayed inside")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
