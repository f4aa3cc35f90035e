"""Forecasts as the ledger keeps them, written before the runs, and compared with what was measured.

The clock is the headline: `forward_s`, for a program `headline_s`. A forecast counts for a point only if it was in the
ledger before each of the point's runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.convolution.probe import Probe
from results.forecast.residuals import Band
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep

EVENT = "forecast"
STARTED = ("started", "adopted")


@dataclass(frozen=True)
class Foretold:
    """A point with its forecast, the interval (None if no earlier errors were known), and the measured time."""

    point: RecordedPoint
    forecast_s: float
    interval_s: tuple[float, float] | None
    measured_s: float

    @property
    def error(self) -> float:
        """Forecast over measured time, minus one."""
        return self.forecast_s / self.measured_s - 1.0

    @property
    def log_ratio(self) -> float:
        """The logarithm of measured over forecast time."""
        return math.log(self.measured_s / self.forecast_s)

    @property
    def inside(self) -> bool | None:
        """Whether the measured time lies in the interval; None without an interval."""
        return None if self.interval_s is None else self.interval_s[0] <= self.measured_s <= self.interval_s[1]


def document(cases: Mapping[str, ForecastCase], probe: Probe, band: Band | None) -> dict[str, Any]:
    """The values of the ledger's event: forecasts by run id, and for runs without one the reason."""
    runs: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for run_id, case in cases.items():
        try:
            found = forecast(case, probe)
        except ValueError as error:
            left_out[run_id] = str(error)
            continue
        interval = None if band is None else [found.forward_s * factor for factor in band.at(case.ranks)]
        runs[run_id] = {
            "forward_s": found.forward_s, "total_s": found.total_s, "phases_s": dict(found.phases_s),
            "moved_bytes": found.moved_bytes, "interval_s": interval,
        }  # fmt: skip
    basis = {
        "cluster": probe.cluster, "measured_utc": probe.measured_utc, "yardstick_flops_per_s": dict(probe.yardstick),
        "copy_bytes_per_s": None if probe.cache is None else {
            "memory": probe.memory.at(1), "cache": [list(rate) for rate in probe.cache.by_active],
        },
        "gpus": None if probe.gpus is None else probe.gpus.document(),
    }  # fmt: skip
    return {"probe": basis, "residuals": band.count if band else 0, "forecasts": runs, "left_out": left_out}


def seconds(values: Mapping[str, Any] | None, run_id: str) -> float | None:
    """The headline time that an event forecasts for a run; None if it has none."""
    entry = (values or {}).get("forecasts", {}).get(run_id)
    return None if entry is None else float(_headline(entry))


def of_sweep(sweep: RecordedSweep) -> list[Foretold]:
    """The points that were forecast before their first run, and measured."""
    kept = _kept(sweep)
    found = []
    for point in sweep.points:
        time = point.time()
        entries = [kept.get(launch.run_id) for launch in point.counting]
        if time is None or not entries or any(entry is None for entry in entries):
            continue
        first = entries[0]
        if first is not None:
            found.append(Foretold(point, first[0], first[1], time.value))
    return found


def forecast_s(sweep: RecordedSweep, point: RecordedPoint) -> float | None:
    """The forward time that the ledger forecasts for a point that need not have run; None without a forecast."""
    kept = _kept(sweep)
    entries = [kept[launch.run_id] for launch in point.launches if launch.run_id in kept]
    return entries[0][0] if entries else None


def total_s(sweep: RecordedSweep, point: RecordedPoint) -> float | None:
    """The total time that the ledger forecast for a point before it started; None without such a forecast."""
    kept = _kept(sweep, _total)
    found = [kept[launch.run_id][0] for launch in point.launches if launch.run_id in kept]
    return found[0] if len(found) == len(point.launches) else None


def core_speeds(sweep: RecordedSweep, rows: Sequence[Foretold]) -> list[tuple[str, float, float]]:
    """Speed of the cores by each yardstick: when probed, and in the rows' runs (median).

    In operations per CPU second. A yardstick without either figure is left out.
    """
    event = next((event for event in sweep.events if event.get("event") == EVENT), {})
    probe = event.get("probe")
    probed = probe.get("yardstick_flops_per_s") if isinstance(probe, Mapping) else None
    found = []
    every = [launch for row in rows for launch in row.point.counting]
    for name, speed in probed.items() if isinstance(probed, Mapping) else ():
        launches = [launch for launch in every if launch.experiment.yardstick(launch.run) == name]
        ranks = [rank for launch in launches for repeat in launch.repeats for rank in repeat.ranks]
        speeds = [rank.core_flops_per_s for rank in ranks if rank.core_flops_per_s]
        if _positive(speed) and speeds:
            found.append((str(name), float(speed), statistics.median(speeds)))
    return found


def _kept(
    sweep: RecordedSweep, clock: Callable[[Mapping[str, Any]], Any] | None = None
) -> dict[str, tuple[float, tuple[float, float] | None]]:
    """Forecast, by default of the headline, and its interval by run id.

    Of runs that had not started when the forecast was written.
    """
    found: dict[str, tuple[float, tuple[float, float] | None]] = {}
    started: set[str] = set()
    for event in sweep.events:
        if event.get("event") in STARTED:
            started.add(str(event.get("run_id")))
        forecasts = event.get("forecasts") if event.get("event") == EVENT else None
        for run_id, entry in forecasts.items() if isinstance(forecasts, Mapping) else ():
            parsed = _entry(entry, clock or _headline)
            if parsed is not None and run_id not in started:
                found[run_id] = parsed
    return found


def _entry(entry: object, clock: Callable[[Mapping[str, Any]], Any]) -> tuple[float, tuple[float, float] | None] | None:
    """Forecast and interval of a ledger entry; None if it is malformed."""
    if not isinstance(entry, Mapping) or not _positive(time_s := clock(entry)):
        return None
    interval = entry.get("interval_s")
    if isinstance(interval, list) and len(interval) == 2 and all(map(_positive, interval)):
        return float(time_s), (float(interval[0]), float(interval[1]))
    return float(time_s), None


def _headline(entry: Mapping[str, Any]) -> Any:
    return entry.get("headline_s", entry.get("forward_s"))


def _total(entry: Mapping[str, Any]) -> Any:
    return entry.get("total_s")


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 < value < math.inf
