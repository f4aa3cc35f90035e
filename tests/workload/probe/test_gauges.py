"""The figures of a gauge, by a clock that the test sets."""

from mpi4py import MPI

from workload.probe.gauges import Gauge
from workload.probe.scale import Scale


class Clock:
    """Seconds, which pass only where work is done."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_rate_is_the_work_of_one_call_over_its_median_time() -> None:
    clock, calls = Clock(), []

    def work() -> None:
        calls.append(clock.now_s)
        clock.now_s += 0.5

    gauge = Gauge("convolve", {"backend": "naive"}, 1, "flops_per_s", 1e6, lambda: work)
    gauge.take(MPI.COMM_SELF, clock, Scale(rounds=3, round_s=1.0))
    assert gauge.samples == [0.5, 0.5, 0.5]
    assert len(calls) == 1 + 1 + 3 * 2  # the warm-up, the call that says how many make a round, and three rounds of two
    assert gauge.figure() == {"backend": "naive", "active": 1, "flops_per_s": 2e6, "spread": 0.0}


def test_one_slow_round_does_not_move_the_rate_but_the_spread() -> None:
    clock, durations = Clock(), iter([9.0, 1.0, 1.0, 1.0, 5.0, 1.0, 2.0])

    def work() -> None:
        clock.now_s += next(durations)

    gauge = Gauge("memory", {"copy_bytes": 4}, 1, "bytes_per_s", 8.0, lambda: work)
    gauge.take(MPI.COMM_SELF, clock, Scale(rounds=5, round_s=1.0))
    figure = gauge.figure()
    assert figure["bytes_per_s"] == 8.0
    assert figure["spread"] == 1.0
