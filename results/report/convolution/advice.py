"""What stops the convolution from scaling, and what to try next, in words."""

from __future__ import annotations

from results.records.convolution import on_gpu
from results.records.point import RecordedPoint
from workload.domain.grid import AXES, block_of
from workload.movement.descriptions.pipeline import in_window

ROOT, DISTRIBUTE, COLLECT, LOAD, SAVE, WAIT = "root", "distribute", "collect", "load", "save", "wait"
SLOWED, STARVED, ON_GPU = "convolve, slowed", "convolve, starved", "convolve, on a GPU"
CAUSES = {
    ROOT: "the root's copying",
    DISTRIBUTE: "sending the input out",
    SLOWED: "the convolution, which takes more processor time in all than on one rank, for the ranks share memory "
    "bandwidth, caches or cores",
    STARVED: "the convolution, which takes longer but no more processor time, for something else ran on the cores",
    ON_GPU: "the convolution, for which ranks wait that share a GPU",
    COLLECT: "taking the output in",
    LOAD: "making the input",
    SAVE: "saving the output",
    WAIT: "ranks that wait for each other",
}
IN_SHORT = {
    SLOWED: "the convolution, slowed by shared memory bandwidth, caches or cores",
    STARVED: "the convolution, starved by something else on the cores",
}
MOVING = (ROOT, DISTRIBUTE, COLLECT)
STEPS = {
    ROOT: "try a movement that sends less through the root: shared on one node, distributed on several",
    DISTRIBUTE: "try a movement that sends less through the root: shared on one node, distributed on several",
    COLLECT: "try a movement that takes less in at the root: shared on one node, distributed on several",
    SLOWED: "use fewer ranks a node, or bind them to cores of their own",
    STARVED: "free the nodes of other work, and measure again",
    ON_GPU: "take no more ranks than there are GPUs",
    LOAD: "let every rank make its own part of the input (movement distributed)",
    SAVE: "leave the output unsaved, or save to a faster disk",
    WAIT: "cut the batch into equal parts, or another axis of the grid: see the load imbalance",
}
BEST_MOVEMENTS = ("shared", "distributed")
OVERLAP_STEP = "let pieces go to the GPU, be convolved and come back at the same time: the option chunk_bytes"
EQUAL_STEP = (
    "see in the load imbalance which ranks are slower: their parts are equal, so it is their cores or other work"
)


def step(cause: str, point: RecordedPoint) -> str:
    """What to try next if `cause`, a key of CAUSES, stops a point."""
    if cause == WAIT and _equal_parts(point):
        return EQUAL_STEP
    if cause in MOVING and on_gpu(point.convolution):
        return STEPS[ON_GPU] if "chunk_bytes" in point.convolution.options else OVERLAP_STEP
    if cause in (*MOVING, LOAD) and not through_the_root(point):
        return "give each rank more work: a larger batch"
    return STEPS[cause]


def through_the_root(point: RecordedPoint) -> bool:
    """Whether all input and output pass through rank 0, so that its copying holds the others up."""
    run = point.convolution
    return not (run.movement in BEST_MOVEMENTS or on_gpu(run) or point.experiment.is_serial(run))


def waits_for_input(point: RecordedPoint) -> bool:
    """Whether nothing is sent, so that ranks that are not served yet wait until rank 0 has made their input."""
    return in_window(point.convolution.options) and not _sent_to(point)


def root_bytes(point: RecordedPoint) -> tuple[int, int]:
    """Bytes of input that rank 0 sends to other ranks, and of output that it takes in from them."""
    run = point.convolution
    blocks = [block_of(run.problem, run.grid, rank) for rank in _sent_to(point)]
    return sum(block.x_bytes for block in blocks), sum(block.y_bytes for block in blocks)


def _sent_to(point: RecordedPoint) -> range:
    """The ranks whose blocks rank 0 sends: in a window those of other nodes, and nodes are filled one by one."""
    run = point.convolution
    own_node = int(run.options.get("group_ranks", run.ranks_per_node)) if in_window(run.options) else 1
    return range(own_node, run.ranks)


def _equal_parts(point: RecordedPoint) -> bool:
    """Whether the blocks of all ranks have the same size."""
    run = point.convolution
    blocks = [block_of(run.problem, run.grid, rank) for rank in range(run.ranks)]
    return len({tuple(len(getattr(block, axis)) for axis in AXES) for block in blocks}) == 1
