"""Loops, addresses and float32 values in LLVM IR, as the code generators write them.

All integers, addresses included, have 64 bits. All strides and offsets are bytes, so that they may be anything that
numpy allows, negative ones included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from llvmlite import ir

Value: TypeAlias = ir.Value

I32 = ir.IntType(32)
I64 = ir.IntType(64)
F32 = ir.FloatType()


def vector(lanes: int) -> ir.Type:
    return ir.VectorType(F32, lanes)


def constant(value: int) -> Value:
    return ir.Constant(I64, value)


def integer(value: Value | int) -> Value:
    return constant(value) if isinstance(value, int) else value


class Emitter:
    """An IR function under construction, `name(int64, ...) -> None`, with its arguments in `self.arguments`."""

    def __init__(self, name: str, arguments: int) -> None:
        self.module = ir.Module(name)
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
        self.arguments: Sequence[Value] = function.args
        self.builder = ir.IRBuilder(function.append_basic_block())

    def finish(self) -> str:
        """Ends the function and returns the module's text."""
        self.builder.ret_void()
        return str(self.module)

    def offset(self, address: Value, index: Value | int, stride: Value | int) -> Value:
        """address + index * stride"""
        return self.builder.add(address, self.builder.mul(integer(index), integer(stride)))

    def minimum(self, left: Value, right: Value) -> Value:
        return self.builder.select(self.builder.icmp_signed("<", left, right), left, right)

    def load(self, address: Value, kind: ir.Type = F32) -> Value:
        """A scalar or vector from an address of any alignment."""
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=1)

    def store(self, value: Value, address: Value) -> None:
        """A scalar or vector to an address of any alignment."""
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer()), align=1)

    def stream(self, value: Value, address: Value, alignment: int) -> None:
        """A non-temporal store of a vector to an aligned address: `fence` once after the last."""
        pointer = self.builder.inttoptr(address, value.type.as_pointer())
        written = self.builder.store(value, pointer, align=alignment)
        written.set_metadata("nontemporal", self.module.add_metadata([ir.Constant(I32, 1)]))

    def fence(self) -> None:
        """Makes non-temporal stores visible before whatever is stored afterwards (x86)."""
        self.call("llvm.x86.sse.sfence", ir.VoidType(), [], [])

    def broadcast(self, address: Value, lanes: int) -> Value:
        """The scalar at an address in every lane of a vector."""
        one = self.builder.insert_element(
            ir.Constant(vector(lanes), ir.Undefined), self.load(address), ir.Constant(I32, 0)
        )
        return self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))

    def multiply_add(self, left: Value, right: Value, total: Value) -> Value:
        """left * right + total, fused if the CPU can."""
        kind = total.type
        return self.call(f"llvm.fmuladd.v{kind.count}f32", kind, [kind] * 3, [left, right, total])

    def prefetch(self, address: Value) -> None:
        """Prefetches the cache line of an address. Any address will do, since a prefetch never faults."""
        pointer = ir.IntType(8).as_pointer()
        read, keep, data = (ir.Constant(I32, value) for value in (0, 3, 1))
        values = [self.builder.inttoptr(address, pointer), read, keep, data]
        self.call("llvm.prefetch.p0", ir.VoidType(), [pointer, I32, I32, I32], values)

    def hidden(self, value: Value) -> Value:
        """The same integer, its origin hidden from the optimiser by an empty assembly statement.

        LLVM's loop strength reduction turns addresses that follow from a loop's index into dozens of induction
        variables, more than there are registers. It leaves alone what it cannot see through.
        """
        return self.builder.asm(ir.FunctionType(I64, [I64]), "", "=r,0", [value], side_effect=False)

    def call(self, name: str, result: ir.Type, kinds: Sequence[ir.Type], values: Sequence[Value]) -> Value:
        """Calls one of LLVM's intrinsics."""
        known = self.module.globals.get(name)
        return self.builder.call(known or ir.Function(self.module, ir.FunctionType(result, kinds), name), values)

    def loop(
        self,
        count: Value | int,
        body: Callable[[Value, list[Value]], Sequence[Value] | None],
        carried: Sequence[Value] = (),
        step: Value | int = 1,
    ) -> list[Value]:
        """`for index in range(0, count, step): carried = body(index, carried)`; returns the last `carried`.

        The count must be at least 1, since the test stands at the end.
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
        following = builder.add(index, integer(step))
        for phi, value in zip([index, *phis], [following, *results], strict=True):
            phi.add_incoming(value, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, integer(count)), inside, after)
        builder.position_at_end(after)
        return results

    def _phi(self, first: Value, block: ir.Block) -> Value:
        phi = self.builder.phi(first.type)
        phi.add_incoming(first, block)
        return phi
