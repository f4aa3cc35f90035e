"""What a report shows, in the paper's order: environment, strong and weak scaling, memory, profile, checks."""

from __future__ import annotations

from collections.abc import Sequence

from results.audit.sweep import audit_of
from results.figures import across
from results.figures import series as scaling_figures
from results.figures.convolution import figures_of_series, figures_of_sweep
from results.figures.drawing import Drawing
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from results.report import answer
from results.table import Table
from results.tables import program
from results.tables.across import joint, versus
from results.tables.convolution import tables_of_series, tables_of_sweep
from results.tables.series import laws, memory, profile, scaling, share, spread
from results.tables.sweep import accuracy, audit, check, provenance


def of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """All tables of a series, the scaling table first."""
    tables = [scaling.full(sweep, series), *tables_of_series(sweep, series)]
    tables += [*laws.tables(series), spread.table(series), memory.per_rank(series)]
    if program.is_program(series):
        return [*tables, *program.tables_of_series(series)]
    return [*tables, share.tables(series), profile.imbalance(series), profile.mpi(series), profile.calls(series)]


def in_paper(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """The tables of a series that are too wide for a page, with the columns that a paper needs."""
    return [scaling.compact(sweep, series)]


def drawings_of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Drawing]:
    """All figures of a series. Needs matplotlib."""
    return [*scaling_figures.of_series(sweep, series), *figures_of_series(series)]


def of_sweep(sweep: RecordedSweep) -> dict[str, list[Table]]:
    """The tables that belong to no series, by their place on the page; `own` are the experiment's own."""
    return {
        "environment": [provenance.environment(sweep)],
        "check": [program.check_table(sweep) if program.is_program(sweep) else check.outcomes(sweep)],
        "machines": [provenance.machines(sweep)],
        "failed": [check.failed(sweep)],
        "own": tables_of_sweep(sweep),
        "audit": [audit.findings(audit_of(sweep))],
        "foretold": accuracy.tables(sweep),
    }


def drawings_of_sweep(sweep: RecordedSweep) -> list[Drawing]:
    """The experiment's own figures across its series. Needs matplotlib."""
    return figures_of_sweep(sweep)


def of_all(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """The tables across sweeps; empty for a single one."""
    return [*versus.tables(sweeps), joint.side_by_side(sweeps)] if len(sweeps) > 1 else []


def drawings_of_all(sweeps: Sequence[RecordedSweep]) -> list[Drawing]:
    """The line that answers of each sweep, in one figure; none for a single sweep. Needs matplotlib."""
    found = [(sweep.name, headline[1]) for sweep in sweeps if (headline := answer.headline(sweep))]
    return across.of_lines(found) if len(found) > 1 else []


def console(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """The strong and weak tables of all sweeps, narrow enough for a terminal."""
    return [
        scaling.compact(sweep, series)
        for sweep in sweeps
        for series in sweep.series
        if series.scaling in (STRONG, WEAK)
    ]
