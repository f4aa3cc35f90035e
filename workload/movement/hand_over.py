"""How the pieces of `pipeline` through windows pass from the root to its ranks, and the results back.

The root makes pieces, in its node's window or to be sent; the leader of each other node receives those of its ranks
into its own window; the other ranks take them where they lie. Empty messages say that a piece is ready or done with, so
that nobody watches memory. A rank's x and y have two slots, used in turn by the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mpi4py import MPI

from workload.domain.chunks import piece
from workload.domain.grid import Block
from workload.instruments.clock import Clock
from workload.movement.movement import ROOT, Float32, Sink, Source
from workload.movement.node_window import NodeWindow
from workload.movement.transfer import transfer

X_TAG, Y_TAG, READY_TAG, DONE_TAG = 1, 2, 3, 4
NOTHING = [bytearray(), MPI.BYTE]


@dataclass
class Pieces:
    """The pieces of all blocks, and this rank's buffers for them: by rank, with the slots as first axis.

    `nodes` are the ranks of each node, the leader first and the root's node first; `node` those of this rank's;
    `finishers` those that hand in y.
    """

    comm: MPI.Intracomm
    nodes: list[list[int]]
    node: list[int]
    blocks: list[Block]
    finishers: list[int]
    steps: int
    windows: tuple[NodeWindow, ...]
    x: dict[int, Float32]
    y: dict[int, Float32]
    sink: Sink | None

    def at(self, rank: int, step: int) -> Block:
        return piece(self.blocks[rank], self.steps, step)

    def x_at(self, rank: int, step: int) -> Float32:
        return self._slot(self.x[rank], rank, step)

    def y_at(self, rank: int, step: int) -> Float32:
        return self._slot(self.y[rank], rank, step)

    def sync(self) -> None:
        """Orders this rank's reads and writes of x and y with those of its node."""
        for window in self.windows:
            window.sync()

    def save(self, clock: Clock, rank: int, step: int) -> None:
        """Hands this rank's finished piece of y to the sink, if there is one."""
        if self.sink is not None and rank in self.finishers:
            with clock.phase("save"):
                self.sink(self.at(rank, step), self.y_at(rank, step))

    def _slot(self, buffer: Float32, rank: int, step: int) -> Float32:
        slot: Float32 = buffer[step % len(buffer)]
        return slot[: len(self.at(rank, step).batch)]


class Role(Protocol):
    """One rank's part in a repeat. For each step: `prepare` before the step before it is convolved, `take`, `give`."""

    def prepare(self, clock: Clock, step: int) -> None:
        """Starts the step: what can be under way while the step before it is convolved."""

    def take(self, clock: Clock, step: int) -> None:
        """Returns when this rank's x of the step is in place, and its y may be written."""

    def give(self, clock: Clock, step: int) -> None:
        """This rank's y of the step is finished, or was added to another's."""

    def end(self, clock: Clock) -> None:
        """Waits until all y is where it belongs, and all that was sent has left."""


def role_of(pieces: Pieces, source: Source) -> Role:
    """What this rank has to do."""
    if pieces.comm.rank == ROOT:
        return Root(pieces, source)
    return Leader(pieces) if pieces.comm.rank == pieces.node[0] else Member(pieces)


class Root:
    """Makes all pieces, its own last; receives the results of other nodes from their leaders."""

    def __init__(self, pieces: Pieces, source: Source) -> None:
        self._pieces, self._source = pieces, source
        self._members, self._outside = pieces.node[1:], pieces.nodes[1:]
        self._sent: list[list[MPI.Request]] = [[], []]
        self._results: list[list[MPI.Request]] = [[], []]

    def prepare(self, clock: Clock, step: int) -> None:
        pieces = self._pieces
        with clock.phase("distribute"):
            _finish(clock, self._sent[step % 2])
        for node in self._outside:
            for rank in _leader_last(node):
                self._make(clock, rank, step)
                with clock.phase("distribute"):
                    sending = transfer(clock, pieces.comm.Isend, pieces.x_at(rank, step), node[0], X_TAG)
                self._sent[step % 2].append(sending)
        for rank in self._members:
            if step >= 2:
                self._wait_until_done(clock, rank)
            self._make(clock, rank, step)
            with clock.phase("distribute"):
                pieces.sync()
                self._sent[step % 2].append(_tell(clock, pieces.comm, rank, READY_TAG))

    def take(self, clock: Clock, step: int) -> None:
        pieces = self._pieces
        if step >= 2:
            self._save_results(clock, step - 2)
        with clock.phase("collect"):
            for node in self._outside:
                for rank in _finishing(pieces, node):
                    expected = transfer(clock, pieces.comm.Irecv, pieces.y_at(rank, step), node[0], Y_TAG)
                    self._results[step % 2].append(expected)
        self._make(clock, ROOT, step)

    def give(self, clock: Clock, step: int) -> None:
        self._pieces.save(clock, ROOT, step)

    def end(self, clock: Clock) -> None:
        for step in _last_two(self._pieces):
            for rank in self._members:
                self._wait_until_done(clock, rank)
            self._save_results(clock, step)
        with clock.phase("distribute"):
            for requests in self._sent:
                _finish(clock, requests)

    def _make(self, clock: Clock, rank: int, step: int) -> None:
        with clock.phase("load"):
            self._source(self._pieces.at(rank, step), self._pieces.x_at(rank, step))

    def _wait_until_done(self, clock: Clock, rank: int) -> None:
        with clock.phase("collect"):
            _hear(clock, self._pieces.comm, rank, DONE_TAG)
            self._pieces.sync()

    def _save_results(self, clock: Clock, step: int) -> None:
        with clock.phase("collect"):
            _finish(clock, self._results[step % 2])
        for node in self._outside:
            for rank in node:
                self._pieces.save(clock, rank, step)


