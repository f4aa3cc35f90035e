"""Whether points have launches enough: how wide their intervals are, and what narrower ones take. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from results.estimates import AFTER_LOOKS, MIN_LAUNCHES, RANGE, t_quantile
from results.formats import plural
from results.records.marks import CORES_DIFFER, MARKS, OVERSUBSCRIBED
from results.records.point import RecordedPoint
from results.scaling.variances import pooled, shrunk

MOST_LAUNCHES = 10_000  # that are ever said to be needed


@dataclass(frozen=True)
class Width:
    """A point and the half-width of its headline's interval, as a share of its time; infinite with too few launches."""

    point: RecordedPoint
    half_width: float


@dataclass(frozen=True)
class Precision:
    """The points that more launches make more precise, the widest first, and the others with the reason."""

    widths: tuple[Width, ...]
    left_out: tuple[tuple[RecordedPoint, str], ...]

    @property
    def told_left_out(self) -> str:
        """How many points are left out, and why; empty where none is."""
        reasons = "; ".join(dict.fromkeys(why for _, why in self.left_out))
        return f"{plural(len(self.left_out), 'point')} left out: {reasons}" if reasons else ""

    def wide(self, within: float) -> list[RecordedPoint]:
        """The points that are not yet that precise."""
        return [width.point for width in self.widths if width.half_width > within]


def precision(points: Iterable[RecordedPoint]) -> Precision:
    """Of a sweep's points, by intervals at the level that holds after looking."""
    found: list[Width] = []
    left_out: list[tuple[RecordedPoint, str]] = []
    for point in points:
        if why := _why_left_out(point):
            left_out.append((point, why))
            continue
        time = replace(point, looks=max(1, point.looks)).time()
        narrow = time is not None and time.bounds != RANGE
        found.append(Width(point, time.half_width if time is not None and narrow else math.inf))
    return Precision(tuple(sorted(found, key=lambda width: -width.half_width)), tuple(left_out))


def launches_needed(noise: float, within: float) -> int:
    """Launches whose interval has that half-width where their log times have the standard deviation `noise`."""
    half = math.log1p(within)

    def enough(launches: int) -> bool:
        return t_quantile(launches - 1, AFTER_LOOKS) * noise / math.sqrt(launches) <= half

    return next((count for count in range(MIN_LAUNCHES, MOST_LAUNCHES) if enough(count)), MOST_LAUNCHES)


def noise_of(samples: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, float]:
    """Standard deviation of log time between launches of each point; empty where no sample has two.

    `samples` are times of each point by sweep. A point's noise is drawn towards that of all.
    """
    spreads = {
        name: (sum(len(times) - 1 for times in those), sum(map(_squares, those))) for name, those in samples.items()
    }
    known = [name for name, (freedom, _) in spreads.items() if freedom]
    if not known:
        return {}
    degrees = [spreads[name][0] for name in known]
    variances = [squares / freedom for freedom, squares in (spreads[name] for name in known)]
    found = dict(zip(known, shrunk(variances, degrees), strict=True))
    return {name: math.sqrt(found.get(name, pooled(variances, degrees))) for name in samples}


def _squares(times: Sequence[float]) -> float:
    logs = [math.log(time) for time in times]
    mean = math.fsum(logs) / len(logs)
    return math.fsum((log - mean) ** 2 for log in logs)


def _why_left_out(point: RecordedPoint) -> str:
    """Why more launches would make the point no more precise, or are not worth their time; empty where they are.

    Cores of different speed stay so, however many launches follow.
    """
    if not all(launch.ok for launch in point.launches):
        return f"its outcome is {point.outcome}"
    if point.why_no_speedup:
        return point.why_no_speedup
    if OVERSUBSCRIBED in point.marks:
        return MARKS[OVERSUBSCRIBED]
    return MARKS[CORES_DIFFER] if point.cores_differ else ""
