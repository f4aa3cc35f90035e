"""Hypotheses about the work that the ranks of a published table did, fitted to its times and its memory. Pure.

Times: t = t1 images(B, N) + moved bytes / bandwidth, with one t1 and one bandwidth per cluster, fitted in log time. The
moved bytes are those of a correct scatter and gather of the batch, the same under every hypothesis.

Memory of a rank, in MiB: base + the input and output images that it holds; the root also holds the batch. There is one
base per cluster: the median of what the arrays leave unexplained, and at least zero.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import predict
from workload.movement.descriptions.replica import replica_images

MIB = 2**20
SEPARATED = 2.0  # the next hypothesis must have this many times the error of the best
TINY = 1e-300
NEGLIGIBLE = 1e-4  # share of the time below which moved bytes do not determine a bandwidth


@dataclass(frozen=True)
class TimedRow:
    """One published run: its label, sizes, and time in seconds."""

    label: str
    problem: Problem
    ranks: int
    time_s: float


@dataclass(frozen=True)
class Fitted:
    """A fitted hypothesis. `residuals`, by label: model over published time, minus one."""

    name: str
    image_s: float
    bytes_per_s: float | None
    residuals: Mapping[str, float]

    @property
    def median_error(self) -> float:
        return statistics.median(map(abs, self.residuals.values()))

    @property
    def worst_error(self) -> float:
        return max(map(abs, self.residuals.values()))

    @property
    def error(self) -> float:
        """Root mean square of the log ratios, by which hypotheses are ranked."""
        logs = [math.log1p(residual) for residual in self.residuals.values()]
        return math.sqrt(math.fsum(log * log for log in logs) / len(logs))


def twice_divided(batch: int, ranks: int) -> float:
    return float(replica_images(batch, ranks))


# Images that each rank convolves
WORK: Mapping[str, Callable[[int, int], float]] = {
    "B/N": lambda batch, ranks: batch / ranks,
    "B/N^2": lambda batch, ranks: batch / ranks**2,
    "floor(floor(B/N)/N)": twice_divided,
}


def rank_work(rows: Sequence[TimedRow]) -> list[Fitted]:
    """Fits each hypothesis of WORK to one cluster's rows; the smallest error comes first."""
    return sorted((_fit(name, images, rows) for name, images in WORK.items()), key=lambda fitted: fitted.error)


def separated(errors: Sequence[float]) -> bool:
    """Whether the numbers separate the best hypothesis from the next. `errors` ascend."""
    return errors[1] >= SEPARATED * errors[0]


def _fit(name: str, images: Callable[[int, int], float], rows: Sequence[TimedRow]) -> Fitted:
    import numpy as np
    from scipy import optimize

    times = np.array([row.time_s for row in rows])
    work = np.array([images(row.problem.batch, row.ranks) for row in rows])
    moved = np.array([float(_moved_bytes(row)) for row in rows])

    def misses(logs: Any) -> Any:
        return np.log(np.maximum(work * np.exp(logs[0]) + moved * np.exp(logs[1]), TINY) / times)

    start = [math.log(max(rows, key=lambda row: row.time_s).time_s / max(work)), math.log(1e-9)]
    # logarithms keep both parameters positive; the bounds keep a vanishing one finite
    found = optimize.least_squares(misses, start, bounds=([-40.0, -60.0], [40.0, 0.0]), xtol=1e-12, ftol=1e-12)
    image_s, byte_s = (float(value) for value in np.exp(found.x))
    tells = bool(np.max(moved * byte_s / times) > NEGLIGIBLE)
    residuals = {row.label: math.expm1(float(log)) for row, log in zip(rows, found.fun, strict=True)}
    return Fitted(name, image_s, 1.0 / byte_s if tells else None, residuals)


def _moved_bytes(row: TimedRow) -> int:
    return predict(row.problem, Grid(batch=row.ranks), "scatter-gather").moved_bytes


@dataclass(frozen=True)
class MemoryRow:
    """One published run: memory of each rank in MiB, the root first."""

    label: str
    problem: Problem
    ranks: int
    mib: Sequence[float]


@dataclass(frozen=True)
class MemoryFit:
    """What the ranks may have held. `expected` and `errors` (expected minus published): MiB of each rank, by row."""

    name: str
    base_mib: float
    expected: Mapping[str, Sequence[float]]
    errors: Mapping[str, Sequence[float]]

    @property
    def worst_mib(self) -> float:
        return max(abs(error) for errors in self.errors.values() for error in errors)


# (problem, ranks, rank) -> MiB of arrays
Holds = Callable[[Problem, int, int], float]


def _holds(output_images: Callable[[int, int], float]) -> Holds:
    def mib(problem: Problem, ranks: int, rank: int) -> float:
        x_mib, y_mib = problem.x_image_bytes / MIB, problem.y_image_bytes / MIB
        part = x_mib * (problem.batch // ranks) + y_mib * output_images(problem.batch, ranks)
        return part + (x_mib + y_mib) * problem.batch if rank == 0 else part

    return mib


ALL_WORK = "its part of the input, and the output of all of it"
TWICE = "its part of the input, and N floor(floor(B/N)/N) images of output"
INPUT_ALONE = "the input at the root, before any of it is sent"
HELD: Mapping[str, Holds] = {
    ALL_WORK: _holds(lambda batch, ranks: batch // ranks),
    TWICE: _holds(lambda batch, ranks: ranks * twice_divided(batch, ranks)),
    INPUT_ALONE: lambda problem, _ranks, rank: problem.x_bytes / MIB if rank == 0 else 0.0,
}


def rank_memory(rows: Sequence[MemoryRow]) -> list[MemoryFit]:
    """Fits each hypothesis of HELD to one cluster's rows; the smallest worst error comes first."""
    return sorted((_fit_memory(name, holds, rows) for name, holds in HELD.items()), key=lambda fit: fit.worst_mib)


def _fit_memory(name: str, holds: Holds, rows: Sequence[MemoryRow]) -> MemoryFit:
    arrays = {row.label: [holds(row.problem, row.ranks, rank) for rank in range(row.ranks)] for row in rows}
    left = [published - held for row in rows for published, held in zip(row.mib, arrays[row.label], strict=True)]
    base = max(0.0, statistics.median(left))  # a base cannot be negative
    expected = {label: [base + held for held in each] for label, each in arrays.items()}
    errors = {
        row.label: [e - published for e, published in zip(expected[row.label], row.mib, strict=True)] for row in rows
    }
    return MemoryFit(name, base, expected, errors)
