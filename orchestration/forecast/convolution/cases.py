"""Planned runs of the convolution in the form that the forecast model takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.experiments.convolution.plan import ConvolutionPoint
from orchestration.planning.plan import PlannedRun
from results.forecast.convolution.model import ForecastCase
from workload.movement.descriptions.description import Options
from workload.record.run import Run


def of_planned(runs: Iterable[PlannedRun]) -> dict[str, ForecastCase]:
    """The cases of planned runs by run id; runs of other experiments have none."""
    return {item.run.run_id: of_run(item.run) for item in runs if isinstance(item.run, Run)}


def of_run(run: Run) -> ForecastCase:
    """A run without its launch."""
    return ForecastCase(run.problem, run.grid, run.movement, run.backend, run.ranks_per_node, run.options)


def of_point(point: ConvolutionPoint, ranks_per_node: int, options: Options) -> ForecastCase:
    """A point of a series, placed."""
    return ForecastCase(point.problem, point.grid, point.movement, point.backend, ranks_per_node, options)
