"""A point of a series: the launches of the same parameters, taken together."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from results.estimates import AFTER_LOOKS, CONFIDENCE, Estimate, ratio_estimate, time_estimate
from results.records.experiment import RecordedExperiment, Variant, Work
from results.records.kinds import experiment_of
from results.records.launch import RecordedLaunch
from results.records.marks import CORES_DIFFER, STREAMED, SUSPECT
from workload.record.kinds import RecordedRun, parameters
from workload.record.outcomes import OK
from workload.record.run import Run

TOTAL = "total_s"
CORES_APART = 0.2  # of the fastest launch's slowest core, by which another launch's may be slower


@dataclass(frozen=True)
class RecordedPoint:
    """The launches of one set of parameters, in launch order; never empty.

    `alike_speed`: the slowest core, in operations a CPU second, of that launch of as many ranks and the same code which
    had the best one in its sweep; None where nothing is known of other points. `looks`: how often its sweep looked
    whether it had launches enough.
    """

    launches: tuple[RecordedLaunch, ...]
    alike_speed: float | None = None
    looks: int = 0

    @property
    def run(self) -> RecordedRun:
        return self.launches[0].run

    @property
    def convolution(self) -> Run:
        """The run, with what only convolutions have. Raises TypeError for another kind of experiment."""
        return self.launches[0].convolution

    @property
    def experiment(self) -> RecordedExperiment:
        return experiment_of(self.run)

    @cached_property
    def variant(self) -> Variant:
        return self.experiment.variant(self.run)

    @property
    def size(self) -> int:
        """What weak scaling grows."""
        return self.experiment.size(self.run)

    @property
    def size_text(self) -> str:
        return self.experiment.size_text(self.run)

    @property
    def problem(self) -> tuple[object, ...]:
        """Equal for points that compute the same."""
        return self.experiment.problem(self.run)

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for points of different sweeps that may be compared."""
        return (self.problem, self.run.ranks, self.experiment.division(self.run), self.variant.key)

    @property
    def work(self) -> Work:
        return self.experiment.work(self.run)

    @property
    def series(self) -> frozenset[str]:
        return frozenset(name for launch in self.launches for name in launch.series)

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(launch.run_id for launch in self.launches)

    @property
    def marks(self) -> frozenset[str]:
        """Those of its launches, and CORES_DIFFER."""
        own = frozenset(mark for launch in self.launches for mark in launch.marks)
        return own | {CORES_DIFFER} if self.cores_differ else own

    @cached_property
    def cores_differ(self) -> bool:
        """Whether the slowest core of a launch was far slower than that of another: no interval is given then.

        Launches of other points that ran as many ranks of the same code are looked at as well.
        Some launches on a slow core make two clusters of times, which Student's t does not know of.
        """
        own = _slowest_cores(self.timed)
        return far_apart([*own, *filter(None, [self.alike_speed])] if own else [])

    @cached_property
    def counting(self) -> tuple[RecordedLaunch, ...]:
        """Launches that may enter a speedup."""
        return tuple(launch for launch in self.launches if launch.counts)

    @cached_property
    def timed(self) -> tuple[RecordedLaunch, ...]:
        """Launches whose time is shown: those that count or, if there are none, all that are ok."""
        return self.counting or tuple(launch for launch in self.launches if launch.ok)

    @property
    def streamed(self) -> bool:
        return STREAMED in self.marks

    @property
    def confidence(self) -> float:
        """The level of its intervals."""
        return AFTER_LOOKS if self.looks else CONFIDENCE

    @property
    def headline(self) -> str:
        """The clock of speedups and rates."""
        return self.experiment.headline

    @property
    def comparable_clock(self) -> str:
        """The clock for comparisons with other variants: a streamed point has its total time alone."""
        return TOTAL if self.streamed else self.headline

    def medians_s(self, clock: str = "") -> list[float]:
        """The median repeat of each launch by `clock`, by default the headline."""
        return [launch.median_s(clock or self.headline) for launch in self.timed]

    def time(self, clock: str = "") -> Estimate | None:
        """The point's time by `clock`, by default the headline; None if no launch is ok."""
        medians = self.medians_s(clock)
        if not medians:
            return None
        time = time_estimate(medians, self.confidence)
        return time.ranged(min(medians), max(medians)) if self.cores_differ else time

    def seconds(self, clock: str = "") -> float:
        """The value of `time`; infinite if no launch is ok."""
        time = self.time(clock)
        return time.value if time else math.inf

    @property
    def rate(self) -> float:
        """Units of work per second by the headline; 0 if no launch is ok."""
        return self.work.amount / self.seconds()

    @property
    def spread_within_launch(self) -> float | None:
        """The largest (longest - shortest) / median of a launch's repeats, by the headline."""
        spreads = []
        for launch in self.timed:
            times = [getattr(repeat, self.headline) for repeat in launch.repeats]
            spreads.append((max(times) - min(times)) / launch.median_s(self.headline))
        return max(spreads, default=None)

    @property
    def outcome(self) -> str:
        """The common outcome of the launches, or how many had which."""
        counts: dict[str, int] = {}
        for launch in self.launches:
            counts[launch.outcome] = counts.get(launch.outcome, 0) + 1
        if len(counts) == 1:
            return next(iter(counts))
        ordered = sorted(counts, key=lambda outcome: (outcome != OK, outcome))
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ordered)

    @property
    def why_no_speedup(self) -> str:
        """Why the point enters no speedup; empty if it does."""
        if self.counting:
            return ""
        if not self.timed:
            return f"its outcome is {self.outcome}"
        if any(SUSPECT in launch.marks for launch in self.timed):
            return "all its launches are suspect"
        return self.experiment.why_uncounted(self.run)

    @cached_property
    def peak_bytes(self) -> Mapping[int, int]:
        """Resident peak of each rank, the largest over launches; empty if any rank's is unknown."""
        peaks: dict[int, int] = {}
        for launch in self.timed:
            for memory in launch.memory:
                if memory.peak_rss_bytes is None:
                    return {}
                peaks[memory.rank] = max(peaks.get(memory.rank, 0), memory.peak_rss_bytes)
        return peaks if len(peaks) == self.run.ranks else {}

    @cached_property
    def parts_s(self) -> Mapping[int, Mapping[str, float]]:
        """Seconds of each part on each rank: median over the repeats of all launches."""
        names = self.experiment.parts
        samples: dict[int, dict[str, list[float]]] = {}
        for launch in self.timed:
            for repeat in launch.repeats:
                for rank in repeat.ranks:
                    parts = samples.setdefault(rank.rank, {part: [] for part in names})
                    for part in names:
                        parts[part].append(rank.parts_s[part])
        return {
            rank: {part: statistics.median(values) for part, values in parts.items()}
            for rank, parts in sorted(samples.items())
        }

    @cached_property
    def imbalance(self) -> dict[str, float | None]:
        """Maximum over mean of each part's time over the ranks; None if no rank spent any."""
        ranks = list(self.parts_s.values())
        found: dict[str, float | None] = {}
        for part in self.experiment.parts:
            times = [rank[part] for rank in ranks]
            mean = statistics.fmean(times) if times else 0.0
            found[part] = max(times) / mean if mean > 0.0 else None
        return found


