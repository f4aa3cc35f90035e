"""What is known of a movement before it runs: its options, its limits, and the bytes that it holds and moves.

Describes only; the folder above has the code that moves. Standard library only, so that planning needs no MPI.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from workload.domain.grid import Block, Grid, blocks_of, finisher, whole
from workload.domain.problem import Problem
from workload.domain.topology import node_groups

Options = Mapping[str, int | str | bool]


@dataclass(frozen=True)
class Decomposition:
    """A problem cut by a grid: every rank's block, the ranks of each node, and the ranks that finish blocks of y."""

    problem: Problem
    grid: Grid
    options: Options
    nodes: list[list[int]]
    blocks: list[Block]
    finishers: list[int]

    @classmethod
    def of(cls, problem: Problem, grid: Grid, options: Options, ranks_per_node: int) -> Decomposition:
        """Nodes are filled one after the other. Raises ValueError if the grid does not fit the problem."""
        ranks = range(grid.ranks)
        nodes = [list(node) for node in node_groups(grid.ranks, ranks_per_node)]
        return cls(
            problem,
            grid,
            options,
            nodes,
            blocks_of(problem, grid),
            [rank for rank in ranks if finisher(grid, rank) == rank],
        )

    @property
    def others(self) -> range:
        """The ranks besides the root."""
        return range(1, self.grid.ranks)

    @property
    def weights_moved_bytes(self) -> int:
        return len(self.others) * self.problem.w_bytes

    @property
    def sums_moved_bytes(self) -> int:
        """Partial sums that travel to their finishers."""
        return sum(block.y_bytes for rank, block in enumerate(self.blocks) if rank not in self.finishers)

    def weights_bytes(self, rank: int) -> int:
        """The weights as the root's copy or as received, and the block's part of them."""
        return self.problem.w_bytes * 2 + self.blocks[rank].w_bytes

    def finished_bytes(self, ranks: Iterable[int]) -> int:
        """y that these ranks finish."""
        return sum(self.blocks[rank].y_bytes for rank in ranks if rank in self.finishers)

    def root_checks_rows(self) -> list[int]:
        """Rows of y that each rank checks at most, if the root ends up with all of y: the others do their share."""
        rows = rows_of(whole(self.problem))
        return [rows, *(-(-rows // self.grid.ranks) for _ in self.others)]

    def finishers_check_rows(self) -> list[int]:
        """Rows of y that each rank checks if finished blocks stay on their ranks."""
        return [rows_of(block) if rank in self.finishers else 0 for rank, block in enumerate(self.blocks)]


def rows_of(block: Block) -> int:
    """Output rows of a block: one for each image, channel and height."""
    return math.prod(block.y_shape[:3])


@dataclass(frozen=True)
class Demand:
    """What a movement needs: each rank's bytes of arrays and rows of y to check; bytes that cross in one repeat.

    `window_bytes` are each rank's bytes of shared windows, which lie in /dev/shm; none of a movement without any.
    """

    array_bytes: list[int]
    checked_rows: list[int]
    moved_bytes: int
    window_bytes: list[int] = field(default_factory=list)


def _never(options: Options) -> bool:  # noqa: ARG001 - has the type of `MovementDescription.streams`
    return False


@dataclass(frozen=True)
class MovementDescription:
    """One movement.

    Attributes:
        name: as studies and records spell it.
        implementation: "module:class" of the code that moves, built from a `workload.movement.movement.Task`.
        demand: what it needs for a decomposition; raises ValueError for an option out of range.
        options: names of the options it takes: whole numbers of at least 1, but for switches.
        switches: those of the options that are true or false.
        implemented_with: a switch to the code that moves instead where it is on.
        counts_with: an option to the switch without which it changes nothing.
        streams: with these options, y is never whole anywhere and so there is no forward section.
        max_ranks: the most ranks it runs on, None without a limit.
        batch_only: the grid may cut the batch and no other axis.
        on_gpu: takes x to a GPU and y back, so that it runs with the backends that compute there, and no others.
        wrong_on_purpose: its answer is wrong by design, so that it enters no speedup and no forecast.
    """

    name: str
    implementation: str
    demand: Callable[[Decomposition], Demand]
    options: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    implemented_with: Mapping[str, str] = field(default_factory=dict)
    counts_with: Mapping[str, str] = field(default_factory=dict)
    streams: Callable[[Options], bool] = _never
    max_ranks: int | None = None
    batch_only: bool = False
    on_gpu: bool = False
    wrong_on_purpose: bool = False

    def takes(self, ranks: int) -> bool:
        """Whether it runs on so many ranks."""
        return self.max_ranks is None or ranks <= self.max_ranks

    def implementation_with(self, options: Options) -> str:
        """The code that moves with these options, as "module:class"."""
        on = (code for switch, code in self.implemented_with.items() if options.get(switch) is True)
        return next(on, self.implementation)

    def options_among(self, given: Options) -> dict[str, int | str | bool]:
        """Those of the options that this movement has and that change it; others would make one run look like two."""
        known = {name: value for name, value in given.items() if name in self.options and value is not False}
        return {name: value for name, value in known.items() if self.counts_with.get(name, name) in known}

    def objection(self, grid: Grid) -> str | None:
        """Why it cannot serve the grid, in one line; None if it can."""
        if not self.takes(grid.ranks):
            return f"movement {self.name} takes ranks = {self.max_ranks} at most, but the grid has {grid.ranks} parts"
        if self.batch_only and grid != Grid(batch=grid.batch):
            return f"movement {self.name} cuts the batch alone: let every other axis of the grid be 1"
        return None
