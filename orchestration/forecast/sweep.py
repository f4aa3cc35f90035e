"""The forecast of a sweep's runs before they start, for the ledger, the expected duration, and the interval of later
forecasts. If it fails, the reason is printed and the sweep goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.checks import canary, nodes
from orchestration.errors import Refusal
from orchestration.forecast import earlier, probe
from orchestration.forecast.convolution.cases import of_planned
from orchestration.planning.study import series_of
from orchestration.sweep.runner import LedgerExtras
from results.estimates import time_estimate
from results.forecast import accuracy, law, residuals
from results.forecast.convolution.probe import ForecastError, parse
from results.records.kinds import experiment_of
from results.records.sweep import read_sweep
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from orchestration.paths import SweepPaths
    from orchestration.planning.plan import PlannedRun
    from orchestration.sweep.prepare import Sweep


@dataclass(frozen=True)
class SweepForecast:
    """The values of the ledger's `forecast` event; None if there is no forecast, and `why` says the reason."""

    sweep: Sweep
    values: Mapping[str, Any] | None
    why: str = ""

    def forward_s(self, run_id: str) -> float | None:
        """Of one run; None where it has no forecast."""
        return accuracy.seconds(self.values, run_id)

    def told(self, run_id: str) -> str:
        """The same in figures, of a rate the rate; empty where it has none."""
        seconds = self.forward_s(run_id)
        if seconds is None:
            return ""
        run: Any = next(item.run for item in self.sweep.plan.runs if item.run.run_id == run_id)
        experiment = experiment_of(run)
        found = experiment.told(time_estimate([seconds]), experiment.work(run))
        return "" if found is None else f"{found.value:.3g}"

    def takes_s(self) -> float:
        """What the sweep takes at the least: its runs' starts, and their repeats as far as they are forecast."""
        forecasts = (self.values or {}).get("forecasts", {})
        total = 0.0
        for item in filter(self.sweep.is_own, self.sweep.plan.runs):
            forecast = forecasts.get(item.run.run_id)
            total += nodes.RUN_S + (0.0 if forecast is None else item.repeats * float(forecast.get("total_s", 0.0)))
        return total

    def lifetime(self) -> tuple[str, ...]:
        """A line where the cluster's lifetime ends before the sweep's runs can."""
        runs = sum(map(self.sweep.is_own, self.sweep.plan.runs))
        wanted = nodes.Wanted("", self.sweep.surroundings.utc_now(), runs, self.takes_s())
        faults = nodes.lifetime(self.sweep.inventory, wanted).faults
        return tuple(f"lifetime: {fault}; what would outlive it is skipped" for fault in faults)

    def ledger_extras(self) -> LedgerExtras:
        """What goes to the ledger beside the runs: the forecast, and the canary round their blocks."""
        prepared = self.sweep

        def ask(paths: SweepPaths) -> Mapping[str, Any]:
            found = canary.between(prepared.loop, paths)
            return {**found, "multiply_adds_per_s": canary.by_node(found, prepared.executor.names)}

        def forecast(runs: Sequence[PlannedRun]) -> Mapping[str, Any] | None:
            # that of the planned runs is known, and was shown; reading the probe or earlier sweeps again takes time
            return self.values if runs is prepared.plan.runs else forecast_sweep(prepared, runs).values

        return LedgerExtras(forecast, ask)

    def keep(self, folder: Path) -> str:
        """Saves the errors of the forecasts beside the probe; returns the reason if that fails."""
        cluster, root = _kept_as(self.sweep), self.sweep.surroundings.root
        rows = [row for row in accuracy.of_sweep(read_sweep(folder)) if row.point.experiment.probed]
        if not rows:
            return ""
        try:
            known = _residuals(cluster, root)
            off = [(row.point.run.ranks, row.log_ratio) for row in rows]
            probe.keep_residuals(cluster, root, residuals.document(known, folder.name, off))
        except Refusal as refusal:
            return f"how far the forecast was off is not kept: {refusal}"
        return ""


def forecast_sweep(prepared: Sweep, runs: Sequence[PlannedRun] = ()) -> SweepForecast:
    """The forecast of these runs, by default of all that are planned.

    From the cluster's probe, or from earlier sweeps: the experiment says which.
    """
    runs = runs or prepared.plan.runs
    if (alike := prepared.experiment.forebears(prepared.loaded)) is not None:
        return _by_law(prepared, runs, alike)
    cluster, root = _kept_as(prepared), prepared.surroundings.root
    if not probe.path_of(cluster, root).exists():
        asked = prepared.request.cluster
        return SweepForecast(prepared, None, f"no forecast: 'fab probe --cluster {asked}' measures what one rests on")
    cases = of_planned(runs)
    if not cases:
        return SweepForecast(prepared, None, f"no forecast: there is none for runs of {prepared.experiment.kind}")
    try:
        found = parse(probe.read(cluster, root), f"the probe of {cluster}")
        return SweepForecast(prepared, accuracy.document(cases, found, band(cluster, root)))
    except (Refusal, SchemaError) as error:
        return SweepForecast(prepared, None, f"no forecast: {error}")


def _by_law(prepared: Sweep, runs: Sequence[PlannedRun], alike: Callable[[earlier.Study], bool]) -> SweepForecast:
    """From the law of the earlier sweeps of such studies."""
    scalings = {series.name: series.scaling for series in series_of(prepared.loaded.study)}
    wanted = {item.run.run_id: (item.run, scalings[item.series[0]]) for item in runs}
    try:
        found = earlier.sweeps(prepared.surroundings.runs, prepared.inventory.cluster, alike)
        return SweepForecast(prepared, law.document(wanted, found))
    except ForecastError as error:
        return SweepForecast(prepared, None, f"no forecast: {error}")


def _kept_as(prepared: Sweep) -> str:
    return prepared.surroundings.clusters.kept_as(prepared.request.cluster)


def band(cluster: str, root: Path) -> residuals.Band | None:
    """The interval that earlier forecasts' errors on a cluster allow; None where there were too few. Raises Refusal."""
    return residuals.band(list(_residuals(cluster, root).values()))


def _residuals(cluster: str, root: Path) -> dict[str, list[tuple[int, float]]]:
    path, document = probe.residuals(cluster, root)
    try:
        return {} if document is None else residuals.parse(document, str(path))
    except SchemaError as error:
        raise Refusal(str(error)) from error
