"""Whether points have launches enough: how wide their intervals are, and what narrower ones take. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from results.estimates import AFTER_LOOKS, MIN_LAUNCHES, RANGE, t_quantile
from results.records.marks import CORES_DIFFER, MARKS, OVERSUBSCRIBED
from results.records.point import RecordedPoint

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


def _why_left_out(point: RecordedPoint) -> str:
    """Why more launches would make the point no more precise, or are not worth their time; empty where they are."""
    if not all(launch.ok for launch in point.launches):
        return f"its outcome is {point.outcome}"
    if point.why_no_speedup:
        return point.why_no_speedup
    if OVERSUBSCRIBED in point.marks:
        return MARKS[OVERSUBSCRIBED]
    return MARKS[CORES_DIFFER] if point.cores_differ else ""
