"""A program: convolves drawn shapes on a played GPU whose memories lie flush against unreadable pages.

    python -m tests.workload.gpu.guarded FOLDER SHAPES

A read or write one byte outside x, y or the packed weights ends it with SIGSEGV. Says how many shapes it did.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings

from tests.workload.convolve.guarded import guarded
from tests.workload.convolve.reference import Case, cases, eq1, rounding_bound
from tests.workload.gpu.played import PlayedDevice, played_gpus
from workload.convolve import cuda


class GuardedMemory:
    """See `workload.gpu.device.Memory`."""

    at_end = True

    def __init__(self, nbytes: int) -> None:
        self.nbytes, self.freed = nbytes, False
        self.floats = guarded((nbytes // 4,), np.nan, GuardedMemory.at_end)
        self.address = self.floats.ctypes.data

    def free(self) -> None:
        self.freed = True


def main(folder: Path, shapes: int) -> None:
    PlayedDevice.memory = lambda _, nbytes: GuardedMemory(nbytes)
    seen = 0

    @settings(max_examples=shapes, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases(largest=40))
    def every(case: Case) -> None:
        nonlocal seen
        seen += 1
        x, w = case.operands()
        for GuardedMemory.at_end in (True, False):
            y = np.empty(case.y_shape, np.float32)
            cuda.convolve(x, w, y)
            if not (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all():
                raise SystemExit(f"wrong answer for {case}")

    with played_gpus(1, folder):
        every()
    print(f"{seen} shapes stayed inside")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
