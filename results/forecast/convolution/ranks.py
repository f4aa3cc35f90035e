"""How long the ranks of one run take to make, copy, send and convolve their blocks, according to a probe. Pure.

Nodes are filled one after the other. Ranks beyond the cores of a node share the cores evenly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from results.forecast.convolution.gpu import OnGpu, flops_of, on_gpu
from results.forecast.convolution.probe import BETWEEN, WITHIN, ForecastError, Probe, ProbedLink
from workload.domain.grid import Grid, block_of, finisher
from workload.domain.problem import Problem

COPY = 2.0  # bytes of memory traffic per byte copied: read and written


class ForecastRanks:
    """The ranks of one run on a probed cluster; `backend` names the code that convolves.

    Attributes:
        grid, options: of the run; options are the movement's.
        active: ranks of a node that may be active at once: at most as many as were probed.
        x_bytes: of each rank's block.
        y_bytes: of each rank's block; 0 for a rank that does not finish its block.
    """

    def __init__(
        self,
        problem: Problem,
        grid: Grid,
        ranks_per_node: int,
        probe: Probe,
        backend: str,
        options: Mapping[str, int | str | bool] | None = None,
    ) -> None:
        self._problem, self.grid, self._probe, self._backend = problem, grid, probe, backend
        self.options = options or {}
        busy = min(ranks_per_node, grid.ranks)
        self.active = min(busy, probe.memory.most_active)
        self._crowd = busy / self.active
        firsts = range(0, grid.ranks, ranks_per_node)
        self._nodes = [range(first, min(first + ranks_per_node, grid.ranks)) for first in firsts]
        self._blocks = [block_of(problem, grid, rank) for rank in range(grid.ranks)]
        self.x_bytes = [float(block.x_bytes) for block in self._blocks]
        self.y_bytes = [
            float(block.y_bytes) if finisher(grid, rank) == rank else 0.0 for rank, block in enumerate(self._blocks)
        ]

    def root_load_s(self, active: float = 1.0) -> float:
        """The root makes all of x, alone or with so many active ranks of its node."""
        return self._problem.x_bytes / self._probe.load.at(active)

    def own_load_s(self) -> float:
        """Every rank makes its own part of x."""
        return max(block.x_bytes for block in self._blocks) / (self._probe.load.at(self.active) / self._crowd)

    def active_beside_root(self) -> float:
        """Active ranks of a node on average, if the root makes all of x while the others convolve and then wait."""
        convolving_s = self.convolve_s()
        return 1.0 + (self.active - 1) * convolving_s / (convolving_s + self.root_load_s())

    def convolve_s(self, active: float | None = None) -> float:
        """The slowest rank: operations at the code's rate or, if longer, bytes at its share of memory bandwidth.

        All ranks are active at once, or `active` of a node on average.

        Raises ForecastError if the probe does not have the backend.
        """
        active = self.active if active is None else active
        rate = self._probe.rates_of(self._backend).at(active) * self._probe.polling_cost(self.active) / self._crowd
        slowest = max(flops_of(block) for block in self._blocks) / rate
        bytes_ = max(block.x_bytes + block.y_bytes for block in self._blocks)
        return float(max(slowest, bytes_ / self._memory_share(active)))

    def on_gpu(self) -> OnGpu:
        """The slowest rank's block on the GPU that it shares with others of its node, where there are fewer than ranks.

        Raises ForecastError if the probe has no GPUs.
        """
        gpus = self._probe.gpus
        if gpus is None:
            raise ForecastError(
                f"the probe has no figures of GPUs ({self._probe.gpus_left_out}): 'fab probe' measures them where "
                "every node has one"
            )
        ranks = max(map(len, self._nodes))
        used = min(ranks, gpus.count)
        limits, sharing = gpus.at(used), math.ceil(ranks / used)
        found = (on_gpu(block, self.options, limits, sharing) for block in self._blocks)
        return max(found, key=lambda each: each.total_s)

    def announce_s(self) -> float:
        """Weights and barriers: a few short messages down a tree of all ranks."""
        steps = math.ceil(math.log2(self.grid.ranks))
        return 0.0 if steps == 0 else steps * self._link(self._farthest).latency_s

    def star_s(self, sizes: Sequence[float], *, in_place: bool = False) -> float:
        """The root exchanges `sizes` with the ranks, one after the other, and copies its own part unless `in_place`."""
        seconds = 0.0 if in_place else self._copied_s(sizes[0])
        for node, ranks in enumerate(self._nodes):
            for rank in ranks:
                if rank > 0:
                    seconds += self._message_s(sizes[rank], BETWEEN if node else WITHIN)
        return seconds

    def down_tree_s(self, sizes: Sequence[float]) -> float:
        """What is for other nodes passes the root's link; then the ranks of each node take their parts at once.

        A leader offers all parts together, and each rank copies its own out of the leader's memory, as the leader does:
        as long as the largest takes, or all of them through the memory of the node.
        """
        parts = [sizes[rank] for rank in self._nodes[0]]
        longest = max((self._message_s(part, WITHIN) for part in parts[1:]), default=0.0)
        together = COPY * sum(parts) / self._probe.memory.at(self.active, max(parts))
        return self._outside_s(sizes) + max(longest, together, self._copied_s(sizes[0]))

    def up_tree_s(self, sizes: Sequence[float]) -> float:
        """All leaders collect their nodes' parts at the same time, one after the other; then the root the leaders'."""
        inside = [sum(self._message_s(sizes[rank], WITHIN) for rank in ranks[1:]) for ranks in self._nodes]
        return self._outside_s(sizes) + max(inside) + self._copied_s(sizes[0])

    def _outside_s(self, sizes: Sequence[float]) -> float:
        """All that is between the root and other nodes passes the root's link."""
        return sum(self._message_s(sum(sizes[rank] for rank in ranks), BETWEEN) for ranks in self._nodes[1:])

    def between_leaders_s(self, sizes: Sequence[float]) -> float:
        """The root exchanges one message with the leader of every other node; within a node nothing moves."""
        return sum(self._message_s(sum(sizes[rank] for rank in ranks), BETWEEN) for ranks in self._nodes[1:])

    def to_other_nodes_s(self, sizes: Sequence[float]) -> float:
        """The root exchanges one message with each rank of the other nodes, or with its leader for it."""
        return sum(self._message_s(sizes[rank], BETWEEN) for ranks in self._nodes[1:] for rank in ranks)

    def sums_s(self) -> float:
        """Partial sums of the largest block are added along a binary tree of the ranks that share it."""
        parts = self.grid.sum_parts
        if parts == 1:
            return 0.0
        largest = float(max(block.y_bytes for block in self._blocks))
        return math.ceil(math.log2(parts)) * self._message_s(largest, self._farthest)

    def _memory_share(self, active: float) -> float:
        """Bytes per second of one rank while so many ranks of its node are active, as in short copies."""
        return self._probe.streamed(active) / active / self._crowd

    def _copied_s(self, size: float) -> float:
        """The root alone copies that many bytes."""
        return COPY * size / self._probe.memory.at(1, size)

    def _message_s(self, size: float, scope: str) -> float:
        return self._link(scope).seconds(size)

    @property
    def _farthest(self) -> str:
        return BETWEEN if len(self._nodes) > 1 else WITHIN

    def _link(self, scope: str) -> ProbedLink:
        link = self._probe.link(scope)
        if link is None:
            needed = f"which {self.grid.ranks} ranks need"
            raise ForecastError(f"the probe has no link {scope} nodes, {needed}: probe a cluster that has one")
        return link
