"""Clusters compared by their best configurations: time to solution, rate and work per dollar."""

from __future__ import annotations

from collections.abc import Sequence

from results.comparison import clusters
from results.comparison.clusters import Best
from results.formats import NONE, estimate, plural
from results.records.sweep import RecordedSweep
from results.table import Column, Table, bounded, build, estimated, plain
from results.tables import columns


def tables(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """One table, if two or more sweeps have a time for the same problem."""
    rows = clusters.best(sweeps)
    if not rows:
        return []
    unit = rows[0].point.work.unit
    points = [row.point for row in rows]
    found: list[Column[Best]] = [
        *columns.sizes(points),
        *columns.shapes(points, input_shape="Input shape"),
        plain("Sweep", "sweep", lambda row: row.sweep.name),
        plain("Cluster", "cluster", lambda row: str(row.sweep.inventory.get("cluster", "unknown"))),
        plain("At its best with", "configuration", _configuration),
        estimated("Time to solution (s)", "total", lambda row: row.time, unit="_s"),
        Column("Times as long", _times, lambda row: bounded("over_fastest", "", row.ratio)),
        estimated(f"{unit.capitalize()}/s", f"{unit}_per_s", lambda row: row.work_per_s, digits=3),
        Column(f"{unit.capitalize()} per unit of money", _money, _money_values),
        columns.run_ids(),
    ]
    notes = [
        "Each cluster with its fastest configuration for that problem, by total time (load and save in it). Different "
        "machines: this is no speedup.",
        "Prices are those of the inventories, of the whole cluster by the hour. Energy is not measured, so it is left "
        "out.",
        *clusters.crossings(sweeps),
        *clusters.explained(sweeps),
    ]
    return [build("Clusters against each other", found, rows, name="versus", notes=notes)]


def _configuration(row: Best) -> str:
    return f"{row.point.variant.full_label}, {plural(row.point.run.ranks, 'rank')}"


def _times(row: Best) -> str:
    return "fastest" if row.ratio is None else estimate(row.ratio, 3)


def _money(row: Best) -> str:
    value = row.work_per_money
    return NONE if value is None or row.price is None else f"{estimate(value, 3)} per {row.price.currency}"


def _money_values(row: Best) -> dict[str, object]:
    price = row.price
    return {
        **bounded(f"{row.point.work.unit}_per_money", "", row.work_per_money),
        "currency": price.currency if price else None,
        "amount_per_hour": price.amount_per_hour if price else None,
    }
