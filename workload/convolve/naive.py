"""Backend `naive`: Eq. 1's seven loops as they stand, in scalar machine code.

Like the paper's plain compiled C loop: no vectors, no tiles, sizes and strides known only at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from llvmlite import ir

from workload.convolve import Array, Shape
from workload.convolve.arguments import check_arguments
from workload.convolve.codegen import Function, compile_module, host
from workload.convolve.emitter import F32, Emitter, Value

ARGUMENTS = 22  # three addresses, Eq. 1's seven sizes, four strides each of x, w and y


def emit() -> str:
    """IR of `naive(x, w, y, seven sizes in Eq. 1's order, strides of x, w and y in bytes)`."""
    code = Emitter("naive", ARGUMENTS)
    x, w, y = code.arguments[:3]
    batch, out_channels, rows, columns, in_channels, tap_rows, tap_columns = code.arguments[3:10]
    x_strides, w_strides, y_strides = (code.arguments[first : first + 4] for first in (10, 14, 18))

    def output(b: Value, o: Value, h: Value, j: Value) -> None:
        def channel(c: Value, total: list[Value]) -> list[Value]:
            def tap_row(k: Value, total: list[Value]) -> list[Value]:
                def tap(m: Value, total: list[Value]) -> list[Value]:
                    row, column = code.builder.add(h, k), code.builder.add(j, m)
                    pixel = code.load(at(x, x_strides, b, c, row, column))
                    weight = code.load(at(w, w_strides, o, c, k, m))
                    return [code.builder.fadd(total[0], code.builder.fmul(pixel, weight))]

                return code.loop(tap_columns, tap, total)

            return code.loop(tap_rows, tap_row, total)

        total = code.loop(in_channels, channel, [ir.Constant(F32, 0.0)])
        code.store(total[0], at(y, y_strides, b, o, h, j))

    def at(base: Value, strides: Sequence[Value], *index: Value) -> Value:
        for number, stride in zip(index, strides, strict=True):
            base = code.offset(base, number, stride)
        return base

    def nest(counts: Sequence[Value], *index: Value) -> None:
        if counts:
            code.loop(counts[0], lambda number, _: nest(counts[1:], *index, number))
        else:
            output(*index)

    nest([batch, out_channels, rows, columns])
    return code.finish()


@cache
def _function() -> Function:
    return Function(compile_module(emit(), host(), optimised=True), "naive", ARGUMENTS)


def compile_for(x_shape: Shape, w_shape: Shape) -> None:  # noqa: ARG001 - one code serves every shape
    """Compiles ahead of the first call."""
    _function()


def convolve(x: Array, w: Array, y: Array) -> None:
    """y = x * w by Eq. 1, summed in float32, channel by channel and tap by tap. Shapes: `workload.convolve`.

    Raises ValueError naming a wrong shape, dtype or stride.
    """
    check_arguments(x, w, y)
    addresses = (array.ctypes.data for array in (x, w, y))
    _function()(*addresses, *y.shape, *w.shape[1:], *x.strides, *w.strides, *y.strides)
