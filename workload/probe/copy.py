"""Copies as fast as one thread can: the limit of whatever reads x and writes y through memory.

The loops are emitted, so that the limit is the instruction set's and not a library's.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from workload.convolve.codegen import Function, compile_module, host
from workload.convolve.emitter import Emitter, Value, constant, vector

LINE = 64  # bytes of a cache line
LINE_FLOATS = LINE // 4


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
        address = code.offset(y, number, LINE)
        if streamed:
            code.stream(value, address, LINE)
        else:
            code.store(value, address)

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
        code.fence()
    return code.finish()
