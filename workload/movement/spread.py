"""Moves the parts of a whole array between the root and the ranks, which hold their parts contiguously."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mpi4py import MPI

from workload.domain.grid import Span
from workload.instruments.clock import Clock
from workload.movement.datatypes import image_type, part_type, run_type
from workload.movement.movement import ROOT, Float32, Spans, index


class PartsSpread(Protocol):
    """Scatters parts of the root's whole array and gathers them; `packed` holds what a rank passes on to others."""

    packed: Float32 | None

    def scatter(self, clock: Clock, whole: Float32 | None, mine: Float32 | None) -> None:
        """Fills every rank's part from the root's whole array; None where the root's part stays in place."""

    def gather(self, clock: Clock, mine: Float32 | None, whole: Float32 | None) -> None:
        """Fills the root's whole array from every rank's part; None for no part, or the root's in place."""

    def close(self) -> None:
        """Frees datatypes."""


class Spread:
    """Parts of a float32 array (four axes) by rank, None for a rank that has no part; sent straight from the root.

    If the parts are whole images in rank order, Scatterv and Gatherv carry them, counted in images. Otherwise each
    part is one message, described by a subarray type at the root.
    """

    def __init__(self, comm: MPI.Intracomm, shape: Sequence[int], parts: Sequence[Spans | None]) -> None:
        self.packed: Float32 | None = None
        self._comm = comm
        self._mine = parts[comm.rank]
        self._by_images = all(part is not None and _whole_images(part, shape) for part in parts)
        self._types: dict[int, MPI.Datatype] = {}
        if self._by_images:
            self._image = image_type(MPI.FLOAT, shape[1:])
            self._counts = [len(part[0]) for part in parts if part is not None]
            self._displacements = [part[0].start for part in parts if part is not None]
        elif comm.rank == ROOT:
            others = [(rank, part) for rank, part in enumerate(parts) if part is not None and rank != ROOT]
            self._types = {rank: part_type(shape, part) for rank, part in others}
        elif self._mine is not None:
            self._types = {comm.rank: run_type(_elements(self._mine))}

    def scatter(self, clock: Clock, whole: Float32 | None, mine: Float32 | None) -> None:
        """Fills every rank's part from the root's whole array; None where the root's part stays in place."""
        if self._by_images:
            send = None if whole is None else [whole, self._counts, self._displacements, self._image]
            receive = MPI.IN_PLACE if mine is None else [mine, self._counts[self._comm.rank], self._image]
            clock.mpi(self._comm.Scatterv, send, receive, root=ROOT, moved_bytes=self._moved())
        elif whole is None:
            if self._mine is not None and mine is not None:
                message = [mine, 1, self._types[self._comm.rank]]
                clock.mpi(self._comm.Recv, message, source=ROOT, moved_bytes=mine.nbytes)
        else:
            requests = [
                clock.mpi(self._comm.Isend, [whole, 1, kind], dest=rank, moved_bytes=kind.Get_size())
                for rank, kind in self._types.items()
            ]
            if self._mine is not None and mine is not None:
                mine[...] = whole[index(self._mine)]
            clock.mpi(MPI.Request.Waitall, requests)

    def gather(self, clock: Clock, mine: Float32 | None, whole: Float32 | None) -> None:
        """Fills the root's whole array from every rank's part."""
        if self._by_images:
            receive = None if whole is None else [whole, self._counts, self._displacements, self._image]
            send = MPI.IN_PLACE if mine is None else [mine, self._counts[self._comm.rank], self._image]
            clock.mpi(self._comm.Gatherv, send, receive, root=ROOT, moved_bytes=self._moved())
        elif whole is None:
            if self._mine is not None and mine is not None:
                message = [mine, 1, self._types[self._comm.rank]]
                clock.mpi(self._comm.Send, message, dest=ROOT, moved_bytes=mine.nbytes)
        else:
            requests = [
                clock.mpi(self._comm.Irecv, [whole, 1, kind], source=rank, moved_bytes=kind.Get_size())
                for rank, kind in self._types.items()
            ]
            if self._mine is not None and mine is not None:
                whole[index(self._mine)] = mine
            clock.mpi(MPI.Request.Waitall, requests)

    def _moved(self) -> int:
        """Bytes that cross between this rank and others in a Scatterv or Gatherv."""
        crossing = self._counts[1:] if self._comm.rank == ROOT else [self._counts[self._comm.rank]]
        return sum(crossing) * self._image.Get_size()

    def close(self) -> None:
        if self._by_images:
            self._image.Free()
        for kind in self._types.values():
            kind.Free()


def _whole_images(part: Sequence[Span], shape: Sequence[int]) -> bool:
    return all(span == Span(0, size) for span, size in zip(part[1:], shape[1:], strict=True))


def _elements(part: Sequence[Span]) -> int:
    product = 1
    for span in part:
        product *= len(span)
    return product
