"""Measures how many multiply-adds a core can do at most: from registers, one thread.

The loop is emitted as machine code, so that the instruction set is the limit and not a library.
"""

from __future__ import annotations

import numpy as np

from workload.convolve.codegen import CpuTarget, Function, compile_module, host
from workload.convolve.emitter import Emitter, Value, constant, vector

SUMS = 12  # independent sums: more than latency times throughput of multiply-adds
ROUNDS = 8


class MultiplyAdd:
    """Runs a number of float32 multiply-adds as fast as registers allow."""

    def __init__(self, lanes: int, target: CpuTarget | None = None) -> None:
        self._per_step = lanes * SUMS * ROUNDS
        self._work = np.zeros(2 * lanes, np.float32)
        code = compile_module(_emit_multiply_add(lanes), target or host(), optimised=False)
        self._function = Function(code, "multiply_add", 2)

    def __call__(self, count: int) -> None:
        """Runs at least `count` multiply-adds, rounded up to whole steps of the loop."""
        self._function(self._work.ctypes.data, -(-count // self._per_step))


def _emit_multiply_add(lanes: int) -> str:
    """IR of `multiply_add(address of a factor and the sums, steps)`."""
    code = Emitter("multiply_add", 2)
    work, steps = code.arguments
    factor = code.load(work, vector(lanes))

    def step(_: Value, sums: list[Value]) -> list[Value]:
        for _round in range(ROUNDS):
            sums = [code.multiply_add(factor, factor, total) for total in sums]
        return sums

    sums = code.loop(steps, step, [factor] * SUMS)
    for total in sums:  # or the optimiser could drop them
        code.store(total, code.builder.add(work, constant(4 * lanes)))
    return code.finish()
