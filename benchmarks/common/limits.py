"""What the machine can do at most: multiply-adds from registers, and bytes through memory. One thread.

The loops are emitted, so that the limit is the instruction set's and not a library's.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from workload.convolve.codegen import Function, Target, compile_module, host
from workload.convolve.emitter import I32, Emitter, Value, constant, vector

LINE = 64  # bytes of a cache line
LINE_FLOATS = LINE // 4
SUMS = 12  # independent sums: more than the latency of a multiply-add times its units
ROUNDS = 8


class MultiplyAdd:
    """Runs a number of float32 multiply-adds as fast as registers allow."""

    def __init__(self, lanes: int, target: Target | None = None) -> None:
        self._per_step = lanes * SUMS * ROUNDS
        self._work = np.zeros(2 * lanes, np.float32)
        code = compile_module(_emit_multiply_add(lanes), target or host(), optimised=False)
        self._function = Function(code, "multiply_add", 2)

    def __call__(self, count: int) -> None:
        """At least `count`, rounded up to whole steps of the loop."""
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
    for total in sums:  # stored, so that every one of them is needed
        code.store(total, code.builder.add(work, constant(4 * lanes)))
    return code.finish()


class Copy:
    """Reads every line of x and writes every line of y, by ordinary or by non-temporal stores."""

    def __init__(self, streamed: bool) -> None:
        name = "copy"
        self._function = Function(compile_module(_emit_copy(name, streamed), host(), optimised=False), name, 4)

    def __call__(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> None:
        """x and y are contiguous and begin at a cache line; what is left of a last line is left out."""
        self._function(x.ctypes.data, x.nbytes // LINE, y.ctypes.data, y.nbytes // LINE)


def _emit_copy(name: str, streamed: bool) -> str:
    """IR of `copy(x, lines of x, y, lines of y)`: line by line, then the rest of the longer one."""
    code = Emitter(name, 4)
    x, x_lines, y, y_lines = code.arguments
    builder, line = code.builder, vector(LINE_FLOATS)
    both = code.minimum(x_lines, y_lines)

    def store(value: Value, number: Value) -> None:
        pointer = builder.inttoptr(code.offset(y, number, LINE), line.as_pointer())
        written = builder.store(value, pointer, align=LINE)
        if streamed:
            written.set_metadata("nontemporal", code.module.add_metadata([ir.Constant(I32, 1)]))

    code.loop(both, lambda number, _: store(code.load(code.offset(x, number, LINE), line), number))
    with builder.if_then(builder.icmp_signed("<", both, x_lines)):

        def read(number: Value, total: list[Value]) -> list[Value]:
            return [builder.fadd(total[0], code.load(code.offset(x, builder.add(both, number), LINE), line))]

        (total,) = code.loop(builder.sub(x_lines, both), read, [ir.Constant(line, None)])
        store(total, constant(0))
    with builder.if_then(builder.icmp_signed("<", both, y_lines)):
        zero = ir.Constant(line, None)
        code.loop(builder.sub(y_lines, both), lambda number, _: store(zero, builder.add(both, number)))
    if streamed and host().triple.startswith("x86_64"):
        fence = ir.Function(code.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse.sfence")
        builder.call(fence, [])
    return code.finish()
