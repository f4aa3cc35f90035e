"""How each movement spends the time of a repeat: one entry of MODELS a movement, by its name. Pure.

An entry takes the machine and gives the phases. To teach the forecast a new movement, add a function here; one without
an entry is refused by name. What else is known of a movement is in workload/domain/movements/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from results.forecast.machine import Machine
from results.forecast.probe import ForecastError


class UnknownMovementError(ForecastError):
    """MODELS has no such movement; one line says which, and which there are."""


@dataclass(frozen=True)
class ForecastPhases:
    """Seconds of the four phases. They follow each other, unless `overlapped_s` says how long all of them take."""

    load_s: float
    distribute_s: float
    convolve_s: float
    collect_s: float
    overlapped_s: float | None = None

    @property
    def total_s(self) -> float:
        if self.overlapped_s is not None:
            return self.overlapped_s
        return self.load_s + self.distribute_s + self.convolve_s + self.collect_s


Model = Callable[[Machine], ForecastPhases]


def model_of(movement: str) -> Model:
    """The entry of a movement. Raises UnknownMovementError."""
    if movement not in MODELS:
        known = ", ".join(MODELS)
        raise UnknownMovementError(f"movement {movement} has no forecast: results/forecast/movements.py knows {known}")
    return MODELS[movement]


def serial(machine: Machine) -> ForecastPhases:
    return ForecastPhases(machine.root_load_s(), 0.0, machine.convolve_s(), 0.0)


def scatter_gather(machine: Machine) -> ForecastPhases:
    return ForecastPhases(
        machine.root_load_s(),
        machine.announce_s() + machine.star_s(machine.x_bytes),
        machine.convolve_s(),
        machine.sums_s() + machine.star_s(machine.y_bytes),
    )


def tree(machine: Machine) -> ForecastPhases:
    return ForecastPhases(
        machine.root_load_s(),
        machine.announce_s() + machine.tree_s(machine.x_bytes),
        machine.convolve_s(),
        machine.sums_s() + machine.tree_s(machine.y_bytes),
    )


def pipeline(machine: Machine) -> ForecastPhases:
    """The only one whose phases overlap: its root's work, or another rank's where that is longer.

    A rank of the root's node copies its own piece in while the root makes, convolves and takes in pieces; to other
    nodes the root sends. The root works in place.
    """
    load_s = machine.root_load_s(alone=False)
    distribute_s = machine.announce_s() + machine.star_s(machine.x_bytes, in_place=True)
    convolve_s = machine.convolve_s()
    collect_s = machine.sums_s() + machine.star_s(machine.y_bytes, in_place=True)
    root_s = load_s + machine.to_other_nodes_s(machine.x_bytes) + convolve_s + collect_s
    overlapped_s = max(root_s, distribute_s + convolve_s)
    return ForecastPhases(load_s, distribute_s, convolve_s, collect_s, overlapped_s)


def shared(machine: Machine) -> ForecastPhases:
    return ForecastPhases(
        machine.own_load_s(),
        machine.announce_s() + machine.between_leaders_s(machine.x_bytes),
        machine.convolve_s(),
        machine.sums_s() + machine.between_leaders_s(machine.y_bytes),
    )


def distributed(machine: Machine) -> ForecastPhases:
    return ForecastPhases(machine.own_load_s(), machine.announce_s(), machine.convolve_s(), machine.sums_s())


MODELS: dict[str, Model] = {
    "serial": serial,
    "scatter-gather": scatter_gather,
    "tree": tree,
    "pipeline": pipeline,
    "shared": shared,
    "distributed": distributed,
}
