"""Forecasts without a model of what is run: the law of a line, fitted to earlier sweeps of the same runs.

The interval comes from how far each of those sweeps was off the law of the others.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.estimates import Estimate, time_estimate
from results.forecast import residuals
from results.forecast.convolution.probe import ForecastError
from results.forecast.predict import FAR, TOO_FAR
from results.forecast.residuals import LEAST_SWEEPS, Band, Residual
from results.formats import plural
from results.records.experiment import RecordedExperiment
from results.records.kinds import experiment_of
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.scaling import fits
from results.scaling.fits import Fit, NoFitError
from results.scaling.line import lines

FAR_WORDS = "far beyond the measured ranks"
Times = Sequence[tuple[int, float]]  # ranks and headline of every launch


@dataclass(frozen=True)
class LawRow:
    """A run that a law foretells: its series, the ledger's entry of it, and what a sweep measured of the same."""

    series: str
    run: Any
    entry: Mapping[str, Any]
    measured: RecordedPoint | None

    @property
    def experiment(self) -> RecordedExperiment:
        return experiment_of(self.run)

    @property
    def value(self) -> float:
        """The headline as tables show it: the time, or the rate that stands in its place."""
        return self._told(self.entry["headline_s"])

    @property
    def interval(self) -> tuple[float, float] | None:
        low, high = sorted(map(self._told, self.entry["interval_s"] or ())) or (None, None)
        return None if low is None or high is None else (low, high)

    @property
    def measured_value(self) -> Estimate | None:
        point = self.measured
        return None if point is None else point.experiment.told(point.time(), point.work)

    @property
    def error(self) -> float | None:
        """Forecast over measured, minus one."""
        measured = self.measured_value
        return None if measured is None else self.value / measured.value - 1.0

    @property
    def basis(self) -> str:
        """Whether earlier sweeps had as many ranks."""
        ranks, most = self.run.ranks, self.entry["most_ranks"]
        if ranks <= most:
            return "measured"
        return FAR_WORDS if ranks > FAR * most else "beyond the measured ranks"

    def _told(self, time_s: float) -> float:
        found = self.experiment.told(time_estimate([time_s]), self.experiment.work(self.run))
        return time_s if found is None else found.value


def rows(
    runs: Iterable[tuple[str, Any]], forecasts: Mapping[str, Any], sweep: RecordedSweep | None, *, extrapolate: bool
) -> list[LawRow]:
    """The runs that have a forecast, each with its series. Raises ForecastError far beyond the measured ranks."""
    found = []
    for series, run in runs:
        if (entry := forecasts.get(run.run_id)) is None:
            continue
        if run.ranks > TOO_FAR * entry["most_ranks"] and not extrapolate:
            raise ForecastError(
                f"{run.ranks} ranks are more than {TOO_FAR} times the {entry['most_ranks']} that earlier sweeps had: "
                "sweep more ranks, or give --extrapolate"
            )
        found.append(LawRow(series, run, entry, _measured(run, sweep)))
    return found


def _measured(run: Any, sweep: RecordedSweep | None) -> RecordedPoint | None:
    """The sweep's point of the same run, on as many ranks."""
    experiment = experiment_of(run)

    def same(point: RecordedPoint) -> bool:
        if point.run.workload.kind != run.workload.kind or point.run.ranks != run.ranks or not point.counting:
            return False
        return experiment.problem(point.run) == experiment.problem(run) and (
            experiment.lineage(point.run) == experiment.lineage(run)
        )

    return next(filter(same, sweep.points if sweep else ()), None)


@dataclass(frozen=True)
class LawForecast:
    """The law that the times of earlier sweeps follow, and how far it was off a sweep that it did not know."""

    fit: Fit
    sweeps: tuple[str, ...]
    band: Band | None
    most_ranks: int  # that those sweeps had

    def entry(self, ranks: int) -> dict[str, Any]:
        """What the ledger keeps of a run on so many ranks. Raises ForecastError."""
        headline_s = self.fit.at(ranks)
        if not 0.0 < headline_s < math.inf:
            raise ForecastError(f"{self.fit.law.name}'s law of the earlier sweeps has no time on {ranks} ranks")
        interval_s = None if self.band is None else [headline_s * factor for factor in self.band.at(ranks)]
        return {
            "headline_s": headline_s, "interval_s": interval_s, "law": self.fit.law.name, "most_ranks": self.most_ranks,
        }  # fmt: skip


