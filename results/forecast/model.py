"""Time by phase, memory and bytes of a run before it starts, from a probe and the problem alone. Pure.

What the phases are made of:

    load        x is made by whoever holds it, at the rate that the probe found for that
    distribute  the root copies its own part and sends the others theirs, one after the other
    convolve    the slowest rank: its operations at the backend's rate, or its bytes at its share of memory bandwidth
    collect     partial sums added along a tree, then as distribute, the other way

Nothing overlaps but in the pipeline: there a rank of the root's node copies its own piece in while the root makes,
convolves and takes in pieces; to other nodes the root sends itself. Its root works in place. Ranks beyond the cores of
a node share them evenly. Weights and barriers cost latency alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from results.forecast.probe import BETWEEN, WITHIN, Probe, ProbedLink
from results.records.launch import REPLICA
from workload.domain.footprint import predict
from workload.domain.grid import Block, Grid, block_of, finisher
from workload.domain.problem import Problem

PHASES = ("load", "distribute", "convolve", "collect")
COPY = 2.0  # bytes of traffic for each byte that is copied: read, written


class ForecastError(ValueError):
    """The probe lacks what this forecast rests on; one line says what and what to do."""


@dataclass(frozen=True)
class Case:
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
    def streamed(self) -> bool:
        """x and y are never whole, so the forward section is all."""
        return self.movement == "pipeline" or (self.movement == "distributed" and "chunk_bytes" in self.options)


@dataclass(frozen=True)
class Forecast:
    """Seconds of each of PHASES, of the forward section and in all; bytes of each rank's peak, and moved."""

    phases_s: Mapping[str, float]
    forward_s: float
    total_s: float
    peak_bytes: tuple[int, ...]
    moved_bytes: int


def forecast(case: Case, probe: Probe) -> Forecast:
    """The forecast of one run.

    Raises:
        ForecastError: the probe has no such backend or link, or the movement is the replay's.
        ValueError: the grid does not fit the problem, or the movement is unknown.
    """
    if case.movement == REPLICA:
        raise ForecastError("movement replica is wrong on purpose: nothing is forecast of it")
    footprint = predict(case.problem, case.grid, case.movement, case.options, case.ranks_per_node, backend=case.backend)
    machine = _Machine(case, probe)
    phases = dict(zip(PHASES, machine.phases(), strict=True))
    if case.movement == "pipeline":
        forward_s = total_s = machine.pipeline_s(phases)
    else:
        total_s = sum(phases.values())
        forward_s = total_s if case.streamed else total_s - phases["load"]
    return Forecast(phases, forward_s, total_s, footprint.peak_bytes, footprint.moved_bytes)


def cost(total_s: float, amount_per_hour: float) -> float:
    """What a repeat costs, in the price's currency."""
    return total_s / 3600.0 * amount_per_hour


