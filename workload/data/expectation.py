"""What the check expects of finished y: a sum and a tolerance of every output row, and single elements.

`workload.data.checksum` says why. x comes from the pool, never from what was delivered to a rank: the images are few
pictures, rolled and multiplied, and so are the sums of their rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workload.data.images import Source
from workload.domain.grid import Block, Span, all_taps, whole
from workload.domain.problem import Problem

TILE_ELEMENTS = 2**15  # 256 KiB of float64: stays in a core's own cache
# x is rounded from a picture times a factor: one rounding more than those of the convolution, and of a number that may
# be larger than it was before, with room to spare
ROUNDINGS = 3
ROUNDED = 1 + 2.0**-23

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Expected sums and tolerances of a block's rows, each (images, channels, rows) float64."""

    sums: Float64
    tolerance: Float64

    @property
    def arrays(self) -> tuple[Float64, Float64]:
        return self.sums, self.tolerance

    @classmethod
    def room(cls, block: Block) -> Rows:
        """For the block's rows, not filled in yet."""
        return cls(np.empty(block.y_shape[:3]), np.empty(block.y_shape[:3]))


@dataclass(frozen=True)
class Spot:
    """One element of y at `place` (image, channel, row, column), its float64 value and the bound of its rounding."""

    place: tuple[int, int, int, int]
    value: float
    bound: float


class Expectation:
    """Works out, on any rank, what any part of y should be. `weights` are (O, C, KH, KW) float32.

    Attributes:
        generator: the seed's, at the same place on all ranks.
        u: the factors of the columns, float64.
    """

    def __init__(self, problem: Problem, weights: Float32, source: Source, seed: int) -> None:
        self.generator = np.random.Generator(np.random.Philox(key=[seed, 1]))
        self.u = self.generator.uniform(0.5, 1.5, problem.out_width) * self.generator.choice(
            [-1.0, 1.0], problem.out_width
        )
        self._problem = problem
        self._weights = weights.astype(np.float64)
        self._source = source
        self._gamma = _gamma(self._weights)
        self._known: dict[tuple[Span, Span], _Pictures] = {}  # by channels and columns of y

    def rows(self, blocks: Iterable[Block]) -> dict[Block, Rows]:
        """Expected sums and tolerances of all rows of each block."""
        return {block: self._rows(block) for block in blocks}

    def spot(self, place: tuple[int, int, int, int]) -> Spot:
        """One element, recomputed."""
        b, o, h, w = (Span(at, at + 1) for at in place)
        block = all_taps(self._problem, replace(whole(self._problem), batch=b, out_channel=o, row=h, column=w))
        x = np.empty(block.x_shape, np.float32)
        self._source(block, x)
        terms = self._weights[place[1]] * x[0].astype(np.float64)
        return Spot(place, float(terms.sum()), self._gamma * float(np.abs(terms).sum()))

    def _rows(self, block: Block) -> Rows:
        """Of every row its picture's, times the image's factor, rolled as the image is."""
        found, full = Rows.room(block), all_taps(self._problem, block)
        known = self._of_pictures(full)
        rows = np.arange(block.row.start, block.row.stop)
        for alike in self._source.alike(full):
            known.work_out(alike.pictures)
            images = slice(alike.images.start - block.batch.start, alike.images.stop - block.batch.start)
            pictures = slice(alike.pictures.start, alike.pictures.stop)
            places, scale = (rows - alike.rolled) % self._problem.height, float(alike.factor)
            np.multiply(known.sums[pictures, :, places], scale, out=found.sums[images])
            np.multiply(known.tolerance[pictures, :, places], scale * ROUNDED, out=found.tolerance[images])
        return found

    def _of_pictures(self, block: Block) -> _Pictures:
        channels, columns = block.out_channel, block.column
        if (channels, columns) not in self._known:
            weights = self._weights[channels.start : channels.stop]
            pool = self._source.pool[..., block.x_columns.start : block.x_columns.stop]
            self._known[channels, columns] = _Pictures(pool, weights, self.u[columns.start : columns.stop])
        return self._known[channels, columns]


class _Pictures:
    """Sums and tolerances of the rows of y, (pictures, O, H), if x were a picture whose first rows follow its last."""

    def __init__(self, pool: NDArray[np.uint8], weights: Float64, u: Float64) -> None:
        self._pool, self._weights, self._u = pool, weights, u
        self._worked_out: set[int] = set()
        self.sums, self.tolerance = (np.empty((len(pool), len(weights), pool.shape[2])) for _ in range(2))

    def work_out(self, pictures: range) -> None:
        """Makes sure that these pictures' are there."""
        for picture in set(pictures) - self._worked_out:
            self.sums[picture], self.tolerance[picture] = self._of(self._pool[picture : picture + 1])
            self._worked_out.add(picture)

    def _of(self, picture: NDArray[np.uint8]) -> tuple[Float64, Float64]:
        weights, size, height = self._weights, self._weights.shape[3], picture.shape[2]
        band = _band(self._u, size)
        wrapped = np.arange(height + weights.shape[2] - 1) % height
        moments = row_moments(picture, np.hstack([band, np.abs(band)]))[:, :, wrapped]
        squared = row_moments(np.square(picture, dtype=np.uint16), band**2)[:, :, wrapped]
        certain = _fold(np.abs(weights), moments[..., size:])
        likely = 8 * _fold(np.abs(weights), np.sqrt(squared))
        return _fold(weights, moments[..., :size])[0], _gamma(weights) * np.minimum(certain, likely)[0]


def _gamma(weights: Float64) -> float:
    """g of `workload.data.checksum`, for weights (O, C, KH, KW)."""
    return float(weights[0].size + ROUNDINGS) * 2.0**-24


def _band(u: Float64, kernel_columns: int) -> Float64:
    """(columns of x, KW) matrix with u shifted down by j in column j: x @ band = R for every j at once."""
    band = np.zeros((len(u) + kernel_columns - 1, kernel_columns))
    for j in range(kernel_columns):
        band[j : j + len(u), j] = u
    return band


def row_moments(x: NDArray[np.uint8] | NDArray[np.uint16], band: Float64) -> Float64:
    """x @ band in float64, (images, C, rows, KW), of x (images, C, rows, columns): by tiles, one after the other."""
    lines = x.reshape(-1, x.shape[3])
    found = np.empty((len(lines), band.shape[1]))
    tile = np.empty((max(1, TILE_ELEMENTS // x.shape[3]), x.shape[3]))
    for top in range(0, len(lines), len(tile)):
        part = lines[top : top + len(tile)]
        held = tile[: len(part)]
        np.copyto(held, part)
        np.matmul(held, band, out=found[top : top + len(part)])
    return found.reshape(*x.shape[:3], band.shape[1])


def _fold(weights: Float64, moments: Float64) -> Float64:
    """sum over c, i, j of weights[o, c, i, j] moments[n, c, h + i, j]: (images, O, rows of y)."""
    rows = moments.shape[2] - weights.shape[2] + 1
    total = np.zeros((weights.shape[0], moments.shape[0], rows))
    for i in range(weights.shape[2]):
        total += np.tensordot(weights[:, :, i], moments[:, :, i : i + rows], axes=((1, 2), (1, 3)))
    return total.transpose(1, 0, 2)
