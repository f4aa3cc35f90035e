"""The clock with a clock of our own: every second lands where it belongs."""

import pytest
from mpi4py import MPI

from workload.instruments.clock import Clock


class Ticks:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def spend(ticks: Ticks, seconds: float) -> None:
    ticks.now_s += seconds


def make() -> tuple[Clock, Ticks, Ticks]:
    now, cpu = Ticks(), Ticks()
    return Clock(MPI.COMM_SELF, now, cpu), now, cpu


def test_every_second_has_its_place() -> None:
    clock, now, cpu = make()
    spend(now, 100)
    clock.start()
    with clock.phase("load"):
        spend(now, 1)
    clock.forward_begins()
    with clock.phase("distribute"):
        clock.mpi(spend, now, 2, moved_bytes=10)
        spend(now, 1)
    spend(now, 5)
    with clock.phase("convolve"):
        spend(now, 7)
        spend(cpu, 6)
    with clock.phase("collect"):
        clock.mpi(spend, now, 4, moved_bytes=5)
    clock.forward_ends()
    with clock.phase("save"):
        spend(now, 3)
    clock.stop()
    times = clock.times
    assert times.phases_s == {"load": 1, "distribute": 3, "convolve": 7, "collect": 4, "save": 3}
    assert (times.app_s, times.forward_s, times.wait_s, times.mpi_s) == (23, 19, 5, 6)
    assert (times.cpu_s, times.convolve_cpu_s) == (6, 6)
    spent = clock.calls["spend"]
    assert (spent.count, spent.bytes, spent.time_s) == (2, 15, 6)
    assert clock.calls["Barrier"].count == 2


def test_a_movement_that_never_marks_it_has_no_forward_section() -> None:
    clock, _, _ = make()
    clock.start()
    clock.stop()
    assert clock.times.forward_s is None
    assert clock.calls == {}


def test_phases_do_not_overlap() -> None:
    clock, _, _ = make()
    with clock.phase("load"), pytest.raises(RuntimeError, match="convolve begins inside phase load"):
        clock.phase("convolve").__enter__()


def test_an_unknown_phase_is_refused() -> None:
    clock, _, _ = make()
    with pytest.raises(KeyError), clock.phase("think"):
        pass


def test_a_phase_that_fails_still_ends() -> None:
    clock, now, _ = make()

    def save() -> None:
        with clock.phase("save"):
            spend(now, 2)
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        save()
    assert clock.times.phases_s["save"] == 2
    with clock.phase("load"):
        pass


def test_the_forward_section_begins_before_it_ends() -> None:
    clock, _, _ = make()
    with pytest.raises(RuntimeError, match="has not begun"):
        clock.forward_ends()
