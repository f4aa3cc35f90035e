"""Times one repeat on one rank: phases, time inside MPI, the forward section, CPU seconds.

The clocks are passed in. Phases do not overlap; time in no phase is waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mpi4py import MPI

from workload.record.schema import PHASES

Result = TypeVar("Result")
Now = Callable[[], float]


@dataclass(frozen=True)
class Clocks:
    """Seconds: monotonic, MPI's own, and CPU time of this process with all its threads."""

    now: Now
    wtime: Now
    cpu_now: Now


@dataclass
class CallStatistics:
    """Calls of one MPI function: how many, bytes this rank sent and received in them, seconds inside."""

    count: int = 0
    bytes: int = 0
    time_s: float = 0.0


@dataclass
class RankTimes:
    """One repeat on one rank, in seconds. `forward_s` is None where blocks are streamed.

    `device_s` is what the rank's GPU was busy with, by its own clock; None without one.
    """

    phases_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    app_s: float = 0.0
    forward_s: float | None = None
    mpi_s: float = 0.0
    cpu_s: float = 0.0
    convolve_cpu_s: float = 0.0
    device_s: dict[str, float] | None = None

    @property
    def wait_s(self) -> float:
        """Seconds of the repeat in no phase: barriers and bookkeeping."""
        return max(0.0, self.app_s - sum(self.phases_s.values()))


class Clock:
    """Measures one repeat on this rank.

    `now` and `cpu_now` return seconds: monotonic, and CPU time of all threads of this process. `after_phase(name)` is
    called after each phase, for readings that must not count as part of it.
    """

    def __init__(
        self, comm: MPI.Comm, now: Now, cpu_now: Now, after_phase: Callable[[str], None] | None = None
    ) -> None:
        self.times = RankTimes()
        self.calls: dict[str, CallStatistics] = {}
        self._comm = comm
        self._now = now
        self._cpu_now = cpu_now
        self._after_phase = after_phase
        self._phase: str | None = None
        self._started = self._cpu_started = 0.0
        self._forward_started: float | None = None

    def start(self) -> None:
        """Waits for all ranks, then starts the repeat."""
        self._comm.Barrier()
        self._started, self._cpu_started = self._now(), self._cpu_now()

    def stop(self) -> None:
        """Ends the repeat on this rank."""
        self.times.app_s = self._now() - self._started
        self.times.cpu_s = self._cpu_now() - self._cpu_started

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time of its body to a phase. Raises RuntimeError inside another phase, KeyError if unknown."""
        if self._phase is not None:
            raise RuntimeError(f"phase {name} begins inside phase {self._phase}: phases do not overlap")
        self._phase = name
        begun, cpu_begun = self._now(), self._cpu_now()
        try:
            yield
        finally:
            self.times.phases_s[name] += self._now() - begun
            if name == "convolve":
                self.times.convolve_cpu_s += self._cpu_now() - cpu_begun
            self._phase = None
        if self._after_phase is not None:
            self._after_phase(name)

    def mpi(self, call: Callable[..., Result], *arguments: Any, moved_bytes: int = 0, **options: Any) -> Result:
        """Makes one MPI call and counts it under its name; `moved_bytes` is what this rank sends and receives in it."""
        begun = self._now()
        result = call(*arguments, **options)
        spent = self._now() - begun
        statistics = self.calls.setdefault(call.__name__, CallStatistics())
        statistics.count += 1
        statistics.bytes += moved_bytes
        statistics.time_s += spent
        self.times.mpi_s += spent
        return result

    def forward_begins(self, *, synchronise: bool = True) -> None:
        """All x is in place. Waits for all ranks, unless there is no other rank to wait for."""
        if synchronise:
            self.mpi(self._comm.Barrier)
        self._forward_started = self._now()

    def forward_ends(self, *, synchronise: bool = True) -> None:
        """This rank's y is in place. Waits for all ranks, then ends the forward section."""
        if self._forward_started is None:
            raise RuntimeError("the forward section ends, but it has not begun")
        if synchronise:
            self.mpi(self._comm.Barrier)
        self.times.forward_s = self._now() - self._forward_started
