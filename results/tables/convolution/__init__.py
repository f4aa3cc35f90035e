"""Tables of the convolution alone: its movements compared, and the paper's numbers beside ours."""

from __future__ import annotations

from results.records.kinds import CONVOLUTION
from results.records.sweep import RecordedSeries, RecordedSweep
from results.table import Table
from results.tables.convolution import gpu_limits, movements, published, replay


def tables_of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """The shares of a GPU's limits, the replay, and the published runs, of a series; empty if it has none of them."""
    if series.experiment is not CONVOLUTION:
        return []
    return [*gpu_limits.tables(sweep, series), *replay.tables(series), *published.tables(sweep, series)]


def tables_of_sweep(sweep: RecordedSweep) -> list[Table]:
    """Movements and grids side by side; empty if there is nothing to compare."""
    return [] if sweep.experiment is not CONVOLUTION else movements.table(sweep)
