"""A point of a series: the launches of the same parameters, and what they say together."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from results.estimates import Estimate, time_estimate
from results.records.launch import PARTS, STREAMED, SUSPECT, Launch
from workload.record.digest import canonical_json
from workload.record.outcomes import OK
from workload.record.run import Run


@dataclass(frozen=True)
class RecordedPoint:
    """Launches of one set of parameters, in launch order; never empty."""

    launches: tuple[Launch, ...]

    @property
    def run(self) -> Run:
        return self.launches[0].run

    @property
    def series(self) -> frozenset[str]:
        return frozenset(name for launch in self.launches for name in launch.series)

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(launch.run_id for launch in self.launches)

    @property
    def marks(self) -> frozenset[str]:
        return frozenset(mark for launch in self.launches for mark in launch.marks)

    @cached_property
    def counting(self) -> tuple[Launch, ...]:
        """Launches that may enter a speedup."""
        return tuple(launch for launch in self.launches if launch.counts)

    @cached_property
    def timed(self) -> tuple[Launch, ...]:
        """Launches whose time is shown: those that count or, where there are none, all that are ok."""
        return self.counting or tuple(launch for launch in self.launches if launch.ok)

    @property
    def streamed(self) -> bool:
        return STREAMED in self.marks

    def medians_s(self, clock: str = "forward_s") -> list[float]:
        return [launch.median_s(clock) for launch in self.timed]

    def time(self, clock: str = "forward_s") -> Estimate | None:
        """Its time by `clock`, None where no launch is ok."""
        medians = self.medians_s(clock)
        return time_estimate(medians) if medians else None

    @property
    def spread_within_launch(self) -> float | None:
        """Widest (longest - shortest) / median forward time of the repeats of one launch."""
        spreads = []
        for launch in self.timed:
            times = [repeat.forward_s for repeat in launch.repeats]
            spreads.append((max(times) - min(times)) / launch.median_s("forward_s"))
        return max(spreads, default=None)

    @property
    def outcome(self) -> str:
        """`ok`, the one other outcome, or how many launches had which."""
        counts: dict[str, int] = {}
        for launch in self.launches:
            counts[launch.outcome] = counts.get(launch.outcome, 0) + 1
        if len(counts) == 1:
            return next(iter(counts))
        ordered = sorted(counts, key=lambda outcome: (outcome != OK, outcome))
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ordered)

    @property
    def why_no_speedup(self) -> str:
        """Why it enters no speedup; empty where it does."""
        if self.counting:
            return ""
        if not self.timed:
            return f"its outcome is {self.outcome}"
        if any(SUSPECT in launch.marks for launch in self.timed):
            return "all its launches are suspect"
        return f"{self.run.movement} computes something else"

    def peak_bytes(self) -> dict[int, int]:
        """Resident peak of each rank, the largest over launches; empty where any rank's is unknown."""
        peaks: dict[int, int] = {}
        for launch in self.timed:
            for memory in launch.memory:
                if memory.peak_rss_bytes is None:
                    return {}
                peaks[memory.rank] = max(peaks.get(memory.rank, 0), memory.peak_rss_bytes)
        return peaks if len(peaks) == self.run.ranks else {}

    def parts_s(self) -> dict[int, dict[str, float]]:
        """Seconds of each part of each rank: median over the repeats of all launches."""
        samples: dict[int, dict[str, list[float]]] = {}
        for launch in self.timed:
            for repeat in launch.repeats:
                for rank in repeat.ranks:
                    parts = samples.setdefault(rank.rank, {part: [] for part in PARTS})
                    for part in PARTS:
                        parts[part].append(rank.parts_s[part])
        return {
            rank: {part: statistics.median(values) for part, values in parts.items()}
            for rank, parts in sorted(samples.items())
        }

    def imbalance(self) -> dict[str, float | None]:
        """Maximum over mean of each part's time over the ranks; None where no rank spent any."""
        ranks = list(self.parts_s().values())
        found: dict[str, float | None] = {}
        for part in PARTS:
            times = [rank[part] for rank in ranks]
            mean = statistics.fmean(times) if times else 0.0
            found[part] = max(times) / mean if mean > 0.0 else None
        return found


def parameters(run: Run) -> str:
    """What the launches of one point share: the run without its launch number and the code it ran."""
    document = run.as_dict()
    del document["launch"], document["workload"]
    return canonical_json(document)


def line_of(run: Run) -> str:
    """What the points of one line of a series share beside the series: all but sizes, ranks and placement."""
    kept = ("movement", "backend", "threads", "options", "weights", "save")
    document = run.as_dict()
    return canonical_json({name: document[name] for name in kept})


def group(launches: Iterable[Launch]) -> tuple[RecordedPoint, ...]:
    """The points of these launches, by movement, backend, ranks and batch."""
    members: dict[str, list[Launch]] = {}
    for launch in launches:
        members.setdefault(parameters(launch.run), []).append(launch)
    points = [RecordedPoint(tuple(sorted(found, key=lambda launch: launch.run.launch))) for found in members.values()]
    return tuple(sorted(points, key=_order))


def _order(point: RecordedPoint) -> tuple[str, str, int, int, str]:
    run = point.run
    return (run.movement, run.backend, run.ranks, run.problem.batch, parameters(run))
