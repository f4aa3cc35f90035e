"""Proves that a run's output is right without computing the serial answer, at a few times the cost of reading it.

For every output row (image b, channel o, row h) of a block, with a random sign and magnitude u for each
column:

    s = sum over columns of u[col] y[b, o, h, col]
    e = sum over c, i, j of w[o, c, i, j] R[b, c, h + i, j],   R[b, c, r, j] = sum of u[col] x[b, c, r, col + j]

Eq. 1 makes them equal. x is the picture's times its factor, before it is rounded, never what was delivered to the
rank, and all sums are float64, so that the difference is that rounding and those of the run's float32 sums alone. With
g = (C KH KW + 3) 2^-24 it is certainly below g sum |w| R1 (R1 with |u||x|), and, u's signs being
random, below 8 g sum |w| R2 (R2 = sqrt(sum u^2 x^2)) with probability above 1 - 3e-14 a row
(Minkowski, then Hoeffding). The smaller of the two is the row's tolerance.

A sum over a plane or a batch would not notice exchanged rows or images; a sum for each row does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workload.data.expectation import Expectation, Rows, Spot
from workload.domain.grid import Block, Span

TILE_ELEMENTS = 2**17  # 1 MiB of float64: stays in cache between passes
SPOTS = 32  # single elements that a rank recomputes
UNBOUNDED = float(np.finfo(np.float64).max)  # JSON has no infinity

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class CheckResult:
    """What the check of one repeat found, on one rank or on all.

    `worst_error_over_tolerance` above 1 is a wrong answer. `complete` is False if a block of the output was handed
    over twice or not at all. An error in one element of at least `detectable_abs_error` could not have passed.
    """

    rows: int
    worst_error_over_tolerance: float
    detectable_abs_error: float
    spots: int
    spot_max_abs_error: float
    spots_passed: bool
    complete: bool

    @property
    def passed(self) -> bool:
        return self.complete and self.spots_passed and self.worst_error_over_tolerance <= 1


def combine(results: Sequence[CheckResult]) -> CheckResult:
    """The result over all ranks of one repeat."""
    return CheckResult(
        rows=sum(result.rows for result in results),
        worst_error_over_tolerance=max(result.worst_error_over_tolerance for result in results),
        detectable_abs_error=max(result.detectable_abs_error for result in results),
        spots=sum(result.spots for result in results),
        spot_max_abs_error=max(result.spot_max_abs_error for result in results),
        spots_passed=all(result.spots_passed for result in results),
        complete=all(result.complete for result in results),
    )


def worst(results: Sequence[CheckResult]) -> CheckResult:
    """The worst result over all repeats; rows and spots are those of one repeat."""
    return replace(
        combine(results),
        rows=min(result.rows for result in results),
        spots=min(result.spots for result in results),
    )


@dataclass
class _Expected:
    """Of one block: what is expected of it, and the rows seen."""

    block: Block
    rows: Rows
    spots: list[Spot]
    seen: NDArray[np.bool_]


class Checker:
    """Checks the finished y that one rank sees. Made once for a run and used after every repeat.

    `expected` are the rows of the parts of y that this rank will see. It is called with such a block, or with a part
    of one that has all of its columns, and its y, so it can serve as a sink.
    """

    def __init__(self, expectation: Expectation, expected: Mapping[Block, Rows]) -> None:
        self._u = expectation.u
        places = _spot_places(list(expected), expectation.generator)
        self._expected = [
            _Expected(block, rows, list(map(expectation.spot, spots)), np.zeros(rows.sums.shape, np.bool_))
            for (block, rows), spots in zip(expected.items(), places, strict=True)
        ]
        self.begin()

    def begin(self) -> None:
        """Forgets the last repeat."""
        for expected in self._expected:
            expected.seen[:] = False
        self._twice = False
        self._rows = 0
        self._worst = self._detectable = self._spot_error = 0.0
        self._spots = 0
        self._spots_passed = True

    def __call__(self, block: Block, y: Float32) -> None:
        """Checks one finished block, y of shape `block.y_shape`. ValueError for one that was not announced."""
        if y.shape != block.y_shape:
            raise ValueError(f"y has shape {y.shape}, but the block's output has {block.y_shape}")
        expected = self._find(block)
        part = tuple(
            slice(span.start - full.start, span.stop - full.start)
            for span, full in zip(block.y_spans[:3], expected.block.y_spans[:3], strict=True)
        )
        if expected.seen[part].any():
            self._twice = True
        expected.seen[part] = True
        self._compare(self._row_sums(block, y), expected.rows.sums[part], expected.rows.tolerance[part])
        self._compare_spots(block, y, expected.spots)

    def finish(self) -> CheckResult:
        """The result of the repeat on this rank."""
        return CheckResult(
            rows=self._rows,
            worst_error_over_tolerance=self._worst,
            detectable_abs_error=self._detectable,
            spots=self._spots,
            spot_max_abs_error=self._spot_error,
            spots_passed=self._spots_passed,
            complete=not self._twice and all(bool(expected.seen.all()) for expected in self._expected),
        )

    def _find(self, block: Block) -> _Expected:
        for expected in self._expected:
            rows_inside = all(map(Span.contains, expected.block.y_spans[:3], block.y_spans[:3]))
            if rows_inside and expected.block.column == block.column:
                return expected
        raise ValueError(f"the output block {block.as_dict()} was handed over, but not announced to the check")

    def _row_sums(self, block: Block, y: Float32) -> Float64:
        """s of every row of y, in float64, by tiles that stay in cache."""
        u = self._u[block.column.start : block.column.stop]
        sums = np.empty(y.shape[:3])
        image_elements = y[0].size
        images = max(1, TILE_ELEMENTS // image_elements)
        rows = y.shape[2] if images > 1 else max(1, TILE_ELEMENTS // (y.shape[1] * y.shape[3]))
        with np.errstate(invalid="ignore", over="ignore"):  # NaN and damage are what this looks for
            for first in range(0, y.shape[0], images):
                for top in range(0, y.shape[2], rows):
                    part = (slice(first, first + images), slice(None), slice(top, top + rows))
                    sums[part] = y[part].astype(np.float64) @ u
        return sums

    def _compare(self, sums: Float64, expected: Float64, tolerance: Float64) -> None:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            error = np.abs(sums - expected)
            ratio = np.where(error == 0, 0.0, error / tolerance)
            ratio = np.where(np.isfinite(ratio), ratio, UNBOUNDED)
            # NaN: neither comparison is true, so it counts as unbounded
            ratio = np.where((error <= tolerance) | (ratio > 1), ratio, UNBOUNDED)
        detectable = 2 * (tolerance + np.where(np.isfinite(error), error, UNBOUNDED / 4))
        self._rows += sums.size
        self._worst = max(self._worst, float(ratio.max()))
        self._detectable = max(self._detectable, float(detectable.max()))

    def _compare_spots(self, block: Block, y: Float32, spots: list[Spot]) -> None:
        for spot in spots:
            if not block.batch.start <= spot.place[0] < block.batch.stop:
                continue
            offsets = [at - span.start for at, span in zip(spot.place, block.y_spans, strict=True)]
            if not all(0 <= offset < size for offset, size in zip(offsets, y.shape, strict=True)):
                continue
            error = abs(float(y[tuple(offsets)]) - spot.value)
            self._spots += 1
            self._spots_passed &= error <= spot.bound
            self._spot_error = max(self._spot_error, error if np.isfinite(error) else UNBOUNDED)


def _spot_places(blocks: Sequence[Block], generator: np.random.Generator) -> list[list[tuple[int, int, int, int]]]:
    """SPOTS random elements, distributed over the blocks."""
    places: list[list[tuple[int, int, int, int]]] = [[] for _ in blocks]
    for number in range(SPOTS if blocks else 0):
        spans = blocks[number % len(blocks)].y_spans
        b, o, h, w = (int(generator.integers(span.start, span.stop)) for span in spans)
        places[number % len(blocks)].append((b, o, h, w))
    return places