class _Machine:
    """What the probe says of the ranks of one case."""

    def __init__(self, case: Case, probe: Probe) -> None:
        if case.backend not in probe.convolve:
            known = ", ".join(probe.convolve)
            raise ForecastError(f"the probe has no rate of backend {case.backend}: it has {known}; probe again")
        self._case = case
        self._probe = probe
        cores = probe.memory.most_active
        busy = min(case.ranks_per_node, case.ranks)
        self._active = min(busy, cores)
        self._crowd = busy / self._active
        firsts = range(0, case.ranks, case.ranks_per_node)
        self._nodes = [range(first, min(first + case.ranks_per_node, case.ranks)) for first in firsts]
        self._blocks = [block_of(case.problem, case.grid, rank) for rank in range(case.ranks)]

    def phases(self) -> tuple[float, float, float, float]:
        """Seconds of PHASES."""
        movement = self._case.movement
        if movement == "serial":
            return self._root_load(), 0.0, self._convolve(), 0.0
        if movement == "distributed":
            return self._own_load(), self._announce(), self._convolve(), self._sums()
        if movement == "shared":
            sent, taken = self._between_leaders()
            return self._own_load(), self._announce() + sent, self._convolve(), self._sums() + taken
        share = self._tree if movement == "tree" else self._star
        x = [float(block.x_bytes) for block in self._blocks]
        y = [float(block.y_bytes) if self._finishes(rank) else 0.0 for rank, block in enumerate(self._blocks)]
        return self._root_load(), self._announce() + share(x), self._convolve(), self._sums() + share(y)

    def _finishes(self, rank: int) -> bool:
        return finisher(self._case.grid, rank) == rank

    def pipeline_s(self, phases: Mapping[str, float]) -> float:
        """Seconds of a pipeline: its root's work, or another rank's where that is longer."""
        outside = sum(
            self._message(float(self._blocks[rank].x_bytes), BETWEEN) for ranks in self._nodes[1:] for rank in ranks
        )
        root = phases["load"] + outside + phases["convolve"] + phases["collect"]
        return max(root, phases["distribute"] + phases["convolve"])

    def _root_load(self) -> float:
        """The root alone makes x; in a pipeline the others are at work meanwhile."""
        at_work = self._active if self._case.movement == "pipeline" else 1
        return self._case.problem.x_bytes / self._probe.load.at(at_work)

    def _own_load(self) -> float:
        return max(block.x_bytes for block in self._blocks) / (self._probe.load.at(self._active) / self._crowd)

    def _memory_share(self) -> float:
        """Bytes a second of one rank while all of its node are at work; a convolution stores as a short copy does."""
        return self._probe.memory.at(self._active) / self._active / self._crowd

    def _copied(self, size: float) -> float:
        """Seconds in which the root alone copies so many bytes."""
        return COPY * size / self._probe.memory.at(1, size)

    def _convolve(self) -> float:
        rate = self._probe.convolve[self._case.backend].at(self._active) / self._crowd
        slowest = max(_flops(block) for block in self._blocks) / rate
        bytes_ = max(block.x_bytes + block.y_bytes for block in self._blocks)
        return float(max(slowest, bytes_ / self._memory_share()))

    def _announce(self) -> float:
        """Weights and barriers: a few messages down a tree of all ranks."""
        steps = math.ceil(math.log2(self._case.ranks))
        return 0.0 if steps == 0 else steps * self._slowest_link().latency_s

    def _star(self, sizes: Sequence[float]) -> float:
        """The root exchanges each rank's bytes with it, one after the other, and copies its own."""
        in_place = self._case.movement == "pipeline"
        seconds = 0.0 if in_place else self._copied(sizes[0])
        for node, ranks in enumerate(self._nodes):
            for rank in ranks:
                if rank > 0:
                    seconds += self._message(sizes[rank], BETWEEN if node else WITHIN)
        return seconds

    def _tree(self, sizes: Sequence[float]) -> float:
        """All that leaves the root's node passes its link; then every leader serves its own node at once."""
        outside = [sum(sizes[rank] for rank in ranks) for ranks in self._nodes[1:]]
        seconds = sum(self._message(size, BETWEEN) for size in outside)
        inside = [sum(self._message(sizes[rank], WITHIN) for rank in ranks[1:]) for ranks in self._nodes]
        return seconds + max(inside) + self._copied(sizes[0])

    def _between_leaders(self) -> tuple[float, float]:
        """x to and y from the other nodes, in one message each; within a node nothing moves."""
        sent = taken = 0.0
        for ranks in self._nodes[1:]:
            sent += self._message(sum(self._blocks[rank].x_bytes for rank in ranks), BETWEEN)
            taken += self._message(sum(self._blocks[rank].y_bytes for rank in ranks if self._finishes(rank)), BETWEEN)
        return sent, taken

    def _sums(self) -> float:
        """Partial sums of the largest block, along a binary tree of the ranks that share it."""
        parts = self._case.grid.sum_parts
        if parts == 1:
            return 0.0
        largest = float(max(block.y_bytes for block in self._blocks))
        across = len(self._nodes) > 1
        return math.ceil(math.log2(parts)) * self._message(largest, BETWEEN if across else WITHIN)

    def _message(self, size: float, scope: str) -> float:
        return self._link(scope).seconds(size)

    def _slowest_link(self) -> ProbedLink:
        return self._link(BETWEEN if len(self._nodes) > 1 else WITHIN)

    def _link(self, scope: str) -> ProbedLink:
        link = self._probe.link(scope)
        if link is None:
            needed = f"which {self._case.ranks} ranks need"
            raise ForecastError(f"the probe has no link {scope} nodes, {needed}: probe a cluster that has one")
        return link


def _flops(block: Block) -> int:
    return 2 * block.y_elements * len(block.in_channel) * len(block.tap_row) * len(block.tap_column)
