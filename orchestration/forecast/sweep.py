"""The forecast of a sweep's runs before they start, for the ledger, the expected duration, and the interval of later
forecasts. If it fails, the reason is printed and the sweep goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.checks import canary, nodes
from orchestration.errors import Refusal
from orchestration.forecast import probe
from orchestration.forecast.cases import of_plan
from orchestration.sweep.runner import LedgerExtras
from results.forecast import accuracy, residuals
from results.forecast.probe import parse
from results.records.sweep import read_sweep
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from orchestration.paths import SweepPaths
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

    def takes_s(self) -> float:
        """What the sweep takes at the least: its runs' starts, and their repeats as far as they are forecast."""
        forecasts = (self.values or {}).get("forecasts", {})
        total = 0.0
        for item in self.sweep.plan.runs:
            forecast = forecasts.get(item.run.run_id)
            total += nodes.RUN_S + (0.0 if forecast is None else item.repeats * float(forecast["total_s"]))
        return total

    def lifetime(self) -> tuple[str, ...]:
        """A line where the cluster's lifetime ends before the sweep's runs can."""
        runs = len(self.sweep.plan.runs)
        wanted = nodes.Wanted("", self.sweep.surroundings.utc_now(), runs, self.takes_s())
        faults = nodes.lifetime(self.sweep.inventory, wanted).faults
        return tuple(f"lifetime: {fault}; what would outlive it is skipped" for fault in faults)

    def ledger_extras(self) -> LedgerExtras:
        """What goes to the ledger beside the runs: the forecast, and the canary round their blocks."""
        prepared = self.sweep

        def ask(paths: SweepPaths) -> Mapping[str, Any]:
            found = canary.between(prepared.loop, paths)
            return {**found, "multiply_adds_per_s": canary.by_node(found, prepared.executor.names)}

        return LedgerExtras(self.values, ask)

    def keep(self, folder: Path) -> str:
        """Saves the errors of the forecasts beside the probe; returns the reason if that fails."""
        cluster, root = self.sweep.request.cluster, self.sweep.surroundings.root
        rows = accuracy.of_sweep(read_sweep(folder))
        if not rows:
            return ""
        try:
            known = _residuals(cluster, root)
            off = [(row.point.run.ranks, row.log_ratio) for row in rows]
            probe.keep_residuals(cluster, root, residuals.document(known, folder.name, off))
        except Refusal as refusal:
            return f"how far the forecast was off is not kept: {refusal}"
        return ""


def forecast_sweep(prepared: Sweep) -> SweepForecast:
    """The forecast of every run of a sweep."""
    cluster, root = prepared.request.cluster, prepared.surroundings.root
    if not probe.path_of(cluster, root).exists():
        return SweepForecast(prepared, None, f"no forecast: 'fab probe --cluster {cluster}' measures what one rests on")
    cases = of_plan(prepared.plan)
    if not cases:
        return SweepForecast(prepared, None, f"no forecast: there is none for runs of {prepared.experiment.kind}")
    try:
        found = parse(probe.read(cluster, root), f"the probe of {cluster}")
        return SweepForecast(prepared, accuracy.document(cases, found, band(cluster, root)))
    except (Refusal, SchemaError) as error:
        return SweepForecast(prepared, None, f"no forecast: {error}")


def band(cluster: str, root: Path) -> residuals.Band | None:
    """The interval that earlier forecasts' errors on a cluster allow; None where there were too few. Raises Refusal."""
    return residuals.band(list(_residuals(cluster, root).values()))


def _residuals(cluster: str, root: Path) -> dict[str, list[tuple[int, float]]]:
    path, document = probe.residuals(cluster, root)
    try:
        return {} if document is None else residuals.parse(document, str(path))
    except SchemaError as error:
        raise Refusal(str(error)) from error
