"""Tables of the convolution alone: its movements compared, GPUs beside them, and the paper's numbers beside ours."""

from __future__ import annotations

from results.records.kinds import CONVOLUTION
from results.records.sweep import RecordedSeries, RecordedSweep
from results.table import Table
from results.tables.convolution import gpu, gpu_limits, movements, published, replay


def tables_of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """Times by a GPU's clock, shares of its limits, the replay and the published runs, of a series that has them."""
    if series.experiment is not CONVOLUTION:
        return []
    of_gpus = [*gpu.of_series(series), *gpu_limits.tables(sweep, series)]
    return [*of_gpus, *replay.tables(series), *published.tables(sweep, series)]


def tables_of_sweep(sweep: RecordedSweep) -> list[Table]:
    """Movements and grids side by side; empty if there is nothing to compare."""
    return [] if sweep.experiment is not CONVOLUTION else movements.table(sweep)


def gpu_tables(sweep: RecordedSweep) -> list[Table]:
    """GPUs beside the cores; empty where no run was on a GPU."""
    return gpu.tables(sweep)


def gpu_answers(sweep: RecordedSweep) -> list[str]:
    """The lines among the notes of `gpu_tables` that answer."""
    return gpu.answers(sweep)
