"""Loops, addresses and float32 values in LLVM IR: the few words the code generators are written in.

All integers are 64-bit, addresses among them; all strides and offsets are bytes, so that they may be
anything numpy allows, negative ones too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from llvmlite import ir

Value: TypeAlias = ir.Value

I32 = ir.IntType(32)
I64 = ir.IntType(64)
F32 = ir.FloatType()


def constant(value: int) -> Value:
    return ir.Constant(I64, value)


class Emitter:
    """An IR function under construction: `name(int64, ...) -> None`, arguments in `self.arguments`."""

    def __init__(self, name: str, arguments: int) -> None:
        self.module = ir.Module(name)
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
        self.arguments: Sequence[Value] = function.args
        self.builder = ir.IRBuilder(function.append_basic_block())

    def finish(self) -> str:
        """Ends the function; returns the module's text."""
        self.builder.ret_void()
        return str(self.module)

    def offset(self, address: Value, index: Value | int, stride: Value | int) -> Value:
        """address + index * stride"""
        factors = [constant(value) if isinstance(value, int) else value for value in (index, stride)]
        return self.builder.add(address, self.builder.mul(*factors))

    def load(self, address: Value, kind: ir.Type = F32) -> Value:
        """A scalar or vector from an address of any alignment."""
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=1)

    def store(self, value: Value, address: Value) -> None:
        """A scalar or vector to an address of any alignment."""
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer()), align=1)

    def loop(
        self,
        count: Value | int,
        body: Callable[[Value, list[Value]], Sequence[Value] | None],
        carried: Sequence[Value] = (),
        step: int = 1,
    ) -> list[Value]:
        """`for index in range(0, count, step): carried = body(index, carried)`; returns the last `carried`.

        The count is at least 1: the test stands at the end.
        """
        builder = self.builder
        before = builder.block
        inside = builder.append_basic_block()
        after = builder.append_basic_block()
        builder.branch(inside)
        builder.position_at_end(inside)
        index = self._phi(constant(0), before)
        phis = [self._phi(value, before) for value in carried]
        results = list(body(index, list(phis)) or ())
        following = builder.add(index, constant(step))
        for phi, value in zip([index, *phis], [following, *results], strict=True):
            phi.add_incoming(value, builder.block)
        end = constant(count) if isinstance(count, int) else count
        builder.cbranch(builder.icmp_signed("<", following, end), inside, after)
        builder.position_at_end(after)
        return results

    def _phi(self, first: Value, block: ir.Block) -> Value:
        phi = self.builder.phi(first.type)
        phi.add_incoming(first, block)
        return phi
