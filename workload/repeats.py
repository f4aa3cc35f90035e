"""One rank's repeats of a run: times them, reads memory, and has every answer checked."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mpi4py import MPI

from workload.data.checksum import CheckResult
from workload.data.shared_check import SharedCheck
from workload.instruments import memory
from workload.instruments.clock import CallStatistics, Clock, Clocks, RankTimes
from workload.instruments.yardstick import Yardstick
from workload.movement import descriptions as movements
from workload.movement.movement import Movement
from workload.record.run import Run
from workload.stores import Stores

ROOT = 0


@dataclass
class Readings:
    """What a rank gathers over its repeats; `results` are the checks over all ranks, at the root only."""

    calls: dict[str, CallStatistics] = field(default_factory=dict)
    peak_bytes: int | None = None
    rss_after_phase_bytes: dict[str, int] = field(default_factory=dict)
    results: list[CheckResult] = field(default_factory=list)
    major_faults: int = 0

    def add(self, clock: Clock, peak_bytes: int | None, faults: int) -> None:
        """Adds a timed repeat; `peak_bytes` is None if the kernel does not report it."""
        if peak_bytes is not None:
            self.peak_bytes = max(peak_bytes, self.peak_bytes or 0)
        self.major_faults += faults
        for name, call in clock.calls.items():
            total = self.calls.setdefault(name, CallStatistics())
            total.count += call.count
            total.bytes += call.bytes
            total.time_s += call.time_s


@dataclass(frozen=True)
class Repeater:
    """Carries out one rank's repeats and gathers what they leave."""

    comm: MPI.Intracomm
    run: Run
    clocks: Clocks
    mover: Movement
    check: SharedCheck
    yardstick: Yardstick | None  # None on a GPU, which it would not keep busy
    stores: Stores
    readings: Readings = field(default_factory=Readings)

    def all(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Warm-ups, then timed repeats, as a record's entries; the lists are empty but at the root."""
        if self.stores.undecided:
            self._try_stores()
        warmups: list[dict[str, Any]] = []
        repeats: list[dict[str, Any]] = []
        for number in range(self.run.warmups + self.run.repeats):
            timed = number >= self.run.warmups
            # Reading the resident size takes time, so it is done in a warm-up if there is one.
            reads_rss = number == max(0, self.run.warmups - 1)
            entry = self._once(self._note_rss if reads_rss else None, timed=timed)
            if entry is not None:
                (repeats if timed else warmups).append(entry)
        if self._streams:
            self._stream_into_check()
        return warmups, repeats

    @property
    def _streams(self) -> bool:
        return movements.describe(self.run.movement).streams(self.run.options)

    def _clock(self, after_phase: Callable[[str], None] | None = None) -> Clock:
        return Clock(self.comm, self.clocks.now, self.clocks.cpu_now, after_phase)

    def _try_stores(self) -> None:
        """One more repeat, untimed, in whose first convolution the ranks find out which stores are faster.

        It need not be right: no x is loaded before (`Stores.loading`), no buffer poisoned, and nothing checked.
        """
        self._unseen()

    def _stream_into_check(self) -> None:
        """One more repeat, untimed, with the check as its sink: y is never whole, so it cannot be checked later."""
        self.mover.use_sink(self.check)
        self.check.begin()
        self.mover.poison()
        self._unseen()
        self._keep_result()

    def _unseen(self) -> None:
        """A repeat that leaves no times."""
        clock = self._clock()
        clock.start()
        self.mover.repeat(clock)

    def _keep_result(self) -> None:
        result = self.check.finish()
        if result is not None:
            self.readings.results.append(result)

    def _note_rss(self, phase: str) -> None:
        self.readings.rss_after_phase_bytes[phase] = memory.rss_bytes()

    def _speed(self) -> list[float]:
        return [] if self.yardstick is None else [self.yardstick.flops_per_s()]

    def _once(self, after_phase: Callable[[str], None] | None, *, timed: bool) -> dict[str, Any] | None:
        """One repeat, then its check. The peak is read before the check, whose memory is not the run's."""
        self.mover.poison()
        gc.collect()
        clock = self._clock(after_phase)
        before = self._speed()
        peak_known = memory.reset_peak()
        faults = memory.major_faults()
        clock.start()
        self.mover.repeat(clock)
        clock.stop()
        faults = memory.major_faults() - faults
        if timed:
            self.readings.add(clock, memory.peak_rss_bytes() if peak_known else None, faults)
        speeds = [*before, *self._speed()]

        if not self._streams:
            self.check.begin()
            self.check.look_at(self.mover.outputs())
            self._keep_result()
        gathered = self.comm.gather((clock.times, speeds, faults), root=ROOT)
        if gathered is None:
            return None
        ranks = [(times, speeds) for times, speeds, _ in gathered]
        return _repeat_entry(ranks, memory_bound=any(count for _, _, count in gathered))


def _repeat_entry(ranks: list[tuple[RankTimes, list[float]]], *, memory_bound: bool) -> dict[str, Any]:
    """A record's `repeats` entry. A movement that streams has no forward section: its forward_s is total_s."""
    times = [each for each, _ in ranks]
    total_s = max(each.app_s for each in times)
    forward = [each.forward_s for each in times if each.forward_s is not None]
    streamed = len(forward) < len(times)
    return {
        "total_s": total_s,
        "forward_s": total_s if streamed else max(forward),
        "convolve_s": max(each.phases_s["convolve"] for each in times),
        "streamed": streamed,
        "memory_bound": memory_bound,
        "ranks": [
            {
                "rank": rank,
                "phases_s": each.phases_s,
                "wait_s": each.wait_s,
                "app_s": each.app_s,
                "mpi_s": each.mpi_s,
                "cpu_s": each.cpu_s,
                "convolve_cpu_s": each.convolve_cpu_s,
                **({"yardstick_flops_per_s": speeds} if speeds else {}),
                **({} if each.device_s is None else {"device_s": each.device_s}),
            }
            for rank, (each, speeds) in enumerate(ranks)
        ],
    }
