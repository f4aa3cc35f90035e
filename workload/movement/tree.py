"""Movement `tree`: by way of node leaders that form a binomial tree (the paper's outlook, 5.1.1).

The root sends each subtree of nodes one message with the parts of all its ranks. Leaders pass on what is not theirs and
serve the ranks of their own node. Results take the same way back; partial sums are reduced first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from mpi4py import MPI

from workload.domain.grid import Span
from workload.domain.topology import children, parent, subtree
from workload.instruments.clock import Clock
from workload.instruments.nodes import node_of, nodes_of
from workload.movement.datatypes import part_type, parts_type, run_type
from workload.movement.movement import ROOT, Float32, Spans, index, touched
from workload.movement.scatter_gather import ScatterGather
from workload.movement.spread import PartsSpread


class Tree(ScatterGather):
    """Works with every grid. Raises ValueError unless `group_ranks` is a positive whole number."""

    def _spread(self, shape: tuple[int, ...], parts: Sequence[Spans | None]) -> PartsSpread:
        node = node_of(self._task.comm, self._task.options)
        nodes = nodes_of(self._task.comm, node)
        node.Free()
        return _PartTree(self._task.comm, nodes, shape, parts)


class _PartTree:
    """Sends parts of the root's whole array down the tree and collects them up it.

    A leader other than the root holds its subtree's parts packed, one after the other; the root describes its messages
    by datatypes over the whole array. A part is None for a rank that has none.
    """

    def __init__(
        self, comm: MPI.Intracomm, nodes: list[list[int]], shape: tuple[int, ...], parts: Sequence[Spans | None]
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
        """Plans a leader's messages: one to each child leader, one to each other rank of its node."""
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

    def scatter(self, clock: Clock, whole: Float32 | None, mine: Float32 | None) -> None:
        """Fills every rank's part from the root's whole array."""
        if self._up is not None:
            held = self.packed if self._leads else mine
            clock.mpi(self._comm.Recv, [held, 1, self._up], source=self._above(), moved_bytes=self._up.Get_size())
        requests = [
            clock.mpi(self._comm.Isend, self._message(whole, kind, offset), dest=rank, moved_bytes=kind.Get_size())
            for rank, kind, offset in self._peers
        ]
        own = self._own(whole)
        if own is not None and mine is not None:
            mine[...] = own
        clock.mpi(MPI.Request.Waitall, requests)

    def gather(self, clock: Clock, mine: Float32 | None, whole: Float32 | None) -> None:
        """Fills the root's whole array from every rank's part."""
        requests = [
            clock.mpi(self._comm.Irecv, self._message(whole, kind, offset), source=rank, moved_bytes=kind.Get_size())
            for rank, kind, offset in self._peers
        ]
        own = self._own(whole)
        if own is not None and mine is not None:
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
        """A leader's own part, as a view of what it holds."""
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
        """The ranks in the leader's subtree that have a part, node by node."""
        ranks = (rank for node in subtree(leader, len(self._nodes)) for rank in self._nodes[node])
        return [rank for rank in ranks if self._parts[rank] is not None]

    def _spans(self, rank: int) -> Spans:
        part = self._parts[rank]
        if part is None:
            raise RuntimeError(f"rank {rank} has no part")
        return part


def _elements(spans: tuple[Span, ...]) -> int:
    return int(np.prod([len(span) for span in spans]))