class Leader:
    """Receives the pieces of its node's ranks, and its own, into the window, and sends their results to the root."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._members = pieces.node[1:]
        self._arriving: list[list[MPI.Request]] = [[], []]
        self._sent: list[list[MPI.Request]] = [[], []]

    def prepare(self, clock: Clock, step: int) -> None:
        if step >= 2:
            self._send_results(clock, step - 2)
        pieces = self._pieces
        with clock.phase("distribute"):
            self._arriving[step % 2] = [
                transfer(clock, pieces.comm.Irecv, pieces.x_at(rank, step), ROOT, X_TAG)
                for rank in _leader_last(pieces.node)
            ]

    def take(self, clock: Clock, step: int) -> None:
        pieces, sent = self._pieces, self._sent[step % 2]
        with clock.phase("collect"):
            _finish(clock, sent)  # until then the results of step - 2 lie where those of this step go
        with clock.phase("distribute"):
            for rank, request in zip(_leader_last(pieces.node), self._arriving[step % 2], strict=True):
                clock.mpi(request.Wait)
                if rank != pieces.comm.rank:
                    pieces.sync()
                    sent.append(_tell(clock, pieces.comm, rank, READY_TAG))

    def give(self, clock: Clock, step: int) -> None:
        """Its results leave with its node's."""

    def end(self, clock: Clock) -> None:
        for step in _last_two(self._pieces):
            self._send_results(clock, step)
        with clock.phase("collect"):
            for requests in self._sent:
                _finish(clock, requests)

    def _send_results(self, clock: Clock, step: int) -> None:
        pieces = self._pieces
        with clock.phase("collect"):
            for rank in self._members:
                _hear(clock, pieces.comm, rank, DONE_TAG)
            pieces.sync()
            for rank in _finishing(pieces, pieces.node):
                sending = transfer(clock, pieces.comm.Isend, pieces.y_at(rank, step), ROOT, Y_TAG)
                self._sent[step % 2].append(sending)


class Member:
    """Takes its pieces out of the window and leaves y in it; on the root's node it also hands y to the sink."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._saves = ROOT in pieces.node
        self._told: list[list[MPI.Request]] = [[], []]

    def prepare(self, clock: Clock, step: int) -> None:
        """Its leader does."""

    def take(self, clock: Clock, step: int) -> None:
        with clock.phase("distribute"):
            _hear(clock, self._pieces.comm, self._pieces.node[0], READY_TAG)
            self._pieces.sync()

    def give(self, clock: Clock, step: int) -> None:
        pieces, told = self._pieces, self._told[step % 2]
        if self._saves:
            pieces.save(clock, pieces.comm.rank, step)
        with clock.phase("collect"):
            _finish(clock, told)
            pieces.sync()
            told.append(_tell(clock, pieces.comm, pieces.node[0], DONE_TAG))

    def end(self, clock: Clock) -> None:
        with clock.phase("collect"):
            for requests in self._told:
                _finish(clock, requests)


def _leader_last(node: Sequence[int]) -> list[int]:
    """The ranks of another node in the order in which their pieces travel: members begin before their leader."""
    return [*node[1:], node[0]]


def _finishing(pieces: Pieces, node: Sequence[int]) -> list[int]:
    return [rank for rank in node if rank in pieces.finishers]


def _last_two(pieces: Pieces) -> range:
    """The steps that nothing follows which would wait for them."""
    return range(max(0, pieces.steps - 2), pieces.steps)


def _tell(clock: Clock, comm: MPI.Intracomm, peer: int, tag: int) -> MPI.Request:
    return clock.mpi(comm.Isend, NOTHING, peer, tag)


def _hear(clock: Clock, comm: MPI.Intracomm, peer: int, tag: int) -> None:
    clock.mpi(comm.Recv, NOTHING, peer, tag)


def _finish(clock: Clock, requests: list[MPI.Request]) -> None:
    if requests:
        clock.mpi(MPI.Request.Waitall, requests)
        requests.clear()
