"""Forecasts time by phase, memory and bytes of a run, from a probe and the problem alone. Pure.

ranks.py has what the phases are made of, movements.py which movement does what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from results.forecast.convolution.movements import model_of
from results.forecast.convolution.probe import ForecastError, Probe
from results.forecast.convolution.ranks import ForecastRanks
from results.records.convolution import variant_of
from results.records.experiment import Variant
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.movement.descriptions import describe
from workload.movement.descriptions.footprint import predict
from workload.record.run import Run

PHASES = ("load", "distribute", "convolve", "collect")


@dataclass(frozen=True)
class ForecastCase:
    """A run to forecast. Nodes are filled one after the other, `ranks_per_node` each."""

    problem: Problem
    grid: Grid
    movement: str
    backend: str
    ranks_per_node: int
    options: Mapping[str, int | str | bool] = field(default_factory=dict)

    @property
    def ranks(self) -> int:
        return self.grid.ranks

    @property
    def on_gpu(self) -> bool:
        return describe(self.movement).on_gpu

    @property
    def variant(self) -> Variant:
        return variant_of(self.movement, self.backend, self.options)

    def is_case_of(self, run: Run) -> bool:
        """Whether the run is what this case forecasts."""
        ran = (run.problem, run.grid, run.movement, run.backend, run.ranks_per_node, dict(run.options))
        per_node = min(self.ranks_per_node, self.ranks)
        return ran == (self.problem, self.grid, self.movement, self.backend, per_node, dict(self.options))


@dataclass(frozen=True)
class Forecast:
    """Seconds of each of PHASES, of the forward section and in total; peak bytes of each rank; bytes moved."""

    phases_s: Mapping[str, float]
    forward_s: float
    total_s: float
    peak_bytes: tuple[int, ...]
    moved_bytes: int


def forecast(case: ForecastCase, probe: Probe) -> Forecast:
    """Forecasts one run.

    Raises:
        UnknownMovementError: there is no model of the movement.
        ForecastError: the probe lacks the backend, a link or GPUs, or the movement is wrong on purpose.
        ValueError: there is no such movement, or the grid fits neither the problem nor the movement.
    """
    description = describe(case.movement)
    if description.wrong_on_purpose:
        raise ForecastError(f"movement {case.movement} is wrong on purpose: nothing is forecast of it")
    model = model_of(case.movement)
    footprint = predict(case.problem, case.grid, case.movement, case.options, case.ranks_per_node, backend=case.backend)
    ranks = ForecastRanks(case.problem, case.grid, case.ranks_per_node, probe, case.backend, case.options)
    found = model(ranks)
    phases_s = dict(zip(PHASES, (found.load_s, found.distribute_s, found.convolve_s, found.collect_s), strict=True))
    forward_s = found.total_s if description.streams(case.options) else found.total_s - found.load_s
    return Forecast(phases_s, forward_s, found.total_s, footprint.peak_bytes, footprint.moved_bytes)


def cost(total_s: float, amount_per_hour: float) -> float:
    """The cost of a repeat in the price's currency."""
    return total_s / 3600.0 * amount_per_hour
