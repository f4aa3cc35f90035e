"""The check of a run on all its ranks: those that would wait for one with much of y take their share of the work.

Every rank works out what a part of y should be. Where ranks of the owner's node may read its memory, they also compare:
the owner sends them its finished y itself, as it lies in its memory, a piece at a time, and MPI copies each from there
into the reader's cache. Where they may not, that would take longer than the owner does, which then compares alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from mpi4py import MPI

from workload.data import checksum
from workload.data.checksum import Checker, CheckResult
from workload.data.expectation import Expectation, Rows
from workload.data.shares import Share, messages, share_out
from workload.domain.grid import Block
from workload.movement.movement import ROOT, Float32, index

MESSAGE_BYTES = 4 * 2**20  # of y: smaller ones take longer in all, larger ones leave the caches before they are checked


class SharedCheck:
    """The check of y on one rank. Made once for a run, by all ranks together, and used after every repeat.

    `announced` are the blocks that each rank will hand over; `readers` the ranks that may read each rank's memory.
    As a sink it checks on this rank alone, so that a movement which streams has to be its own only reader.
    """

    def __init__(
        self,
        comm: MPI.Intracomm,
        expectation: Expectation,
        announced: Sequence[Sequence[Block]],
        readers: Sequence[Sequence[int]],
    ) -> None:
        self._comm = comm
        self._shares = share_out(announced, readers)
        self._split = {share.whole for share in self._shares if share.checker != share.owner}  # among several checkers
        self._checker = Checker(expectation, self._expected(expectation))
        self._twice = False  # a block was handed over that had been

    def begin(self) -> None:
        """Forgets the last repeat."""
        self._checker.begin()
        self._twice = False

    def __call__(self, block: Block, y: Float32) -> None:
        """Checks finished y of shape `block.y_shape`, here. Raises ValueError for a block that was not announced."""
        self._checker(block, y)

    def look_at(self, outputs: Iterable[tuple[Block, Float32]]) -> None:
        """Has all that this rank hands over checked. All ranks call it together."""
        mine = [share for share in self._shares if share.owner == self._comm.rank and share.whole in self._split]
        handed: dict[Block, Float32] = {}
        for block, y in outputs:
            if block not in self._split:
                self._checker(block, y)
            else:
                self._twice |= block in handed
                handed[block] = y
        sent = [
            request
            for share in mine
            if share.checker != share.owner
            for request in self._send(share, handed.get(share.whole))
        ]
        for share in mine:
            if share.checker == share.owner and share.whole in handed:
                self._checker(share.block, _part(share.block, share.whole, handed[share.whole]))
        for share in self._shares:
            if share.checker == self._comm.rank and share.owner != share.checker:
                self._receive(share)
        MPI.Request.Waitall(sent)

    def finish(self) -> CheckResult | None:
        """The result of the repeat over all ranks, at the root. All ranks call it together."""
        found = self._checker.finish()
        results = self._comm.gather(replace(found, complete=found.complete and not self._twice), root=ROOT)
        return None if results is None else checksum.combine(results)

    def _expected(self, expectation: Expectation) -> dict[Block, Rows]:
        """What this rank will compare with, block by block: worked out here, or by other ranks."""
        rank = self._comm.rank
        worked_out = expectation.rows(share.block for share in self._shares if share.computer == rank)
        sent = [
            self._comm.Isend([array, MPI.DOUBLE], dest=share.checker)
            for share in self._shares
            if share.computer == rank != share.checker
            for array in worked_out[share.block].arrays
        ]
        found: dict[Block, Rows] = {}
        for share in self._shares:
            if share.checker == rank:
                block = share.block if share.whole in self._split else share.whole
                if block not in found:
                    found[block] = Rows.room(block)
                place = index(share.block.y_spans, block.y_spans)[:3]
                part = worked_out[share.block] if share.computer == rank else self._from(share)
                for target, array in zip(found[block].arrays, part.arrays, strict=True):
                    target[place] = array
        MPI.Request.Waitall(sent)
        return found

    def _from(self, share: Share) -> Rows:
        """What the share's computer sends."""
        rows = Rows.room(share.block)
        for array in rows.arrays:
            self._comm.Recv([array, MPI.DOUBLE], source=share.computer)
        return rows

    def _send(self, share: Share, y: Float32 | None) -> Iterator[MPI.Request]:
        """Sends a share's part of y to its checker; NaN if the block was never handed over."""
        for block in messages(share.block, share.whole, MESSAGE_BYTES):
            piece = np.full(block.y_shape, np.nan, np.float32) if y is None else _part(block, share.whole, y)
            yield self._comm.Isend([np.ascontiguousarray(piece), MPI.FLOAT], dest=share.checker)

    def _receive(self, share: Share) -> None:
        room = np.empty(0, np.float32)
        for block in messages(share.block, share.whole, MESSAGE_BYTES):
            if room.size < block.y_elements:
                room = np.empty(block.y_elements, np.float32)
            piece = room[: block.y_elements]
            self._comm.Recv([piece, MPI.FLOAT], source=share.owner)
            self._checker(block, piece.reshape(block.y_shape))


def _part(block: Block, whole: Block, y: Float32) -> Float32:
    """A block's part of a larger one's y."""
    return y[index(block.y_spans, whole.y_spans)]
