"""Movement `tree`: by node leader, a binomial tree between the leaders (the paper's outlook, 5.1.1).

The root hands each subtree of nodes one message that holds all its ranks' parts; leaders pass on what is
not theirs and serve their own node. Results take the same way back, partial sums reduced first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np
from mpi4py import MPI

from workload.clock import Clock
from workload.grid import Block, Span, block_of, finisher, whole
from workload.movement import ROOT, Float32, Sink, Spans, Task, index, touched
from workload.movement.datatypes import part_type, parts_type, run_type
from workload.movement.nodes import node_of, nodes_of
from workload.movement.partial_sums import PartialSums
from workload.topology import children, parent, subtree


class Tree:
    """Works with every grid. Raises ValueError for a `group_ranks` that is no positive number."""

    streams = False

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._is_root = task.comm.rank == ROOT
        self._block = block_of(task.problem, task.grid, task.comm.rank)
        self._whole = whole(task.problem)

    def finished_blocks(self) -> list[Block]:
        return [self._whole] if self._is_root else []

    def prepare(self) -> None:
        task = self._task
        node = node_of(task.comm, task.options)
        nodes = nodes_of(task.comm, node)
        node.Free()
        blocks = [block_of(task.problem, task.grid, rank) for rank in range(task.grid.ranks)]
        finished = [block.y_spans if finisher(task.grid, rank) == rank else None for rank, block in enumerate(blocks)]
        self._sums = PartialSums(task.comm, task.grid)
        self._x_tree = _PartTree(task.comm, nodes, task.problem.x_shape, [block.x_spans for block in blocks])
        self._y_tree = _PartTree(task.comm, nodes, task.problem.y_shape, finished)
        self._w, self._w_block = task.weights.copy(), touched(self._block.w_shape)
        self._x, self._y = touched(self._block.x_shape), touched(self._block.y_shape)
        self._whole_x = touched(self._whole.x_shape) if self._is_root else None
        self._whole_y = touched(self._whole.y_shape) if self._is_root else None

    def poison(self) -> None:
        buffers = [self._x, self._y, self._whole_x, self._whole_y, self._w_block, self._x_tree.packed]
        buffers.append(self._y_tree.packed)
        if not self._is_root:
            buffers.append(self._w)
        for buffer in buffers:
            if buffer is not None:
                buffer.fill(np.nan)

    def repeat(self, clock: Clock) -> None:
        comm = self._task.comm
        if self._whole_x is not None:
            with clock.phase("load"):
                self._task.source(self._whole, self._whole_x)
        clock.forward_begins()
        with clock.phase("distribute"):
            receivers = comm.size - 1 if self._is_root else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            self._w_block[...] = self._w[index(self._block.w_spans)]
            self._x_tree.scatter(clock, self._whole_x, self._x)
        with clock.phase("convolve"):
            self._task.convolve(self._x, self._w_block, self._y)
        with clock.phase("collect"):
            self._sums.complete(clock, self._y)
            self._y_tree.gather(clock, self._y, self._whole_y)
        clock.forward_ends()
        if self._whole_y is not None and self._sink is not None:
            with clock.phase("save"):
                self._sink(self._whole, self._whole_y)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        if self._whole_y is not None:
            yield self._whole, self._whole_y

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def close(self) -> None:
        self._sums.close()
        self._x_tree.close()
        self._y_tree.close()


class _PartTree:
    """Sends parts of the root's whole array down the tree, and takes parts up it.

    A leader below the root holds its subtree's parts packed, one after the other; the root's messages are
    described by datatypes over the whole array. Parts None are of ranks that have none.
    """

    def __init__(
        self, comm: MPI.Intracomm, nodes: list[list[int]], shape: tuple[int, ...], parts: list[Spans | None]
    ) -> None:
        self._comm = comm
        self._nodes = nodes
        self._parts = parts
        self._node = next(number for number, ranks in enumerate(nodes) if comm.rank in ranks)
        self._leads = comm.rank == nodes[self._node][0]
        self._peers: list[tuple[int, MPI.Datatype, int]] = []  # rank, its datatype, offset into packed
        self.packed: Float32 | None = None
        self._offsets: dict[int, int] = {}
        if self._leads:
            self._plan(shape)
        self._up = self._make_up()

    def _plan(self, shape: tuple[int, ...]) -> None:
        """Messages of a leader: one to each child leader, one to each other rank of its node."""
        node = self._nodes[self._node]
        messages = [
            (self._nodes[below][0], self._ranks_below(below)) for below in children(self._node, len(self._nodes))
        ]
        messages += [(rank, [rank]) for rank in node[1:] if self._parts[rank] is not None]
        messages = [(peer, ranks) for peer, ranks in messages if ranks]
        if self._comm.rank == ROOT:
            for peer, ranks in messages:
                spans = [self._spans(rank) for rank in ranks]
                kind = part_type(shape, spans[0]) if len(spans) == 1 else parts_type(shape, spans)
                self._peers.append((peer, kind, 0))
            return
        mine = self._ranks_below(self._node)
        starts = [0, *accumulate(_elements(self._spans(rank)) for rank in mine)]
        self.packed = touched((starts[-1],))
        self._offsets = dict(zip(mine, starts, strict=False))
        for peer, ranks in messages:
            elements = sum(_elements(self._spans(rank)) for rank in ranks)
            self._peers.append((peer, run_type(elements), self._offsets[ranks[0]]))

    def _make_up(self) -> MPI.Datatype | None:
        """The one message between this rank and the one above it."""
        if self._comm.rank == ROOT:
            return None
        if self._leads:
            return run_type(self.packed.size) if self.packed is not None and self.packed.size else None
        part = self._parts[self._comm.rank]
        return None if part is None else run_type(_elements(part))

    def scatter(self, clock: Clock, whole: Float32 | None, mine: Float32) -> None:
        """Fills every rank's part from the root's whole array."""
        if self._up is not None:
            held = self.packed if self._leads else mine
            clock.mpi(self._comm.Recv, [held, 1, self._up], source=self._above(), moved_bytes=self._up.Get_size())
        requests = [
            clock.mpi(self._comm.Isend, self._message(whole, kind, offset), dest=rank, moved_bytes=kind.Get_size())
            for rank, kind, offset in self._peers
        ]
        own = self._own(whole)
        if own is not None:
            mine[...] = own
        clock.mpi(MPI.Request.Waitall, requests)

    def gather(self, clock: Clock, mine: Float32, whole: Float32 | None) -> None:
        """Fills the root's whole array from every rank's part."""
        requests = [
            clock.mpi(self._comm.Irecv, self._message(whole, kind, offset), source=rank, moved_bytes=kind.Get_size())
            for rank, kind, offset in self._peers
        ]
        own = self._own(whole)
        if own is not None:
            own[...] = mine
        clock.mpi(MPI.Request.Waitall, requests)
        if self._up is not None:
            held = self.packed if self._leads else mine
            clock.mpi(self._comm.Send, [held, 1, self._up], dest=self._above(), moved_bytes=self._up.Get_size())

    def close(self) -> None:
        for kind in [kind for _, kind, _ in self._peers] + ([self._up] if self._up is not None else []):
            kind.Free()

    def _message(self, whole: Float32 | None, kind: MPI.Datatype, offset: int) -> list[object]:
        if whole is not None:
            return [whole, 1, kind]
        return [self.packed[offset:] if self.packed is not None else None, 1, kind]

    def _own(self, whole: Float32 | None) -> Float32 | None:
        """Where a leader's own part lies in what it holds."""
        part = self._parts[self._comm.rank]
        if part is None or not self._leads:
            return None
        if whole is not None:
            return whole[index(part)]
        if self.packed is None:
            return None
        start = self._offsets[self._comm.rank]
        shape = tuple(map(len, part))
        return self.packed[start : start + _elements(part)].reshape(shape)

    def _above(self) -> int:
        return self._nodes[parent(self._node)][0] if self._leads else self._nodes[self._node][0]

    def _ranks_below(self, leader: int) -> list[int]:
        """Ranks with a part in the leader's subtree, node after node."""
        span = subtree(leader, len(self._nodes))
        return [rank for node in self._nodes[span.start : span.stop] for rank in node if self._parts[rank] is not None]

    def _spans(self, rank: int) -> Spans:
        part = self._parts[rank]
        if part is None:
            raise RuntimeError(f"rank {rank} has no part")
        return part


def _elements(spans: tuple[Span, ...]) -> int:
    return int(np.prod([len(span) for span in spans]))
