"""A line of a series (one variant over rank counts): the laws fitted to it, and what each of its points shows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from results.estimates import EXACT, Estimate, time_estimate
from results.records.experiment import RecordedExperiment, Variant
from results.records.marks import OVERSUBSCRIBED, SMT
from results.records.point import RecordedPoint
from results.records.sweep import STRONG, WEAK, RecordedSeries
from results.scaling import fits
from results.scaling.fits import Fit, NoFitError
from results.scaling.laws import karp_flatt, scaled_serial_fraction
from results.scaling.speedup import conflict, relative_speedup, scaled_speedup, weak_efficiency

APART = frozenset({OVERSUBSCRIBED, SMT})  # ranks that share a core follow other laws


@dataclass(frozen=True)
class PointLaws:
    """What one point shows: parallel efficiency, the serial fraction behind it, and residuals.

    `residuals`, by law: log(measured / law); empty for points that did not enter the fit.
    """

    point: RecordedPoint
    efficiency: Estimate | None
    serial_fraction: Estimate | None
    residuals: Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """The points of one variant of a strong or weak series, by rank count."""

    scaling: str
    points: tuple[RecordedPoint, ...]

    @property
    def variant(self) -> Variant:
        return self.points[0].variant

    @property
    def experiment(self) -> RecordedExperiment:
        return self.points[0].experiment

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(run_id for point in self.fitted for run_id in point.run_ids)

    @cached_property
    def unshared(self) -> tuple[RecordedPoint, ...]:
        """The points that count, and share no core."""
        return tuple(point for point in self.points if point.counting and not point.marks & APART)

    @cached_property
    def fitted(self) -> tuple[RecordedPoint, ...]:
        """The points that enter a fit: of these, those whose launches ran on cores of the same speed."""
        return tuple(point for point in self.unshared if not point.cores_differ)

    @cached_property
    def _outcomes(self) -> Mapping[str, Fit | str]:
        found: dict[str, Fit | str] = {}
        times = [(point.run.ranks, time_s) for point in self.fitted for time_s in point.medians_s()]
        for law in fits.laws_of(self.scaling):
            try:
                found[law.name] = conflict(self.fitted) or fits.fit(law, times, self.points[0].confidence)
            except NoFitError as error:
                found[law.name] = str(error)
        return found

    @property
    def laws(self) -> dict[str, Fit]:
        """The fits, by law."""
        return {name: found for name, found in self._outcomes.items() if isinstance(found, Fit)}

    @property
    def why_not(self) -> dict[str, str]:
        """Why there is no fit, by law."""
        return {name: found for name, found in self._outcomes.items() if isinstance(found, str)}

    def parallel_fraction(self, clock: str) -> Estimate | None:
        """p as measured: convolve over the time by `clock` on one rank. None without a one-rank point that counts."""
        one_rank = next((point for point in self.points if point.run.ranks == 1 and point.counting), None)
        if one_rank is None or one_rank.experiment.parallel_fraction is None:
            return None
        return time_estimate(
            [
                statistics.median(repeat.convolve_s / getattr(repeat, clock) for repeat in launch.repeats)
                for launch in one_rank.counting
            ],
            one_rank.confidence,
        )

    def each(self) -> list[PointLaws]:
        """PointLaws of every point that has a time."""
        return [self._one(point) for point in self.points if point.timed]

    def _one(self, point: RecordedPoint) -> PointLaws:
        ranks = point.run.ranks
        if self.scaling == STRONG:
            ratio = relative_speedup(point, self.points)
            times, speedup = ranks / ratio.base, ratio.estimate
            efficiency = speedup.scaled(1.0 / times) if speedup else None
            fraction = _falling(speedup, lambda value: karp_flatt(value, times)) if times > 1 else None
        else:
            ratio = weak_efficiency(point, self.points)
            times, efficiency = ranks / ratio.base, ratio.estimate
            scaled = scaled_speedup(point, self.points).estimate
            fraction = _falling(scaled, lambda value: scaled_serial_fraction(value, times)) if times > 1 else None
        entered = point in self.fitted
        residuals = {name: found.residuals[ranks] for name, found in self.laws.items()} if entered else {}
        return PointLaws(point, efficiency, fraction, residuals)


def lines(series: RecordedSeries) -> list[Line]:
    """The lines of a strong or weak series that have several rank counts; runs that enter no speedup are left out."""
    if series.scaling not in (STRONG, WEAK):
        return []
    members: dict[str, list[RecordedPoint]] = {}
    for point in series.points:
        if not point.experiment.is_serial(point.run) and not point.experiment.why_uncounted(point.run):
            members.setdefault(point.variant.key, []).append(point)
    return [
        Line(series.scaling, tuple(sorted(points, key=lambda point: point.run.ranks)))
        for points in members.values()
        if len({point.run.ranks for point in points}) > 1
    ]


def _falling(value: Estimate | None, function: Callable[[float], float]) -> Estimate | None:
    """The estimate of a decreasing function of the quantity; None for a point compared with itself."""
    if value is None or value.bounds == EXACT:
        return None
    return Estimate(function(value.value), function(value.high), function(value.low), value.bounds, value.launches)
