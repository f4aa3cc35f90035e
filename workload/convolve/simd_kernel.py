"""Emits the direct convolution of a tiling as LLVM IR in explicit vectors.

    for each image
      for each strip of tiles                   its pixels stay in the second-level cache
        for each block of rows
          for each block of output channels
            for each tile of the strip          sums: out_block x rows x vectors registers
              for each input channel
                for each tap (i, j)
                  load the pixels under the tap, one vector each
                  for each output channel: sums += pixels * weight, the weight in every lane
              store the sums

The last tile and the last block of rows are moved back so that they end where y ends. What they share with their
neighbours is computed twice, with the same result, and nothing outside x and y is touched. So y must be at least as
large as a tile; `simd_plan.choose` takes care of that.

Stores are ordinary ones, or non-temporal ones (`simd_streams`) but at the ends of rows. Those keep memory from being
read before it is overwritten, which helps where many ranks share its bandwidth, and hurts where y stays in a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir

from workload.convolve import Array, Shape
from workload.convolve.emitter import Emitter, Value, constant, vector
from workload.convolve.simd_plan import Tiling
from workload.convolve.simd_streams import Streams

NAME = "convolve"
# addresses of x, packed w, y; batch, rows and columns of y; byte strides of x and y along batch, channel, row;
# tiles in a strip
ARGUMENTS = 13
ITEM = 4  # bytes of a float32
LINE = 64  # bytes of a cache line


def pack(w: Array, out_block: int) -> Array:
    """Weights in the order the kernel reads them: block of output channels, C, KH, KW, output channel in the block."""
    blocks = (w[first : first + out_block] for first in range(0, w.shape[0], out_block))
    return np.concatenate([block.transpose(1, 2, 3, 0).ravel() for block in blocks])


def emit(plan: Tiling, w_shape: Shape, streamed: bool = False) -> str:
    """IR of the kernel for weights of shape (O, C, KH, KW). `streamed`: by non-temporal stores, on x86-64 with AVX2.

    These want rows of y whose addresses are whole numbers of elements, and one of `simd_streams.LANES`.
    """
    return _Kernel(plan, w_shape, streamed).emit()


class _Kernel:
    def __init__(self, plan: Tiling, w_shape: Shape, streamed: bool) -> None:
        self.plan = plan
        self.out_channels, self.in_channels, self.tap_rows, self.tap_columns = w_shape
        self.code = Emitter(NAME, ARGUMENTS)
        self.streams = Streams(self.code, plan) if streamed else None
        self.add, self.multiply = self.code.builder.add, self.code.builder.mul
        (self.x, self.w, self.y, self.batch, self.out_rows, self.out_columns) = self.code.arguments[:6]
        (self.x_image, self.x_channel, self.x_row, self.y_image, self.y_channel, self.y_row) = self.code.arguments[6:12]
        self.strip = self.code.arguments[12]
        self.last_row = self.add(self.out_rows, constant(-plan.rows))
        self.last_column = self.add(self.out_columns, constant(-plan.columns))
        self.last_x_row = self.add(self.out_rows, constant(self.tap_rows - 2))

    def emit(self) -> str:
        def image(b: Value, _: object) -> None:
            self._image(self.code.offset(self.x, b, self.x_image), self.code.offset(self.y, b, self.y_image))

        self.code.loop(self.batch, image)
        if self.streams is not None:
            self.code.fence()
        return self.code.finish()

    def _image(self, x: Value, y: Value) -> None:
        columns = self.plan.columns
        tiles = self.code.builder.sdiv(self.add(self.out_columns, constant(columns - 1)), constant(columns))

        def strip(first: Value, _: object) -> None:
            count = self.code.minimum(self.strip, self.code.builder.sub(tiles, first))

            def rows(row: Value, _: object) -> None:
                self._row_block(x, y, self.code.minimum(row, self.last_row), first, count)

            self.code.loop(self.out_rows, rows, step=self.plan.rows)

        self.code.loop(tiles, strip, step=self.strip)

    def _row_block(self, x: Value, y: Value, row: Value, first: Value, count: Value) -> None:
        """Tiles `first` to `first + count` of the output rows from `row`, in every output channel."""
        x = self.code.offset(x, row, self.x_row)
        y = self.code.offset(y, row, self.y_row)
        ahead = self._ahead(row) if self.plan.prefetch else []
        weights = ITEM * self.in_channels * self.tap_rows * self.tap_columns

        def block(channels: int, done: Value) -> None:
            w = self.code.offset(self.w, done, weights)
            out = self.code.offset(y, done, self.y_channel)

            def tile(number: Value, _: object) -> None:
                start = self.multiply(self.add(first, number), constant(self.plan.columns))
                column = self.multiply(self.code.minimum(start, self.last_column), constant(ITEM))
                sums = self._sums(channels, self.add(x, column), w, ahead)
                rows = self._rows(channels, self.add(out, column))
                if self.streams is None:
                    self._store(sums, rows)
                    return
                # a last tile that is moved back begins off the others' places
                whole = self.code.builder.icmp_signed("<=", start, self.last_column)
                with self.code.builder.if_else(whole) as (in_place, moved):
                    with in_place:
                        self.streams.tile(number, rows, sums)
                    with moved:
                        self._store(sums, rows)

            begin = self.multiply(first, constant(ITEM * self.plan.columns))
            if self.streams is not None:
                self.streams.begin(self._rows(channels, self.add(out, begin)))
            self.code.loop(count, tile)
            if self.streams is not None:
                self._end(self.streams, channels, out, first, count)

        size = self.plan.out_block
        whole = self.out_channels - self.out_channels % size
        if whole:
            self.code.loop(whole, lambda done, _: block(size, done), step=size)
        if whole < self.out_channels:
            block(self.out_channels - whole, constant(whole))

    def _ahead(self, row: Value) -> list[Value]:
        """Byte distances from a tile's pixels to those that the next block of rows reads first."""
        below = self.plan.rows + self.tap_rows - 1
        rows = (self.add(row, constant(below + number)) for number in range(self.plan.rows))
        return [
            self.multiply(self.code.builder.sub(self.code.minimum(number, self.last_x_row), row), self.x_row)
            for number in rows
        ]

    def _sums(self, channels: int, x: Value, w: Value, ahead: Sequence[Value]) -> list[Value]:
        """The finished sums of one tile, output channel slowest, then row, then vector."""
        zero = ir.Constant(vector(self.plan.lanes), None)
        sums = [zero] * (channels * self.plan.rows * self.plan.vectors)

        def channel(_: object, carried: list[Value]) -> list[Value]:
            x, w = map(self.code.hidden, carried[:2])
            for distance in ahead:
                for byte in range(0, ITEM * self.plan.columns, LINE):
                    self.code.prefetch(self.add(self.add(x, distance), constant(byte)))
            following = self.add(x, self.x_channel)
            w, sums = self._taps(channels, x, w, carried[2:])
            return [following, w, *sums]

        return self.code.loop(self.in_channels, channel, [x, w, *sums])[2:]

    def _taps(self, channels: int, x: Value, w: Value, sums: list[Value]) -> tuple[Value, list[Value]]:
        """Adds every tap of one input channel, patch by patch; returns the address of the next weights and the sums."""
        rows, columns = self.plan.patch
        weights = constant(ITEM * rows * columns * channels)

        def patch(_: object, carried: list[Value]) -> list[Value]:
            x, w, *sums = carried
            sums = self._patch(channels, x, w, sums)
            return [self.add(x, constant(ITEM * columns)), self.add(w, weights), *sums]

        def patch_row(_: object, carried: list[Value]) -> list[Value]:
            x, *others = carried
            _, *others = self._repeat(self.tap_columns // columns, patch, [x, *others])
            return [self.add(x, self.x_row), *others]

        _, w, *sums = self._repeat(self.tap_rows // rows, patch_row, [x, w, *sums])
        return w, sums

    def _repeat(
        self, count: int, body: Callable[[Value, list[Value]], list[Value]], carried: list[Value]
    ) -> list[Value]:
        return self.code.loop(count, body, carried) if count > 1 else body(constant(0), carried)

    def _patch(self, channels: int, x: Value, w: Value, sums: Sequence[Value]) -> list[Value]:
        """The innermost straight-line code: adds the taps of one patch, whose first pixel and weight are at x and w."""
        tap_rows, tap_columns = self.plan.patch
        rows, vectors, lanes = self.plan.rows, self.plan.vectors, self.plan.lanes
        sums = list(sums)
        for j in range(tap_columns):
            # Output row r takes pixel row r + i under tap row i, so most pixels serve several rows.
            pixels = [self._pixels(x, row, j) for row in range(rows + tap_rows - 1)]
            for i in range(tap_rows):
                for o in range(channels):
                    address = self.add(w, constant(ITEM * ((i * tap_columns + j) * channels + o)))
                    weight = self.code.broadcast(address, lanes)
                    for r in range(rows):
                        for v in range(vectors):
                            place = (o * rows + r) * vectors + v
                            sums[place] = self.code.multiply_add(pixels[r + i][v], weight, sums[place])
        return sums

    def _pixels(self, x: Value, row: int, column: int) -> list[Value]:
        """The vectors of a tile's pixel row that lie under a tap column."""
        plan = self.plan
        start = self.code.offset(x, row, self.x_row)
        starts = (self.add(start, constant(ITEM * (column + v * plan.lanes))) for v in range(plan.vectors))
        return [self.code.load(address, vector(plan.lanes)) for address in starts]

    def _rows(self, channels: int, y: Value) -> list[Value]:
        """Addresses of a tile's rows in every output channel, in the order of its sums; its first element is at y."""
        starts = (self.code.offset(y, o, self.y_channel) for o in range(channels))
        return [self.code.offset(start, r, self.y_row) for start in starts for r in range(self.plan.rows)]

    def _store(self, sums: Sequence[Value], rows: Sequence[Value]) -> None:
        values = iter(sums)
        for row in rows:
            for v in range(self.plan.vectors):
                self.code.store(next(values), self.add(row, constant(ITEM * v * self.plan.lanes)))

    def _end(self, streams: Streams, channels: int, y: Value, first: Value, count: Value) -> None:
        """Stores what the strip's tiles have carried, if any of them was not moved back."""
        columns = constant(self.plan.columns)
        tiles = self.code.builder.sdiv(self.out_columns, columns)
        behind = self.code.minimum(self.add(first, count), tiles)
        column = self.multiply(behind, self.multiply(columns, constant(ITEM)))
        with self.code.builder.if_then(self.code.builder.icmp_signed("<", first, behind)):
            streams.end(self._rows(channels, self.add(y, column)))
