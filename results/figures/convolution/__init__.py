"""Figures of the convolution alone: its movements compared, and the paper's method replayed."""

from __future__ import annotations

from results.figures.convolution import gpu, movements, replay
from results.figures.drawing import Drawing
from results.records.kinds import CONVOLUTION
from results.records.sweep import RecordedSeries, RecordedSweep


def figures_of_series(series: RecordedSeries) -> list[Drawing]:
    """The figures of a series' replays; empty if it has none. Needs matplotlib."""
    return [] if series.experiment is not CONVOLUTION else replay.of_series(series)


def figures_of_sweep(sweep: RecordedSweep) -> list[Drawing]:
    """Movements and grids side by side; empty if there is nothing to compare. Needs matplotlib."""
    return [] if sweep.experiment is not CONVOLUTION else movements.of_sweep(sweep)


def gpu_figures(sweep: RecordedSweep) -> list[Drawing]:
    """GPUs beside the cores; empty where too few problems were timed on both. Needs matplotlib."""
    return gpu.of_sweep(sweep)