def of_line(scaling: str, sweeps: Mapping[str, Times]) -> LawForecast:
    """The forecast of a line from its times in earlier sweeps. Raises ForecastError: too few, or no law fits."""
    if len(sweeps) < LEAST_SWEEPS:
        raise ForecastError(
            f"{plural(len(sweeps), 'earlier sweep')} of this program on this cluster: {LEAST_SWEEPS} make a forecast"
        )
    together = [time for times in sweeps.values() for time in times]
    found, why = [], ""
    for law in fits.laws_of(scaling):
        try:
            found.append(fits.fit(law, together))
        except NoFitError as error:
            why = why or str(error)
    if not found:
        raise ForecastError(why)
    best = min(found, key=lambda fit: fit.noise)
    return LawForecast(best, tuple(sweeps), _band(best.law, sweeps), max(ranks for ranks, _ in together))


def _band(law: fits.Law, sweeps: Mapping[str, Times]) -> Band | None:
    """The interval that the errors of each sweep give, forecast from the others; None where those are too few."""
    errors: list[list[Residual]] = []
    for name, times in sweeps.items():
        try:
            others = fits.fit(law, [time for other in sweeps if other != name for time in sweeps[other]])
        except NoFitError:
            return None
        forecasts = {ranks: others.at(ranks) for ranks, _ in times}
        if min(forecasts.values()) <= 0.0:
            return None
        errors.append([
            (ranks, statistics.fmean(math.log(time / forecast) for count, time in times if count == ranks))
            for ranks, forecast in forecasts.items()
        ])  # fmt: skip
    return residuals.band(errors)


def key(run: Any, scaling: str) -> str:
    """The same for runs of one line, in whatever sweep; empty where no law foretells them."""
    lineage = experiment_of(run).lineage(run)
    return f"{scaling} {lineage}" if lineage else ""


def history(earlier: Iterable[RecordedSweep], clock: str = "") -> dict[str, dict[str, list[tuple[int, float]]]]:
    """By the key of each line: its times in each sweep by `clock`, by default the headline."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for sweep in earlier:
        for line in (line for series in sweep.series for line in lines(series)):
            times = [(point.run.ranks, time_s) for point in line.fitted for time_s in point.medians_s(clock)]
            if times and (name := key(line.points[0].run, line.scaling)):
                found.setdefault(name, {}).setdefault(sweep.name, []).extend(times)
    return found


def document(
    wanted: Mapping[str, tuple[Any, str]], earlier: Sequence[RecordedSweep], clock: str = ""
) -> dict[str, Any]:
    """The values of the ledger's event: forecasts by run id, and for runs without one the reason.

    `wanted` has each run with its kind of scaling. `clock`: what is forecast in the headline's place. Raises
    ForecastError where there is none at all.
    """
    known = history(earlier, clock)
    made: dict[str, LawForecast | str] = {}
    forecasts: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for run_id, (run, scaling) in wanted.items():
        line = key(run, scaling)
        try:
            if line not in made:
                made[line] = of_line(scaling, known.get(line, {}))
            law = made[line]
            if isinstance(law, str):
                raise ForecastError(law)
            forecasts[run_id] = law.entry(run.ranks)
            if experiment_of(run).clocks == ("headline_s",):  # which is the wall time then
                forecasts[run_id]["total_s"] = forecasts[run_id]["headline_s"]
        except ForecastError as error:
            made.setdefault(line, str(error))
            left_out[run_id] = str(error)
    if not forecasts:
        raise ForecastError("; ".join(dict.fromkeys(left_out.values())))
    laws = [law for law in made.values() if isinstance(law, LawForecast)]
    counted = max((law.band.count for law in laws if law.band), default=0)
    sweeps = list(dict.fromkeys(name for law in laws for name in law.sweeps))
    return {"earlier": sweeps, "residuals": counted, "forecasts": forecasts, "left_out": left_out}
