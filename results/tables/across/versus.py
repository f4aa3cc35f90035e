"""Clusters against each other: time to solution, images/s and images per dollar, each at its best."""

from __future__ import annotations

from collections.abc import Sequence

from results.comparison import clusters
from results.comparison.clusters import Best
from results.formats import NONE, estimate, plural, shape, with_options
from results.records.sweep import RecordedSweep
from results.table import Column, Table, bounded, build, hidden, plain


def tables(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """One table where two sweeps or more have a time for the same problem."""
    rows = clusters.best(sweeps)
    if not rows:
        return []
    columns: list[Column[Best]] = [
        plain("Batch", "batch", lambda row: row.point.run.problem.batch),
        plain("Input shape", "input_shape", lambda row: shape(row.point.run.problem.x_shape)),
        plain("Sweep", "sweep", lambda row: row.sweep.name),
        plain("Cluster", "cluster", lambda row: str(row.sweep.inventory.get("cluster", "unknown"))),
        plain("At its best with", "configuration", _configuration),
        Column("Time to solution (s)", lambda row: estimate(row.time), lambda row: bounded("total", "_s", row.time)),
        Column("Times as long", _times, lambda row: bounded("over_fastest", "", row.ratio)),
        Column("Images/s", lambda row: estimate(row.images_per_s, 3), _images),
        Column("Images per unit of money", _money, _money_values),
        hidden("run_ids", lambda row: " ".join(row.point.run_ids)),
    ]
    notes = [
        "Each cluster with its fastest configuration for that problem, by total time (load and save in it). Different "
        "machines: this is no speedup.",
        "Prices are those of the inventories, of the whole cluster by the hour. Energy is not measured, so it is left "
        "out.",
        *clusters.crossings(sweeps),
        *clusters.explained(sweeps),
    ]
    return [build("Clusters against each other", columns, rows, name="versus", notes=notes)]


def _configuration(row: Best) -> str:
    run = row.point.run
    return f"{with_options(run.movement, run.options)}, {run.backend}, {plural(run.ranks, 'rank')}"


def _times(row: Best) -> str:
    return "fastest" if row.ratio is None else estimate(row.ratio, 3)


def _images(row: Best) -> dict[str, object]:
    return dict(bounded("images_per_s", "", row.images_per_s))


def _money(row: Best) -> str:
    value = row.images_per_money
    return NONE if value is None or row.price is None else f"{estimate(value, 3)} per {row.price.currency}"


def _money_values(row: Best) -> dict[str, object]:
    price = row.price
    return {
        **bounded("images_per_money", "", row.images_per_money),
        "currency": price.currency if price else None,
        "amount_per_hour": price.amount_per_hour if price else None,
    }
