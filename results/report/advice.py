"""What stops the convolution from scaling, and what to try next, in words."""

from __future__ import annotations

from results.records.point import RecordedPoint
from workload.domain.grid import AXES, block_of

SLOWED, STARVED, WAIT = "convolve, slowed", "convolve, starved", "wait"
CAUSES = {
    "distribute": "sending the input out",
    SLOWED: "the convolution, which takes more processor time in all than on one rank: the ranks share memory "
    "bandwidth, caches or cores",
    STARVED: "the convolution, which takes longer but no more processor time: something else ran on the ranks' cores",
    "collect": "taking the output in",
    "wait": "ranks that wait for each other",
}
MOVING = ("distribute", "collect")
STEPS = {
    "distribute": "try a movement that sends less through the root: shared on one node, distributed on several",
    "collect": "try a movement that takes less in at the root: shared on one node, distributed on several",
    SLOWED: "use fewer ranks a node, or bind them to cores of their own",
    STARVED: "free the nodes of other work, and measure again",
    "wait": "cut the batch into equal parts, or another axis of the grid: see the load imbalance",
}
BEST_MOVEMENTS = ("shared", "distributed")
EQUAL_STEP = (
    "see in the phases whom the ranks wait for: their parts are equal, so it is the root's own work, or other work on "
    "the nodes"
)


def step(cause: str, point: RecordedPoint) -> str:
    """What to try next if `cause`, a key of CAUSES, stops a point."""
    if cause == WAIT and _equal_parts(point):
        return EQUAL_STEP
    if cause in MOVING and point.run.movement in BEST_MOVEMENTS:
        return "give each rank more work: a larger batch"
    return STEPS[cause]


def _equal_parts(point: RecordedPoint) -> bool:
    """Whether the blocks of all ranks have the same size."""
    run = point.run
    blocks = [block_of(run.problem, run.grid, rank) for rank in range(run.ranks)]
    return len({tuple(len(getattr(block, axis)) for axis in AXES) for block in blocks}) == 1
