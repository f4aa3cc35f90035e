"""Measures how fast a rank's core is right now, by the same small piece of work before and after every repeat.

On a core that is shared with other virtual machines, or whose clock changes, the same work may take twice as long, and
neither CPU seconds nor steal time need show it. The yardstick runs the run's own backend on a block of a few hundred
kilobytes, about as much as a convolution works on at a time, so that what slows one slows the other as much.
"""

from __future__ import annotations

import math

import numpy as np

from workload.convolve import Backend
from workload.instruments.clock import Now

X_SHAPE, W_SHAPE, Y_SHAPE = (1, 3, 66, 514), (3, 3, 3, 3), (1, 3, 64, 512)
FLOPS = 2.0 * math.prod(Y_SHAPE) * math.prod(W_SHAPE[1:])
LEAST_S = 0.002  # of CPU time in one reading
MOST_TURNS = 2**20


class Yardstick:
    """The yardstick of one rank. `cpu_now` returns CPU seconds of this process."""

    def __init__(self, backend: Backend, cpu_now: Now) -> None:
        self._convolve = backend.convolve
        self._cpu_now = cpu_now
        self._x, self._w, self._y = (np.ones(shape, np.float32) for shape in (X_SHAPE, W_SHAPE, Y_SHAPE))
        self._turns = 1
        backend.compile(X_SHAPE, W_SHAPE)
        self.flops_per_s()  # finds out how many turns a reading takes

    def flops_per_s(self) -> float:
        """Floating-point operations in a CPU second, measured over at least LEAST_S of them."""
        # warms up: what ran before left other data in the caches, and perhaps a lower clock
        self._do((self._turns + 1) // 2)
        while True:
            begun = self._cpu_now()
            self._do(self._turns)
            spent_s = self._cpu_now() - begun
            if spent_s >= LEAST_S or self._turns >= MOST_TURNS:
                return FLOPS * self._turns / max(spent_s, LEAST_S / MOST_TURNS)
            self._turns *= 2

    def _do(self, turns: int) -> None:
        for _ in range(turns):
            self._convolve(self._x, self._w, self._y)
