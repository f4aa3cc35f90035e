"""How each movement spends the time of a repeat: one entry of MODELS per movement, by name. Pure.

An entry is a function from the ranks to the phases. To make a new movement's forecast possible, add a function here;
a movement without an entry is refused by name. The rest of its description is in workload/movement/descriptions/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from results.forecast.convolution.probe import ForecastError
from results.forecast.convolution.ranks import ForecastRanks
from workload.movement.descriptions.pipeline import in_window
from workload.movement.descriptions.scatter_gather import x_in_place, y_in_place


class UnknownMovementError(ForecastError):
    """MODELS does not have the movement; the message names it, and those it has."""


@dataclass(frozen=True)
class ForecastPhases:
    """Seconds of the four phases. They follow each other unless `overlapped_s`, the time of all together, is given."""

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


Model = Callable[[ForecastRanks], ForecastPhases]


def model_of(movement: str) -> Model:
    """The entry of a movement. Raises UnknownMovementError."""
    if movement not in MODELS:
        known = ", ".join(MODELS)
        raise UnknownMovementError(
            f"movement {movement} cannot be forecast: the model knows {known}; leave it out, or add it to "
            "results/forecast/convolution/movements.py"
        )
    return MODELS[movement]


def serial(ranks: ForecastRanks) -> ForecastPhases:
    return ForecastPhases(ranks.root_load_s(), 0.0, ranks.convolve_s(), 0.0)


def scatter_gather(ranks: ForecastRanks) -> ForecastPhases:
    x_stays, y_stays = x_in_place(ranks.options), y_in_place(ranks.options, ranks.grid)
    return ForecastPhases(
        ranks.root_load_s(),
        ranks.announce_s() + ranks.star_s(ranks.x_bytes, in_place=x_stays),
        ranks.convolve_s(),
        ranks.sums_s() + ranks.star_s(ranks.y_bytes, in_place=y_stays),
    )


def tree(ranks: ForecastRanks) -> ForecastPhases:
    return ForecastPhases(
        ranks.root_load_s(),
        ranks.announce_s() + ranks.down_tree_s(ranks.x_bytes),
        ranks.convolve_s(),
        ranks.sums_s() + ranks.up_tree_s(ranks.y_bytes),
    )


def pipeline(ranks: ForecastRanks) -> ForecastPhases:
    """The phases overlap: the repeat takes as long as the root's work, or another rank's if that is longer.

    A rank on the root's node copies its own pieces in while the root makes, convolves and receives pieces; ranks on
    other nodes are sent theirs by the root. The root works in place.
    """
    if in_window(ranks.options):
        return _pipeline_in_window(ranks)
    load_s = ranks.root_load_s(ranks.active)
    distribute_s = ranks.announce_s() + ranks.star_s(ranks.x_bytes, in_place=True)
    convolve_s = ranks.convolve_s()
    collect_s = ranks.sums_s() + ranks.star_s(ranks.y_bytes, in_place=True)
    root_s = load_s + ranks.to_other_nodes_s(ranks.x_bytes) + convolve_s + collect_s
    overlapped_s = max(root_s, distribute_s + convolve_s)
    return ForecastPhases(load_s, distribute_s, convolve_s, collect_s, overlapped_s)


def _pipeline_in_window(ranks: ForecastRanks) -> ForecastPhases:
    """The root's work alone: it makes all pieces and convolves its own, which no other rank's exceeds.

    The others convolve theirs meanwhile, so few ranks are active at a time. Pieces are sent to other nodes alone.
    """
    active = ranks.active_beside_root()
    return ForecastPhases(
        ranks.root_load_s(active),
        ranks.announce_s() + ranks.to_other_nodes_s(ranks.x_bytes),
        ranks.convolve_s(active),
        ranks.sums_s() + ranks.to_other_nodes_s(ranks.y_bytes),
    )


def shared(ranks: ForecastRanks) -> ForecastPhases:
    return ForecastPhases(
        ranks.own_load_s(),
        ranks.announce_s() + ranks.between_leaders_s(ranks.x_bytes),
        ranks.convolve_s(),
        ranks.sums_s() + ranks.between_leaders_s(ranks.y_bytes),
    )


def distributed(ranks: ForecastRanks) -> ForecastPhases:
    return ForecastPhases(ranks.own_load_s(), ranks.announce_s(), ranks.convolve_s(), ranks.sums_s())


def device(ranks: ForecastRanks) -> ForecastPhases:
    """By pieces the first phase hides most of the others, of which those of the last piece alone remain."""
    block = ranks.on_gpu()
    return ForecastPhases(
        ranks.own_load_s(),
        ranks.announce_s() + block.all_in_s,
        block.last_kernel_s,
        block.last_out_s + ranks.sums_s(),
    )


MODELS: dict[str, Model] = {
    "serial": serial,
    "scatter-gather": scatter_gather,
    "tree": tree,
    "pipeline": pipeline,
    "shared": shared,
    "distributed": distributed,
    "device": device,
}
