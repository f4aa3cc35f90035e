"""Ranks on cores beside GPUs of the same sweep, problem by problem: with the data on the host, and on the GPU. Pure.

Times are those of the fastest point of each kind, by forward time: from x in place on the host to y in place there.
With the data on the GPU it is what the GPU's own clock says of the kernel alone.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from results.estimates import INTERVAL, Estimate, ratio_estimate, time_estimate
from results.records.convolution import on_gpu
from results.records.kinds import CONVOLUTION
from results.records.marks import OVERSUBSCRIBED
from results.records.point import RecordedPoint, ratio_of
from results.records.sweep import RecordedSweep

KERNEL = "convolve"  # the part of a GPU's time that is left where the data are there already
GPU, CORES = "the GPU", "the cores"


@dataclass(frozen=True)
class GpuRow:
    """One problem. `cores` and `gpu`: the fastest point of each that counts, by forward time; None where none does.

    `resident`: the point on a GPU with the shortest kernel. `tried`: a point on a GPU, whatever became of it.
    """

    tried: RecordedPoint
    cores: RecordedPoint | None
    gpu: RecordedPoint | None
    resident: RecordedPoint | None

    @cached_property
    def operations_per_byte(self) -> float:
        """Operations of the convolution for each byte of x and y."""
        problem = self.tried.convolution.problem
        return problem.flops / (problem.x_bytes + problem.y_bytes)

    @cached_property
    def resident_time(self) -> Estimate | None:
        """Seconds of the kernel."""
        return None if self.resident is None else kernel_time(self.resident)

    @cached_property
    def ratio(self) -> Estimate | None:
        """Time on cores over that with a GPU, the data on the host: above 1 the GPU is ahead."""
        return None if self.cores is None or self.gpu is None else ratio_of(self.cores, self.gpu)

    @cached_property
    def resident_ratio(self) -> Estimate | None:
        """Time on cores over that of the kernel alone."""
        if self.cores is None or self.resident is None:
            return None
        above, below = self.cores.medians_s(), _kernel_medians_s(self.resident)
        ratio = ratio_estimate(above, below, max(self.cores.confidence, self.resident.confidence))
        return ratio.ranged(min(above) / max(below), max(above) / min(below)) if self.cores.cores_differ else ratio

    @property
    def name(self) -> str:
        """The problem in short."""
        of = self.tried.convolution.problem
        return (
            f"{of.kernel_size} x {of.kernel_size}, {of.in_channels} to {of.out_channels} channels, "
            f"{of.height} x {of.width}, B = {of.batch}"
        )


def rows(sweep: RecordedSweep) -> list[GpuRow]:
    """One for each problem that was tried on a GPU, that of the fewest operations a byte first."""
    if sweep.experiment is not CONVOLUTION:
        return []
    tried = {point.problem: point for point in sweep.points if on_gpu(point.convolution)}
    found = [_row(sweep, point) for point in tried.values()]
    return sorted(found, key=lambda row: (row.operations_per_byte, row.tried.size))


def kernel_time(point: RecordedPoint) -> Estimate | None:
    """Seconds of the kernel by the GPU's clock, longest over ranks; None where no launch has any."""
    medians = _kernel_medians_s(point)
    return time_estimate(medians, point.confidence) if medians else None


def part_time_s(point: RecordedPoint, part: str) -> float | None:
    """Seconds of a part by the GPU's clock, longest over ranks, in the median of the launches."""
    medians = _medians_s(point, part)
    return statistics.median(medians) if medians else None


def leader(ratio: Estimate | None) -> str:
    """Who is ahead, by a ratio of times on cores over times with a GPU; empty where nothing can be claimed."""
    if ratio is None or ratio.bounds != INTERVAL or not ratio.excludes(1.0):
        return ""
    return GPU if ratio.value > 1.0 else CORES


def crossings(found: Sequence[GpuRow], of: Callable[[GpuRow], Estimate | None]) -> Iterator[tuple[GpuRow, GpuRow]]:
    """The neighbours among the rows, of those that can be told, of which one is ahead here and the other there."""
    told = [row for row in found if leader(of(row))]
    yield from ((low, high) for low, high in itertools.pairwise(told) if leader(of(low)) != leader(of(high)))


def _row(sweep: RecordedSweep, tried: RecordedPoint) -> GpuRow:
    points = [each for each in sweep.points if each.problem == tried.problem and each.counting and not each.streamed]
    gpus = [each for each in points if on_gpu(each.convolution)]
    cores = [each for each in points if not on_gpu(each.convolution) and OVERSUBSCRIBED not in each.marks]
    timed = [each for each in gpus if kernel_time(each) is not None]
    return GpuRow(
        tried,
        min(cores, key=RecordedPoint.seconds, default=None),
        min(gpus, key=RecordedPoint.seconds, default=None),
        min(timed, key=lambda each: statistics.median(_kernel_medians_s(each)), default=None),
    )


def _kernel_medians_s(point: RecordedPoint) -> list[float]:
    return _medians_s(point, KERNEL)


def _medians_s(point: RecordedPoint, part: str) -> list[float]:
    """Of each launch that has the GPU's times, the median over its repeats of the rank that took longest."""
    found = []
    for launch in point.timed:
        repeats = [[rank.device_s[part] for rank in repeat.ranks if rank.device_s] for repeat in launch.repeats]
        if all(repeats):
            found.append(statistics.median(map(max, repeats)))
    return found
