"""Plans how the `simd` backend tiles one convolution for a CPU's vector registers.

Pure arithmetic. A *tile* is `out_block` output channels x `rows` x `vectors * lanes` columns of y, held in registers
while all input channels and taps are added up. Each step loads pixels, which every output channel of the tile uses, and
one weight at a time, which every vector uses. A good tile has enough independent sums to hide the latency of a
multiply-add, and more multiply-adds than loads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from workload.convolve import Shape


@dataclass(frozen=True)
class Level:
    """A vector instruction set: float32 lanes in a register, and number of registers."""

    name: str
    lanes: int
    registers: int


AVX512 = Level("avx512", 16, 32)
AVX2 = Level("avx2", 8, 16)  # with FMA
SSE2 = Level("sse2", 4, 16)
LEVELS = (AVX512, AVX2, SSE2)


@dataclass(frozen=True)
class Tiling:
    """How one convolution is tiled.

    `patch` is the number of tap rows and columns in straight-line code: all of them, one row or one tap; the rest is
    looped over. `prefetch` asks for the next rows of x while the current ones are in use.
    """

    lanes: int
    vectors: int
    rows: int
    out_block: int
    patch: tuple[int, int]
    prefetch: bool

    @property
    def columns(self) -> int:
        """Columns of a tile."""
        return self.vectors * self.lanes


MAX_UNROLLED = 1000  # multiply-adds in straight-line code: larger bodies compile slowly
MAX_ROWS = 8
MAX_WIDE_ROWS = 2  # wide rows lie pages apart and evict each other from the same first-level cache sets
MAX_VECTORS = 4
MAX_OUT_BLOCK = 8
WIDE_ROW_BYTES = 512  # narrower rows are so close that the hardware prefetcher covers them
STRIP_BYTES = 2**18  # of x in one pass over the output channels: fits a second-level cache of 0.5 to 2 MiB

# Costs in vector multiply-adds, set by hand so that the order of tiles agrees with timings on one Zen 4.
PIXEL_LOAD = 1.5  # unaligned: for a 3x3 kernel two of three straddle a cache line
WEIGHT_LOAD = 1.0
TILE_START = 12.0
OVERLAP_LOSS = 0.25  # share of the smaller of loads and arithmetic that the larger does not hide
EXTRA_ROW = 0.02  # share that each further row costs in address arithmetic and scheduling
EXTRA_WIDE_ROW = 0.08  # and in cache misses, if rows are wide


@lru_cache(maxsize=1024)
def choose(level: Level, w_shape: Shape, out_rows: int, out_columns: int) -> Tiling:
    """The cheapest tiling that fits the registers, by `cost`.

    `w_shape` is (O, C, KH, KW). There is a tiling for all sizes of at least 1: a tile of one lane always fits.
    """
    lanes = min(level.lanes, 2 ** (out_columns.bit_length() - 1))
    tiles = _tiles(level, lanes, w_shape, out_rows, out_columns)
    vectors, rows, out_block = min(tiles, key=lambda tile: cost(lanes, tile, w_shape, out_rows, out_columns))
    patch = _patch(vectors * rows * out_block, w_shape)
    return Tiling(lanes, vectors, rows, out_block, patch, prefetch=out_rows > 1 and _wide(out_columns))


def _wide(columns: int) -> bool:
    return 4 * columns >= WIDE_ROW_BYTES


def _patch(sums: int, w_shape: Shape) -> tuple[int, int]:
    """The largest patch of taps whose multiply-adds may be unrolled."""
    tap_rows, tap_columns = w_shape[2:]
    for rows, columns in ((tap_rows, tap_columns), (1, tap_columns)):
        if sums * rows * columns <= MAX_UNROLLED:
            return rows, columns
    return 1, 1


Tile = tuple[int, int, int]  # vectors, rows, out_block


def _tiles(level: Level, lanes: int, w_shape: Shape, out_rows: int, out_columns: int) -> Iterator[Tile]:
    """Every tile that fits the output and the registers, with one register left for the compiler."""
    most_rows = min(MAX_WIDE_ROWS if _wide(out_columns) else MAX_ROWS, out_rows)
    for vectors in range(1, min(MAX_VECTORS, out_columns // lanes) + 1):
        for rows in range(1, most_rows + 1):
            for out_block in range(1, min(MAX_OUT_BLOCK, w_shape[0]) + 1):
                sums = vectors * rows * out_block
                if sums + vectors * rows + 1 >= level.registers:
                    break
                # rows share pixels only if every tap row is in one patch
                if rows == 1 or _patch(sums, w_shape)[0] == w_shape[2]:
                    yield vectors, rows, out_block


def cost(lanes: int, tile: Tile, w_shape: Shape, out_rows: int, out_columns: int) -> float:
    """Time of one image in vector multiply-adds, including what overlapping last tiles compute twice."""
    vectors, rows, out_block = tile
    out_channels, in_channels, tap_rows, tap_columns = w_shape
    pixels = (rows + tap_rows - 1) * tap_columns * vectors
    full, rest = divmod(out_channels, out_block)
    per_place = 0.0
    for channels, blocks in ((out_block, full), (rest, min(rest, 1))):
        weights = tap_rows * tap_columns * channels
        arithmetic = weights * rows * vectors
        loads = PIXEL_LOAD * pixels + WEIGHT_LOAD * weights
        step = max(arithmetic, loads) + OVERLAP_LOSS * min(arithmetic, loads)
        per_place += blocks * (in_channels * step + channels * rows * vectors + TILE_START)
    places = math.ceil(out_rows / rows) * math.ceil(out_columns / (vectors * lanes))
    extra = EXTRA_WIDE_ROW if _wide(out_columns) else EXTRA_ROW
    return places * per_place * (1 + extra * (rows - 1))


def strip_tiles(plan: Tiling, w_shape: Shape) -> int:
    """How many adjacent tiles keep their pixels cached during a pass over all output channels."""
    bytes_per_tile = 4 * plan.columns * w_shape[1] * (plan.rows + w_shape[2] - 1)
    return max(1, STRIP_BYTES // bytes_per_tile)
