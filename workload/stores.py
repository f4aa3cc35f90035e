"""By which stores a run's backend writes y: as it is told, or the faster ones here, tried before the warm-ups.

Which are faster depends on how many ranks share the memory, and on the machine. So all ranks time each kind at once, on
their own blocks in the run's own buffers, and agree: the slowest rank of each turn counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from workload.convolve import Array, Convolve
from workload.domain.grid import Block
from workload.instruments.clock import Now
from workload.movement.movement import Source

TURNS = 7  # counted ones of each kind, after one that warms up
LOST = 1  # turns in which a kind may be slower than the first and still be taken
GAIN = 0.05  # of the first kind's median time that another must save: less is noise
TRIED_BYTES = 128 * 2**20  # of a rank's x and y: larger than its share of a cache, and soon convolved


class Stores:
    """A rank's `Convolve`, by the stores `taken`.

    `convolves` are the kinds to choose from, one if there is nothing to choose. `convolve_s` are the seconds of the
    slowest rank by kind, in the median turn, of this run or of the one that chose; empty if none was tried.
    """

    def __init__(
        self, comm: MPI.Intracomm, now: Now, convolves: Mapping[str, Convolve], convolve_s: Mapping[str, float]
    ) -> None:
        self._comm, self._now, self._convolves = comm, now, convolves
        self.taken = next(iter(convolves))
        self.convolve_s = convolve_s

    @property
    def undecided(self) -> bool:
        """True before the first call if there is a choice. All ranks then make that call, or none of them."""
        return len(self._convolves) > 1 and not self.convolve_s

    def __call__(self, x: Array, w: Array, y: Array) -> None:
        if self.undecided:
            self._try(x, w, y)
        self._convolves[self.taken](x, w, y)

    def loading(self, source: Source) -> Source:
        """The source for a movement: it fills nothing while the stores are undecided, for no time rests on values."""

        def load(block: Block, out: Array) -> None:
            if not self.undecided:
                source(block, out)

        return load

    def document(self) -> dict[str, Any]:
        """The measurement's `stores`."""
        return {"taken": self.taken, "convolve_s": dict(self.convolve_s)}

    def _try(self, x: Array, w: Array, y: Array) -> None:
        images = max(1, min(len(y), TRIED_BYTES // (x[0].nbytes + y[0].nbytes)))
        seconds = np.zeros((TURNS + 1, len(self._convolves)))
        for turn in range(TURNS + 1):
            places = list(enumerate(self._convolves.values()))
            for place, convolve in places if turn % 2 else reversed(places):
                self._comm.Barrier()
                begun_s = self._now()
                convolve(x[:images], w, y[:images])
                seconds[turn, place] = self._now() - begun_s
        self._comm.Allreduce(MPI.IN_PLACE, seconds, op=MPI.MAX)
        self.taken, self.convolve_s = faster(list(self._convolves), seconds[1:])


def faster(kinds: Sequence[str], seconds: NDArray[np.float64]) -> tuple[str, dict[str, float]]:
    """The kind to take, and the median of each; a row of `seconds` a turn.

    It is the one of the shortest median, if that saves GAIN and beats the first kind in all turns but LOST, else the
    first: on a busy machine medians alone often choose wrongly.
    """
    medians = dict(zip(kinds, map(float, np.median(seconds, axis=0)), strict=True))
    best = min(range(len(kinds)), key=lambda place: medians[kinds[place]])
    lost = int((seconds[:, best] >= seconds[:, 0]).sum())
    saves = medians[kinds[best]] < (1 - GAIN) * medians[kinds[0]]
    return kinds[best if saves and lost <= LOST else 0], medians


def worth_trying(caches: Sequence[Mapping[str, int]], ranks: int, y_bytes: int) -> bool:
    """Whether y is larger than a rank's share of the largest cache; `ranks` are those of the node.

    Smaller y is read again from the cache, past which non-temporal stores would take it.
    """
    if not caches:
        return True
    last = max(caches, key=lambda cache: cache["bytes"])
    return y_bytes > last["bytes"] / min(ranks, last["threads"])
