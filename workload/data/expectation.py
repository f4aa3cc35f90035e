"""What the check expects of finished y: a sum and a tolerance of every output row, and single elements.

`workload.data.checksum` says why. x comes from the source, never from what was delivered to a rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workload.data.images import Source
from workload.domain.grid import Block, Span, all_taps, whole
from workload.domain.problem import Problem

GROUP_BYTES = 4 * 2**20  # x of the images that are summed at once: it stays in cache, unless one image is larger
TILE_ELEMENTS = 2**15  # 256 KiB of float64: stays in a core's own cache
# x is rounded from a picture times a factor: what tolerances lack by taking the picture's, with room to spare
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
        self._gamma = (weights[0].size + 2) * 2.0**-24
        self._pictures: dict[tuple[int, Span, Span], Float64] = {}  # tolerances, by picture, channels and columns of y

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
        found, full = Rows.room(block), all_taps(self._problem, block)
        self._fill_sums(full, found.sums)
        self._fill_tolerance(full, found.tolerance)
        return found

    def _band(self, block: Block) -> Float64:
        return _band(self.u[block.column.start : block.column.stop], self._weights.shape[3])

    def _of_block(self, block: Block) -> Float64:
        """The weights of the block's output channels."""
        return self._weights[block.out_channel.start : block.out_channel.stop]

    def _fill_sums(self, block: Block, sums: Float64) -> None:
        """e of every row."""
        band, weights = self._band(block), self._of_block(block)
        x = None
        for group in _groups(block):
            if x is None:
                x = np.empty(group.x_shape, np.float32)
            part = x[: len(group.batch)]
            self._source(group, part)
            first = group.batch.start - block.batch.start
            sums[first : first + len(part)] = _fold(weights, row_moments(part, band))

    def _fill_tolerance(self, block: Block, tolerance: Float64) -> None:
        """Of every row: its picture's, times the image's factor, rolled as the image is."""
        rows = np.arange(block.row.start, block.row.stop)
        for alike in self._source.alike(block):
            places = (rows - alike.rolled) % self._problem.height
            scale = float(alike.factor) * ROUNDED
            for number, picture in enumerate(alike.pictures, alike.images.start - block.batch.start):
                np.multiply(self._of_picture(picture, block)[:, places], scale, out=tolerance[number])

    def _of_picture(self, picture: int, block: Block) -> Float64:
        key = (picture, block.out_channel, block.column)
        if key not in self._pictures:
            self._pictures[key] = self._picture_tolerance(picture, block)
        return self._pictures[key]

    def _picture_tolerance(self, picture: int, block: Block) -> Float64:
        """(O, H): tolerances of the rows of y, if x were that picture and its first rows came again below the last."""
        weights, band = np.abs(self._of_block(block)), np.abs(self._band(block))
        x = self._source.pool[picture : picture + 1, :, :, block.x_columns.start : block.x_columns.stop]
        wrapped = np.arange(self._problem.height + weights.shape[2] - 1) % self._problem.height
        certain = _fold(weights, row_moments(x, band)[:, :, wrapped])
        squared = row_moments(np.square(x, dtype=np.uint16), band**2)[:, :, wrapped]
        tolerance: Float64 = self._gamma * np.minimum(certain, 8 * _fold(weights, np.sqrt(squared)))[0]
        return tolerance


def _groups(block: Block) -> Iterator[Block]:
    """The block cut into groups of images whose x takes at most GROUP_BYTES, the first the largest."""
    images = max(1, GROUP_BYTES * len(block.batch) // block.x_bytes)
    for start in range(block.batch.start, block.batch.stop, images):
        yield replace(block, batch=Span(start, min(start + images, block.batch.stop)))


def _band(u: Float64, kernel_columns: int) -> Float64:
    """(columns of x, KW) matrix with u shifted down by j in column j: x @ band = R for every j at once."""
    band = np.zeros((len(u) + kernel_columns - 1, kernel_columns))
    for j in range(kernel_columns):
        band[j : j + len(u), j] = u
    return band


def row_moments(x: NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.uint16], band: Float64) -> Float64:
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
