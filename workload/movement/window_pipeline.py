"""Movement `pipeline` with the option `in_window`: as pipeline, but within a node no piece is copied.

The root makes each piece in a window that its node's ranks share. They convolve straight out of it and into a window
of y. The leader of another node receives its ranks' pieces into such windows and sends their results to the root.
The root holds two steps of x of all ranks but itself, and of y of other nodes, whatever the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

from mpi4py import MPI

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.domain.grid import Block, block_of, finisher
from workload.instruments.clock import Clock
from workload.instruments.nodes import node_of, nodes_of, own_node
from workload.movement.hand_over import Pieces, role_of
from workload.movement.movement import PAGE_ELEMENTS, ROOT, Float32, Sink, Task, fill_with_nan, index, touch, touched
from workload.movement.node_window import NodeWindow
from workload.movement.partial_sums import PartialSums


class WindowPipeline:
    """Works with every grid. Raises ValueError unless `chunk_bytes` and `group_ranks` are positive whole numbers."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._rank = task.comm.rank
        self._blocks = [block_of(task.problem, task.grid, rank) for rank in range(task.grid.ranks)]
        self._block = self._blocks[self._rank]
        self._steps = pieces_of(self._blocks, chunk_bytes_of(task.options))
        self._finishers = [rank for rank in range(task.grid.ranks) if finisher(task.grid, rank) == rank]
        self._node = node_of(task.comm, task.options)
        self._nodes = nodes_of(task.comm, self._node)
        self._own_node = own_node(self._nodes, self._rank)
        self._leads = self._node.rank == 0

    def finished_blocks(self) -> list[Block]:
        """On the root's node each finisher hands over its own part of y; the root those from other nodes."""
        ranks = [self._rank] if ROOT in self._own_node else []
        ranks += self._other_nodes()
        return [self._blocks[rank] for rank in ranks if rank in self._finishers]

    def prepare(self) -> None:
        task = self._task
        self._sums = PartialSums(task.comm, task.grid)
        self._w, self._w_block = task.weights.copy(), touched(self._block.w_shape)
        nothing = (0,)
        in_window = self._rank != ROOT
        self._x_window = NodeWindow(self._node, self._x_shape(self._rank) if in_window else nothing)
        finishes = in_window and self._rank in self._finishers
        self._y_window = NodeWindow(self._node, self._y_shape(self._rank) if finishes else nothing)
        self._x, self._y = self._x_buffers(), self._y_buffers()
        self._pieces = Pieces(
            comm=task.comm,
            nodes=self._nodes,
            node=self._own_node,
            blocks=self._blocks,
            finishers=self._finishers,
            steps=self._steps,
            windows=(self._x_window, self._y_window),
            x=self._x,
            y=self._y,
            sink=task.sink,
        )
        self._role = role_of(self._pieces, task.source)
        for buffer in self._written():
            touch(buffer)
        self._node.Barrier()
        for buffer in [*self._x.values(), *self._y.values()]:
            buffer.reshape(-1)[::PAGE_ELEMENTS].sum()  # pages of others, which this rank reads

    def poison(self) -> None:
        self._node.Barrier()  # a leader may still send what another rank is about to fill
        for buffer in [*self._written(), self._w_block, *([] if self._rank == ROOT else [self._w])]:
            fill_with_nan(buffer)

    def repeat(self, clock: Clock) -> None:
        comm, role, pieces = self._task.comm, self._role, self._pieces
        with clock.phase("distribute"):
            receivers = comm.size - 1 if self._rank == ROOT else 1
            clock.mpi(comm.Bcast, [self._w, MPI.FLOAT], root=ROOT, moved_bytes=self._w.nbytes * receivers)
            self._w_block[...] = self._w[index(self._block.w_spans)]
        role.prepare(clock, 0)
        for step in range(self._steps):
            if step + 1 < self._steps:
                role.prepare(clock, step + 1)
            role.take(clock, step)
            y = pieces.y_at(self._rank, step)
            with clock.phase("convolve"):
                self._task.convolve(pieces.x_at(self._rank, step), self._w_block, y)
            with clock.phase("collect"):
                self._sums.complete(clock, y)
            role.give(clock, step)
        role.end(clock)

    def outputs(self) -> Iterator[tuple[Block, Float32]]:
        return iter(())

    def use_sink(self, sink: Sink) -> None:
        self._pieces.sink = sink

    def close(self) -> None:
        self._x.clear()
        self._y.clear()
        self._sums.close()
        for window in self._pieces.windows:
            window.free()
        self._node.Free()

    def _other_nodes(self) -> list[int]:
        """At the root the ranks of other nodes, whose pieces it sends and receives; at other ranks none."""
        return [rank for node in self._nodes[1:] for rank in node] if self._rank == ROOT else []

    def _written(self) -> list[Float32]:
        """The buffers that this rank fills in a repeat, so that it is the first to touch their pages."""
        received = [self._y[rank] for rank in self._other_nodes() if rank in self._finishers]
        return [*(self._x.values() if self._leads else []), self._y[self._rank], *received]

    def _x_buffers(self) -> dict[int, Float32]:
        """By rank: those of this rank's node that it serves, its own, and at the root those that it sends."""
        served = [rank for rank in (self._own_node if self._leads else [self._rank]) if rank != ROOT]
        buffers = {rank: self._x_window.array(self._own_node.index(rank), self._x_shape(rank)) for rank in served}
        buffers.update({rank: touched(self._x_shape(rank)) for rank in self._other_nodes()})
        if self._rank == ROOT:
            buffers[ROOT] = touched(self._x_shape(ROOT)[1:])[None]  # made when it is due: one slot is enough
        return buffers

    def _y_buffers(self) -> dict[int, Float32]:
        """By rank: its own, those that a leader sends to the root, and at the root those that it receives."""
        sent = self._own_node if self._leads and self._rank != ROOT else [self._rank]
        buffers = {
            rank: self._y_window.array(self._own_node.index(rank), self._y_shape(rank))
            for rank in sent
            if rank != ROOT and rank in self._finishers
        }
        buffers.update({rank: touched(self._y_shape(rank)) for rank in self._other_nodes() if rank in self._finishers})
        if self._rank not in buffers:  # the root's, which is saved at once, or a partial sum
            buffers[self._rank] = touched(self._y_shape(self._rank)[1:])[None]
        return buffers

    def _x_shape(self, rank: int) -> tuple[int, ...]:
        return self._slots, *self._first(rank).x_shape

    def _y_shape(self, rank: int) -> tuple[int, ...]:
        return self._slots, *self._first(rank).y_shape

    @property
    def _slots(self) -> int:
        """Two steps are held at a time, or the only one."""
        return min(2, self._steps)

    def _first(self, rank: int) -> Block:
        """A rank's largest piece."""
        return piece(self._blocks[rank], self._steps, 0)
