"""What each rank of a program took, by its own parent's measure; and the metrics beside the headline."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results.formats import NONE, mib, slug
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries
from results.table import Column, Table, build, numeric, plain, shown
from results.tables import columns


@dataclass(frozen=True)
class ProgramRankRow:
    """One rank of a point, in all its timed launches."""

    point: RecordedPoint
    rank: int
    samples: tuple[Mapping[str, Any], ...]

    def median(self, key: str) -> float:
        """The median over launches of one of the rank's numbers."""
        return float(statistics.median(sample[key] for sample in self.samples))

    def largest(self, key: str) -> int | None:
        """The largest over launches; None where no launch sampled it."""
        return max((sample[key] for sample in self.samples if sample[key] is not None), default=None)


@dataclass(frozen=True)
class MetricRow:
    """One metric of a point."""

    point: RecordedPoint
    name: str
    unit: str
    values: tuple[float, ...]


def table(series: RecordedSeries) -> Table:
    """A row per rank: time on the clock and on processors, memory, faults, switches, where it ran."""
    rows = [row for point in series.points for row in _rows(point)]
    found: list[Column[ProgramRankRow]] = [
        *columns.place(series.points),
        plain("Rank", "rank", lambda row: row.rank),
        plain("Node", "node", lambda row: ", ".join(dict.fromkeys(sample["node"] for sample in row.samples))),
        plain("Core", "core", lambda row: ", ".join(dict.fromkeys(str(sample["core"]) for sample in row.samples))),
        _seconds("Wall (s)", "wall_s"),
        _seconds("User CPU (s)", "user_s"),
        _seconds("System CPU (s)", "system_s"),
        _largest("Peak memory (MiB)", "peak_rss_bytes", in_mib=True),
        _largest("Swap (MiB)", "swap_bytes", in_mib=True),
        _largest("Major faults", "major_faults"),
        plain("Context switches", "context_switches", _switches),
        columns.run_ids(),
    ]
    notes = [
        "Measured by a parent of each rank, from its start to its end: wall time by the monotonic clock of its own "
        "node; medians over launches, of memory, swap and faults the largest. Core: where it ran last in each launch. "
        "Context switches: voluntary and involuntary. Swap is looked at once a second; a dash: no launch took so long.",
        "Peak memory is the kernel's, of the rank and what it started; less than about 13 MiB, which its parent has, "
        "cannot be told.",
    ]
    return build(f"Ranks: {series.name}", found, rows, name=slug("ranks", series.name), notes=notes)


def metrics(series: RecordedSeries) -> Table:
    """Every metric of every point, the headline among them."""
    rows = [row for point in series.points for row in _metrics(point)]
    found: list[Column[MetricRow]] = [
        *columns.place(series.points),
        plain("Metric", "metric", lambda row: row.name),
        plain("Unit", "unit", lambda row: row.unit or NONE),
        numeric("Median", "median", lambda row: float(statistics.median(row.values))),
        numeric("Smallest", "smallest", lambda row: min(row.values)),
        numeric("Largest", "largest", lambda row: max(row.values)),
        columns.run_ids(),
    ]
    notes = ["What the program itself says, over launches."]
    return build(f"Metrics: {series.name}", found, rows, name=slug("metrics", series.name), notes=notes)


def _rows(point: RecordedPoint) -> list[ProgramRankRow]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    for launch in point.timed:
        for item in launch.measured.get("ranks", []):
            found.setdefault(item["rank"], []).append(item)
    return [ProgramRankRow(point, rank, tuple(samples)) for rank, samples in sorted(found.items())]


def _metrics(point: RecordedPoint) -> list[MetricRow]:
    units = {metric["name"]: metric["unit"] for metric in point.run.as_dict()["metrics"]}
    values: dict[str, list[float]] = {name: [] for name in units}
    for launch in point.timed:
        for item in launch.measured.get("metrics", []):
            values[item["name"]].append(float(item["value"]))
    return [MetricRow(point, name, units[name], tuple(found)) for name, found in values.items() if found]


def _seconds(header: str, key: str) -> Column[ProgramRankRow]:
    return numeric(header, key, lambda row: row.median(key))


def _largest(header: str, key: str, *, in_mib: bool = False) -> Column[ProgramRankRow]:
    def show(value: int | None) -> str:
        return NONE if value is None else mib(value) if in_mib else str(value)

    return shown(header, key, lambda row: row.largest(key), show)


def _switches(row: ProgramRankRow) -> str:
    pairs = [sample["context_switches"] for sample in row.samples]
    return " + ".join(f"{statistics.median(pair[index] for pair in pairs):g}" for index in (0, 1))