def _slowest_cores(launches: Iterable[RecordedLaunch]) -> list[float]:
    """Of each launch that has read any speed."""
    return [min(launch.core_speeds) for launch in launches if launch.core_speeds]


def far_apart(speeds: Sequence[float]) -> bool:
    """Whether the launches' slowest cores differ by more than CORES_APART of the fastest of them."""
    return bool(speeds) and min(speeds) < (1.0 - CORES_APART) * max(speeds)


def ratio_of(numerator: RecordedPoint, denominator: RecordedPoint, clock: str = "") -> Estimate:
    """Ratio of two points' times by `clock`, the numerator's headline where none is given.

    The range of all ratios of one launch to another where either has too few launches, or on cores that differ.
    """
    clock = clock or numerator.headline
    above, below = numerator.medians_s(clock), denominator.medians_s(clock)
    ratio = ratio_estimate(above, below, max(numerator.confidence, denominator.confidence))
    if numerator.cores_differ or denominator.cores_differ:
        return ratio.ranged(min(above) / max(below), max(above) / min(below))
    return ratio


def group(launches: Iterable[RecordedLaunch], looks: int = 0) -> tuple[RecordedPoint, ...]:
    """Groups launches into points, sorted by variant, ranks and size; `looks` are their sweep's."""
    members: dict[str, list[RecordedLaunch]] = {}
    for launch in launches:
        members.setdefault(parameters(launch.run), []).append(launch)
    every = list(itertools.chain.from_iterable(members.values()))
    fastest: dict[tuple[object, ...], float] = {}
    for launch in filter(lambda launch: launch.counts, every):
        fastest[_alike(launch)] = max([fastest.get(_alike(launch), 0.0), *_slowest_cores([launch])])
    points = [
        RecordedPoint(tuple(sorted(found, key=lambda launch: launch.run.launch)), fastest.get(_alike(found[0])), looks)
        for found in members.values()
    ]
    return tuple(sorted(points, key=_order))


def _alike(launch: RecordedLaunch) -> tuple[object, ...]:
    """The same for launches whose cores are at work alike: fewer ranks may run at a higher clock frequency."""
    return (launch.experiment.yardstick(launch.run), launch.run.ranks, launch.run.ranks_per_node)


def _order(point: RecordedPoint) -> tuple[object, ...]:
    return (*point.variant.names.values(), point.run.ranks, point.size, parameters(point.run))
