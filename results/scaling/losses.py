"""What the ranks of a point spend their time on beyond what the one-rank point of its line spends on the same work.

Shares are of the ranks' time, rank count times forward time: one number a launch, the median of its repeats. What has
no phases of the convolution is divided into the parts that its experiment names, of the whole time.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from results.estimates import Estimate, difference_estimate, welch_half_width
from results.records.launch import RecordedLaunch
from results.records.measurement import Repeat
from results.records.point import TOTAL, RecordedPoint
from results.scaling.line import Line

DISTRIBUTE, CONVOLVE, COLLECT, LOAD, SAVE = "distribute", "convolve", "collect", "load", "save"
WAIT, ROOT_WAIT, PROCESSOR = "wait", "wait for the root", "processor"
IN_MPI, OUTSIDE_MPI, ENDED = "in MPI", "outside MPI", "ended"
FORWARD_PARTS = (DISTRIBUTE, CONVOLVE, COLLECT)
STREAMED_PARTS = (LOAD, *FORWARD_PARTS, SAVE)  # of a repeat without a forward section of its own
Samples = Mapping[str, Sequence[float]]
Seconds = Callable[[RecordedLaunch], Mapping[str, float]]


@dataclass(frozen=True)
class Losses:
    """Parts of the forward time by name, as shares: of every launch of the point, and of every one-rank launch.

    `before` are the one-rank point's seconds, for as much work, over the point's own time. WAIT is what no part fills;
    ROOT_WAIT is that part of it in which rank 0 was still moving data; PROCESSOR is convolve in processor time.
    """

    after: Samples
    before: Samples

    @property
    def parts(self) -> tuple[str, ...]:
        """All that fill the forward time, without overlap."""
        return tuple(part for part in self.after if part != PROCESSOR)

    def share(self, *parts: str) -> Estimate:
        """By how much these parts together grew."""
        return difference_estimate(_sums(self.after, parts), _sums(self.before, parts))

    def told_apart(self, larger: Sequence[str], smaller: Sequence[str]) -> bool:
        """Whether the launches show that the first parts grew more than the second (Student's t, two launches do)."""
        gaps = [_gaps(samples, larger, smaller) for samples in (self.after, self.before)]
        if min(map(len, gaps)) < 2:
            return False
        after, before = gaps
        return statistics.fmean(after) - statistics.fmean(before) > welch_half_width(after, before)


def losses(line: Line, point: RecordedPoint) -> Losses | None:
    """None without a one-rank point that counts, or of that point itself.

    In a weak series the work of N ranks is N times that of the one-rank point.
    """
    one = next((other for other in line.points if other.run.ranks == 1 and other.counting), None)
    return None if one is None else _between(one, point, _seconds, point.headline)


def losses_by_own_parts(line: Line, point: RecordedPoint) -> Losses | None:
    """The same by the parts that the experiment names, against the smallest count; time in MPI apart where it is known.

    ENDED is the time of ranks that ended before the last one.
    """
    base = next((other for other in line.points if other.counting), None)
    if base is None:
        return None
    profiled = all(rank.mpi_s > 0.0 for launch in point.timed for repeat in launch.repeats for rank in repeat.ranks)
    return _between(base, point, lambda launch: _own_seconds(launch, profiled), TOTAL)


def _between(base: RecordedPoint, point: RecordedPoint, seconds: Seconds, clock: str) -> Losses | None:
    if point is base or not point.timed:
        return None
    after = [seconds(launch) for launch in point.timed]
    times_s = [point.run.ranks * launch.median_s(clock) for launch in point.timed]
    scale = point.work.amount / base.work.amount * statistics.fmean(1.0 / time_s for time_s in times_s)
    before = [seconds(launch) for launch in base.timed]
    return Losses(
        {part: [parts[part] / time_s for parts, time_s in zip(after, times_s, strict=True)] for part in after[0]},
        {part: [scale * parts[part] if part in parts else 0.0 for parts in before] for part in after[0]},
    )


def _own_seconds(launch: RecordedLaunch, profiled: bool) -> dict[str, float]:
    repeats = [_own_parts(repeat, launch.experiment.parts, profiled) for repeat in launch.repeats]
    return {part: statistics.median(repeat[part] for repeat in repeats) for part in repeats[0]}


def _own_parts(repeat: Repeat, names: Sequence[str], profiled: bool) -> dict[str, float]:
    found = {name: math.fsum(rank.parts_s[name] for rank in repeat.ranks) for name in names}
    at_work_s = math.fsum(found.values())
    if profiled:
        in_mpi_s = math.fsum(rank.mpi_s for rank in repeat.ranks)
        found = {IN_MPI: in_mpi_s, OUTSIDE_MPI: at_work_s - in_mpi_s}
    return {**found, ENDED: len(repeat.ranks) * repeat.total_s - at_work_s}


def _seconds(launch: RecordedLaunch) -> dict[str, float]:
    """Seconds of every part, of all ranks together."""
    repeats = [_parts(repeat, launch.experiment.headline) for repeat in launch.repeats]
    return {part: statistics.median(repeat[part] for repeat in repeats) for part in repeats[0]}


def _parts(repeat: Repeat, headline: str) -> dict[str, float]:
    names = STREAMED_PARTS if repeat.streamed else FORWARD_PARTS
    found = {name: sum(rank.parts_s[name] for rank in repeat.ranks) for name in names}
    forward_s = float(getattr(repeat, headline))
    root_moves_s = _moving_s(repeat, 0)
    waits_s = [forward_s - sum(rank.parts_s[name] for name in names) for rank in repeat.ranks]
    for_root_s = [
        min(max(wait_s, 0.0), max(root_moves_s - _moving_s(repeat, index), 0.0)) for index, wait_s in enumerate(waits_s)
    ]
    found[ROOT_WAIT] = sum(for_root_s)
    found[WAIT] = sum(waits_s) - found[ROOT_WAIT]
    found[PROCESSOR] = sum(rank.convolve_cpu_s for rank in repeat.ranks)
    return found


def _moving_s(repeat: Repeat, rank: int) -> float:
    parts = repeat.ranks[rank].parts_s
    return parts[DISTRIBUTE] + parts[COLLECT]


def _sums(samples: Samples, parts: Sequence[str]) -> list[float]:
    return [math.fsum(values) for values in zip(*(samples[part] for part in parts), strict=True)]


def _gaps(samples: Samples, larger: Sequence[str], smaller: Sequence[str]) -> list[float]:
    return [above - below for above, below in zip(_sums(samples, larger), _sums(samples, smaller), strict=True)]
