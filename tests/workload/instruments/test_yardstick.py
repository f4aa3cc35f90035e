"""How fast a core is, by the run's own backend on a small block."""

from __future__ import annotations

import pytest

from workload import convolve
from workload.convolve import Backend
from workload.domain import backends
from workload.instruments.yardstick import FLOPS, LEAST_S, W_SHAPE, X_SHAPE, Y_SHAPE, Yardstick


class Core:
    """A core that does one block in `block_s` seconds, and their clock."""

    def __init__(self, block_s: float) -> None:
        self.block_s = block_s
        self.spent_s = 0.0

    def convolve(self, x, w, y) -> None:
        assert (x.shape, w.shape, y.shape) == (X_SHAPE, W_SHAPE, Y_SHAPE)
        self.spent_s += self.block_s

    def backend(self) -> Backend:
        return Backend("core", self.convolve, lambda *_: None)

    def now(self) -> float:
        return self.spent_s


@pytest.mark.parametrize("block_s", [1e-6, 1e-4, 1.0])
def test_a_reading_is_long_enough_and_follows_the_core(block_s: float) -> None:
    core = Core(block_s)
    yardstick = Yardstick(core.backend(), core.now)
    begun = core.spent_s
    assert yardstick.flops_per_s() == pytest.approx(FLOPS / block_s)
    assert core.spent_s - begun >= LEAST_S
    core.block_s *= 1.6
    assert yardstick.flops_per_s() == pytest.approx(FLOPS / core.block_s)


@pytest.mark.thorough
def test_a_clock_that_stands_still_ends_it() -> None:
    assert Yardstick(Core(0.0).backend(), lambda: 1.0).flops_per_s() > 0.0


@pytest.mark.parametrize("name", backends.names_on_cpu())
def test_every_backend_of_a_core_does_it(name: str) -> None:
    import time

    assert Yardstick(convolve.load(name), time.process_time).flops_per_s() > 0.0
