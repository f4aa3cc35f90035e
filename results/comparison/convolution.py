"""Movements and grids of one sweep compared: time, the root's memory, bytes moved, balance of uneven blocks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from results.records.convolution import footprint_of
from results.records.measurement import PARTS
from results.records.point import RecordedPoint
from workload.domain.grid import AXES, block_of


@dataclass(frozen=True)
class MovementRow:
    """One point, seen as a choice of grid and movement."""

    point: RecordedPoint

    @property
    def grid(self) -> str:
        """The axes that are cut, with their numbers of parts."""
        parts = {axis: getattr(self.point.convolution.grid, axis) for axis in AXES}
        return " x ".join(f"{axis} {count}" for axis, count in parts.items() if count > 1) or "whole"

    @property
    def movement(self) -> str:
        """The movement with its options."""
        return self.point.variant.detailed["movement"]

    @property
    def label(self) -> str:
        return f"{self.point.variant.full_label}, {self.grid}"

    @property
    def images_per_s(self) -> float | None:
        """By total time, the only clock of movements that stream."""
        total = self.point.time("total_s")
        return self.point.convolution.problem.batch / total.value if total else None

    @property
    def root_peak_bytes(self) -> int | None:
        return self.point.peak_bytes.get(0)

    @property
    def moved_bytes(self) -> float | None:
        """Bytes that crossed between ranks in a repeat. Sender and receiver both count them, so the sum is halved."""
        moved = [
            sum(call.bytes for call in launch.mpi_calls) / (2 * len(launch.repeats)) for launch in self.point.timed
        ]
        return statistics.fmean(moved) if moved else None

    @cached_property
    def predicted_moved_bytes(self) -> int | None:
        try:
            return footprint_of(self.point.convolution).moved_bytes
        except ValueError:
            return None  # options that this version does not take

    @property
    def imbalance(self) -> float | None:
        """The longest convolve phase over the mean of all ranks."""
        return self.point.imbalance["convolve"]

    @cached_property
    def ideal_imbalance(self) -> float:
        """Multiplications of the largest block over the mean: an imbalance that no code can avoid with this grid."""
        run = self.point.convolution
        work = [len_product(block_of(run.problem, run.grid, rank)) for rank in range(run.ranks)]
        return max(work) / statistics.fmean(work)

    def mean_parts_s(self) -> dict[str, float]:
        """Mean seconds over ranks of each part of a repeat."""
        ranks = list(self.point.parts_s.values())
        return {part: statistics.fmean(rank[part] for rank in ranks) for part in PARTS}


def len_product(block: object) -> int:
    """Multiplications of a block."""
    product = 1
    for axis in AXES:
        product *= len(getattr(block, axis))
    return product


def rows(points: Sequence[RecordedPoint]) -> list[MovementRow]:
    """All points but the serial ones, which move nothing, sorted by rank count, batch and label."""
    found = [MovementRow(point) for point in points if not point.experiment.is_serial(point.run)]
    return sorted(found, key=lambda row: (row.point.run.ranks, row.point.convolution.problem.batch, row.label))


def worth_showing(points: Sequence[RecordedPoint]) -> bool:
    """True if a rank count has several movements, options or grids to compare, or a grid has uneven blocks."""
    choices: dict[tuple[int, int], set[str]] = {}
    for row in rows(points):
        run = row.point.convolution
        choices.setdefault((run.ranks, run.problem.batch), set()).add(f"{row.movement} {row.grid}")
    return any(len(found) > 1 for found in choices.values()) or any(row.ideal_imbalance > 1 for row in rows(points))
