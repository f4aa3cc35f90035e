"""Emits non-temporal stores of a tile's rows: they write whole cache lines without reading them first.

Such a store needs an aligned address, and rows of y begin anywhere, each output channel and row of a tile at another
place of its line. So every row is shifted in registers: what is stored at an aligned address is the end of one vector
and the beginning of the next, and the last vector of a tile is carried to the next tile. The first and the last vector
of a row are stored in the ordinary way where they lie, so that some elements are written twice, with the same value.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from workload.convolve.emitter import I32, I64, Emitter, Value, constant, vector
from workload.convolve.simd_plan import Tiling

ITEM = 4  # bytes of a float32
LANES = (8, 16)  # of vectors that this can shift


class Streams:
    """The rows of one tile after the other, from the first column of a strip to its last whole tile.

    `begin`, then `tile` for each tile in order, then `end`. Rows are addresses, in the order of the tile's sums.
    """

    def __init__(self, code: Emitter, plan: Tiling) -> None:
        self._code, self._lanes, self._vectors = code, plan.lanes, plan.vectors
        self._bytes = ITEM * plan.lanes
        rows = plan.out_block * plan.rows
        # of each row: the last vector of the tile before, and how many elements lie before the first aligned address
        self._carried = [code.builder.alloca(vector(plan.lanes)) for _ in range(rows)]
        self._shifts = [code.builder.alloca(I64) for _ in range(rows)]
        self._lane_numbers = ir.Constant(ir.VectorType(I32, plan.lanes), list(range(plan.lanes)))

    def begin(self, rows: Sequence[Value]) -> None:
        """`rows` are the addresses of a strip's first column."""
        build = self._code.builder
        for address, shift in zip(rows, self._shifts, strict=False):
            ahead = build.and_(build.neg(address), constant(self._bytes - 1))
            build.store(build.udiv(ahead, constant(ITEM)), shift)

    def tile(self, number: Value, rows: Sequence[Value], sums: Sequence[Value]) -> None:
        """Stores a tile but for the end of its rows, which the next tile or `end` stores."""
        build, vectors = self._code.builder, self._vectors
        first = build.icmp_signed("==", number, constant(0))
        with build.if_else(first) as (at_first, later):
            with at_first:
                for row, address in enumerate(rows):
                    self._code.store(sums[row * vectors], address)
            with later:
                for row, address in enumerate(rows):
                    self._shifted(row, address, build.load(self._carried[row]), sums[row * vectors])
        for row, address in enumerate(rows):
            own = sums[row * vectors : (row + 1) * vectors]
            for place in range(1, vectors):
                following = build.add(address, constant(self._bytes * place))
                self._shifted(row, following, own[place - 1], own[place])
            build.store(own[-1], self._carried[row])

    def end(self, rows: Sequence[Value]) -> None:
        """`rows` are the addresses behind the last tile."""
        build = self._code.builder
        for row, address in enumerate(rows):
            self._code.store(build.load(self._carried[row]), build.sub(address, constant(self._bytes)))

    def _shifted(self, row: int, address: Value, before: Value, after: Value) -> None:
        """Stores what lies across two vectors at the aligned address in the first; `address` is the second's."""
        build = self._code.builder
        places = build.add(self._lane_numbers, self._everywhere(row))
        shift = build.mul(build.load(self._shifts[row]), constant(ITEM))
        aligned = build.sub(build.add(address, shift), constant(self._bytes))
        self._code.stream(self._across(before, after, places), aligned, self._bytes)

    def _across(self, before: Value, after: Value, places: Value) -> Value:
        """The lanes at `places` of two vectors, one behind the other."""
        if self._lanes == 16:
            kinds = [before.type, places.type, before.type]
            return self._code.call("llvm.x86.avx512.vpermi2var.ps.512", before.type, kinds, [before, places, after])
        kinds = [before.type, places.type]
        # looks at the lowest three bits of a place alone
        either = [
            self._code.call("llvm.x86.avx2.permps", before.type, kinds, [half, places]) for half in (before, after)
        ]
        in_first = ir.Constant(places.type, [self._lanes] * self._lanes)
        return self._code.builder.select(self._code.builder.icmp_unsigned("<", places, in_first), *either)

    def _everywhere(self, row: int) -> Value:
        """A row's shift in every lane."""
        shift = self._code.builder.trunc(self._code.builder.load(self._shifts[row]), I32)
        kind = self._lane_numbers.type
        one = self._code.builder.insert_element(ir.Constant(kind, ir.Undefined), shift, ir.Constant(I32, 0))
        return self._code.builder.shuffle_vector(one, one, ir.Constant(kind, [0] * self._lanes))
