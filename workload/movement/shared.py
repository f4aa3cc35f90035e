"""Movement `shared`: MPI-3 shared windows, one x and one y on each node, no copies within a node.

All data begins and ends on the root's node. Its ranks fill the node's x together, each the images it touched first,
and convolve straight out of it and into the node's y. Every other node has a window of just what its ranks need: its
leader receives the parts from the root, and its finishers send y back into the root's window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mpi4py import MPI

from workload.domain.grid import AXES, Block, Span, block_of, cut, finisher, whole
from workload.instruments.clock import Clock
from workload.instruments.nodes import node_of, nodes_of, own_node
from workload.movement.datatypes import part_type
from workload.movement.movement import ROOT, Float32, Sink, Spans, Task, fill_with_nan, index, touch, touched
from workload.movement.node_window import NodeWindow
from workload.movement.partial_sums import PartialSums

X_TAG, Y_TAG = 1, 2


class Shared:
    """Works with every grid."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sink = task.sink
        self._node = node_of(task.comm, task.options)
        self._leads = self._node.rank == 0
        self._blocks = [block_of(task.problem, task.grid, rank) for rank in range(task.grid.ranks)]
        self._block = self._blocks[task.comm.rank]
        self._nodes = nodes_of(task.comm, self._node)
        self._on_root = task.comm.rank in self._nodes[0]
        self._box = whole(task.problem) if self._on_root else _box([self._blocks[rank] for rank in self._own_node()])

    def finished_blocks(self) -> list[Block]:
        """On the root's node each finisher hands over its own part of y; the root those from other nodes."""
        ranks = [self._task.comm.rank] if self._on_root else []
        if self._task.comm.rank == ROOT:
            ranks += [rank for node in self._nodes[1:] for rank in node]
        return [self._blocks[rank] for rank in ranks if finisher(self._task.grid, rank) == rank]

    def prepare(self) -> None:
        task = self._task
        self._sums = PartialSums(task.comm, task.grid)
        self._w, self._w_block = task.weights.copy(), touched(self._block.w_shape)
        self._x_window, self._x = self._window(self._box.x_shape)
        self._y_window, self._y = self._window(self._box.y_shape)
        self._x_block = self._x[index(self._block.x_spans, self._box.x_spans)]
        self._y_block = self._y[index(self._block.y_spans, self._box.y_spans)]
        # Partial sums need a buffer of their own; a finished block is written straight into the window.
        self._partial = touched(self._block.y_shape) if task.grid.sum_parts > 1 else None
        for part in self._written():
            touch(part)
        self._types = self._plan()

    def poison(self) -> None:
        buffers = [self._w_block, *([] if self._task.comm.rank == ROOT else [self._w])]
        if self._partial is not None:
            buffers.append(self._partial)
        for buffer in buffers:
            fill_with_nan(buffer)
        for part in self._written():
            fill_with_nan(part)
        self._meet()

    def repeat(self, clock: Clock) -> None:
        comm = self._task.comm
        share = self._share() if self._on_root else None
        if share is not None:
            with clock.phase("load"):
                self._task.source(*share)
        self._x_window.sync()
        clock.forward_begins()
        self._x_window.sync()
        with clock.phase("distribute"):
            receivers = comm.size - 1 if comm.rank == ROOT else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            self._w_block[...] = self._w[index(self._block.w_spans)]
            self._to_other_nodes(clock)
        with clock.phase("convolve"):
            target = self._y_block if self._partial is None else self._partial
            self._task.convolve(self._x_block, self._w_block, target)
        with clock.phase("collect"):
            self._finish(clock)
            self._from_other_nodes(clock)
        self._y_window.sync()
        clock.forward_ends()
        self._y_window.sync()
        if self._sink is not None:
            with clock.phase("save"):
                for block, y in self.outputs():
                    self._sink(block, y)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        for block in self.finished_blocks():
            yield block, self._y[index(block.y_spans)]

    def use_sink(self, sink: Sink) -> None:
        self._sink = sink

    def close(self) -> None:
        del self._x_block, self._y_block, self._x, self._y
        self._sums.close()
        for window in (self._x_window, self._y_window):
            window.free()
        for kind in self._types.values():
            kind.Free()
        self._node.Free()

    def _own_node(self) -> list[int]:
        return own_node(self._nodes, self._task.comm.rank)

    def _window(self, shape: tuple[int, ...]) -> tuple[NodeWindow, Float32]:
        """The node's one array of this shape, its leader's."""
        window = NodeWindow(self._node, shape if self._leads else (0,))
        return window, window.array(0, shape)

    def _share(self) -> tuple[Block, Float32] | None:
        """The part of the root's node's x that this rank fills: some images, or rows if images are too few."""
        axis = "batch" if len(self._box.batch) >= self._node.size else "row"
        span: Span = getattr(self._box, axis)
        sharing = min(self._node.size, len(span))
        if self._node.rank >= sharing:
            return None
        mine = cut(len(span), sharing, self._node.rank)
        share = replace(self._box, **{axis: Span(span.start + mine.start, span.start + mine.stop)})
        if axis == "row" and mine.stop < len(span):
            share = replace(share, tap_row=Span(0, 1))  # the next rank fills the halo below
        return share, self._x[index(share.x_spans, self._box.x_spans)]

    def _written(self) -> Iterator[Float32]:
        """The parts of the windows that this rank writes in a repeat: it touches them first, and poisons them."""
        share = self._share() if self._on_root else None
        if share is not None:
            yield share[1]
        if self._leads and not self._on_root:
            yield self._x
        if finisher(self._task.grid, self._task.comm.rank) == self._task.comm.rank:
            yield self._y_block
        if self._task.comm.rank == ROOT:
            for node in self._nodes[1:]:
                for rank in node:
                    yield self._y[index(self._blocks[rank].y_spans)]

    def _meet(self) -> None:
        for window in (self._x_window, self._y_window):
            window.sync()
        self._node.Barrier()

    def _plan(self) -> dict[int, MPI.Datatype]:
        """Datatypes of the messages between nodes, by peer: positive for x, ~peer for y."""
        types: dict[int, MPI.Datatype] = {}
        problem = self._task.problem
        if self._task.comm.rank == ROOT:
            for node in self._nodes[1:]:
                box = _box([self._blocks[rank] for rank in node])
                types[node[0]] = part_type(problem.x_shape, box.x_spans)
                for rank in self._finishers(node):
                    types[~rank] = part_type(problem.y_shape, self._blocks[rank].y_spans)
        elif self._leads and not self._on_root:
            types[ROOT] = part_type(self._box.x_shape, _from_zero(self._box.x_spans))
        if not self._on_root and self._task.comm.rank in self._finishers([self._task.comm.rank]):
            inside = _from_zero(self._block.y_spans, self._box.y_spans)
            types[~ROOT] = part_type(self._box.y_shape, inside)
        return types

    def _finishers(self, ranks: Sequence[int]) -> list[int]:
        return [rank for rank in ranks if finisher(self._task.grid, rank) == rank]

    def _to_other_nodes(self, clock: Clock) -> None:
        comm = self._task.comm
        if comm.rank == ROOT:
            requests = []
            for node in self._nodes[1:]:
                kind = self._types[node[0]]
                message = [self._x, 1, kind]
                requests.append(clock.mpi(comm.Isend, message, node[0], X_TAG, moved_bytes=kind.Get_size()))
            clock.mpi(MPI.Request.Waitall, requests)
        elif not self._on_root:
            if self._leads:
                kind = self._types[ROOT]
                clock.mpi(comm.Recv, [self._x, 1, kind], ROOT, X_TAG, moved_bytes=kind.Get_size())
            self._x_window.sync()
            clock.mpi(self._node.Barrier)
            self._x_window.sync()

    def _finish(self, clock: Clock) -> None:
        if self._partial is None:
            return
        self._sums.complete(clock, self._partial)
        if self._sums.finishes:
            self._y_block[...] = self._partial

    def _from_other_nodes(self, clock: Clock) -> None:
        comm = self._task.comm
        if comm.rank == ROOT:
            requests = []
            for rank in self._finishers([rank for node in self._nodes[1:] for rank in node]):
                kind = self._types[~rank]
                requests.append(clock.mpi(comm.Irecv, [self._y, 1, kind], rank, Y_TAG, moved_bytes=kind.Get_size()))
            clock.mpi(MPI.Request.Waitall, requests)
        elif not self._on_root and self._sums.finishes:
            kind = self._types[~ROOT]
            clock.mpi(comm.Send, [self._y, 1, kind], ROOT, Y_TAG, moved_bytes=kind.Get_size())


def _box(blocks: Sequence[Block]) -> Block:
    """The smallest block that holds them all."""
    spans = {}
    for axis in AXES:
        parts = [getattr(block, axis) for block in blocks]
        spans[axis] = Span(min(part.start for part in parts), max(part.stop for part in parts))
    return Block(**spans)


def _from_zero(spans: Spans, origin: Spans | None = None) -> list[Span]:
    return [Span(part.start, part.stop) for part in index(spans, origin or spans)]
