"""Where the throughput of a line stops growing: its best rank count, and those that cannot be told from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from results.estimates import RANGE, Estimate
from results.records.point import RecordedPoint, ratio_of
from results.scaling.line import Line


@dataclass(frozen=True)
class ScalingReach:
    """The points of a line that count and share no core, by rank count; at least one."""

    points: tuple[RecordedPoint, ...]

    @property
    def base(self) -> RecordedPoint:
        return self.points[0]

    @property
    def last(self) -> RecordedPoint:
        return self.points[-1]

    @cached_property
    def best(self) -> RecordedPoint:
        """The point of most throughput."""
        return max(self.points, key=lambda point: point.rate)

    @cached_property
    def alike(self) -> tuple[RecordedPoint, ...]:
        """The best, and the points for which the bounds of the ratio to it reach 1."""
        return tuple(point for point in self.points if point is self.best or rate_ratio(point, self.best).high >= 1.0)

    @property
    def stop(self) -> RecordedPoint:
        """The smallest count beyond which no gain can be claimed."""
        return self.alike[0]

    @property
    def grows(self) -> bool:
        """Whether throughput grew up to the largest count that was measured."""
        return self.stop is self.last

    @property
    def launches(self) -> int:
        """Of the point that has the fewest."""
        return min(len(point.counting) for point in self.points)

    @property
    def certain(self) -> bool:
        """Whether intervals tell the best from the others, rather than ranges of a few launches."""
        others = [point for point in self.points if point is not self.best]
        return all(rate_ratio(point, self.best).bounds != RANGE for point in others)


def reach_of(line: Line) -> ScalingReach | None:
    """None unless points of more than one rank count have a time and share no core."""
    return ScalingReach(line.unshared) if len({point.run.ranks for point in line.unshared}) > 1 else None


def rate_ratio(point: RecordedPoint, over: RecordedPoint) -> Estimate:
    """Throughput of a point over that of another."""
    return ratio_of(over, point).scaled(point.work.amount / over.work.amount)
