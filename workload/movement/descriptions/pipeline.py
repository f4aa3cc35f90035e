"""Movement `pipeline`: the root streams pieces of the blocks, two steps of them in memory at a time.

With the option `in_window` the ranks of a node share the memory of their pieces, and only the leader of another node
exchanges pieces with the root.
"""

from __future__ import annotations

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.movement.descriptions import scatter_gather
from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription, Options, rows_of


def demand(cut: Decomposition) -> Demand:
    """Two pieces of x and y each rank, the root those of all ranks; moves what scatter-gather moves."""
    if in_window(cut.options):
        return _window_demand(cut)
    steps = pieces_of(cut.blocks, chunk_bytes_of(cut.options))
    pieces = [piece(block, steps, 0) for block in cut.blocks]
    arrays = [2 * (part.x_bytes + part.y_bytes) + cut.weights_bytes(rank) for rank, part in enumerate(pieces)]
    arrays[0] += sum(2 * pieces[rank].x_bytes for rank in cut.others)
    arrays[0] += sum(2 * pieces[rank].y_bytes for rank in cut.others if rank in cut.finishers)
    flat = scatter_gather.demand(cut)
    return Demand(arrays, flat.checked_rows, flat.moved_bytes)


def in_window(options: Options) -> bool:
    """Whether the ranks of a node share the memory of their pieces."""
    return options.get("in_window", False) is True


def streams(options: Options) -> bool:  # noqa: ARG001 - whatever they are
    """Always."""
    return True


def _window_demand(cut: Decomposition) -> Demand:
    """A rank's resident size counts the shared pages that it reads and writes; pieces move between nodes alone."""
    steps = pieces_of(cut.blocks, chunk_bytes_of(cut.options))
    slots = min(2, steps)
    x = [slots * piece(block, steps, 0).x_bytes for block in cut.blocks]
    summed = [piece(block, steps, 0).y_bytes for block in cut.blocks]
    y = [slots * size if rank in cut.finishers else 0 for rank, size in enumerate(summed)]
    windows = [0] * cut.grid.ranks
    arrays = [x[rank] + (y[rank] or summed[rank]) + cut.weights_bytes(rank) for rank in range(cut.grid.ranks)]
    # the root makes its own piece when it is due, in one slot, and has saved its y before the next
    arrays[0] = (x[0] + y[0]) // slots + cut.weights_bytes(0) + sum(x[1:])
    for node in cut.nodes:
        members = node[1:]
        sizes = [x[rank] + y[rank] for rank in (members if node[0] == 0 else node)]
        windows[node[0]] = sum(sizes) if members else 0
        if node[0] != 0:
            arrays[node[0]] += sum(x[rank] + y[rank] for rank in members)
            arrays[0] += sum(y[rank] for rank in node)
    moved = cut.weights_moved_bytes + cut.sums_moved_bytes
    moved += sum(cut.blocks[rank].x_bytes for node in cut.nodes[1:] for rank in node)
    moved += sum(cut.finished_bytes(node) for node in cut.nodes[1:])
    return Demand(arrays, _checked_rows(cut), moved, windows)


def _checked_rows(cut: Decomposition) -> list[int]:
    """On the root's node each finisher checks its own rows; the root also those of other nodes."""
    rows = [rows_of(block) if rank in cut.finishers else 0 for rank, block in enumerate(cut.blocks)]
    outside = [rank for node in cut.nodes[1:] for rank in node]
    return [
        rows[0] + sum(rows[rank] for rank in outside),
        *(0 if rank in outside else rows[rank] for rank in cut.others),
    ]


DESCRIPTION = MovementDescription(
    "pipeline",
    "workload.movement.pipeline:Pipeline",
    demand,
    options=("chunk_bytes", "in_window", "group_ranks"),
    switches=("in_window",),
    implemented_with={"in_window": "workload.movement.window_pipeline:WindowPipeline"},
    counts_with={"group_ranks": "in_window"},
    streams=streams,
)
