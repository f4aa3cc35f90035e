"""The tables of the report, in the paper's order: environment, strong and weak scaling, memory, profile, checks."""

from __future__ import annotations

from collections.abc import Sequence

from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from results.table import Table
from results.tables.across import joint, versus
from results.tables.series import laws, memory, profile, published, replay, scaling, share, spread
from results.tables.sweep import check, provenance


def of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """All tables of one series, headline first."""
    tables = [scaling.full(sweep, series), *replay.tables(series), *published.tables(sweep, series)]
    tables += [*laws.tables(series), spread.table(series), memory.per_rank(series)]
    return [*tables, share.tables(series), profile.imbalance(series), profile.mpi(series), profile.calls(series)]


def of_sweep(sweep: RecordedSweep) -> list[Table]:
    """The tables that belong to no series."""
    return [provenance.environment(sweep), check.outcomes(sweep), provenance.machines(sweep), check.failed(sweep)]


def of_all(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """The tables across sweeps; none for a single one."""
    return [*versus.tables(sweeps), joint.side_by_side(sweeps)] if len(sweeps) > 1 else []


def console(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """The strong and weak tables of all sweeps, narrow enough for a terminal."""
    return [
        scaling.compact(sweep, series)
        for sweep in sweeps
        for series in sweep.series
        if series.scaling in (STRONG, WEAK)
    ]
