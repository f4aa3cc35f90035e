"""Carries out one run on all ranks and gathers its measurement at the root."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from mpi4py import MPI

from workload import convolve, movement
from workload.data import checksum
from workload.data.checksum import Checker, Verdict
from workload.data.images import Source, make_weights, open_pool
from workload.data.output import Output
from workload.domain.grid import Block, block_of, covers_exactly, output_elements
from workload.instruments import machine, memory
from workload.instruments.clock import CallStatistics, Clock, Now, RankTimes
from workload.instruments.yardstick import Yardstick
from workload.record.run import Run
from workload.record.schema import SCHEMA_VERSION

ROOT = 0


@dataclass(frozen=True)
class Clocks:
    """Seconds: monotonic, MPI's own, and CPU time of this process with all its threads."""

    now: Now
    wtime: Now
    cpu_now: Now


@dataclass
class _Readings:
    """What this rank gathers over its repeats."""

    calls: dict[str, CallStatistics] = field(default_factory=dict)
    peak_bytes: int | None = None
    rss_after_phase_bytes: dict[str, int] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)  # over all ranks, at the root only
    major_faults: int = 0


def measure(
    comm: MPI.Intracomm, run: Run, pool_file: Path, clocks: Clocks, output: Output | None
) -> dict[str, Any] | None:
    """The measurement (docs/formats.md) at the root, None on the other ranks.

    Raises ValueError where the run does not fit the ranks, the pool, the backend or the movement.
    """
    if comm.size != run.ranks:
        raise ValueError(f"the run asks for {run.ranks} ranks, but mpirun started {comm.size}")
    wtime_begun, now_begun, steal_begun = clocks.wtime(), clocks.now(), machine.steal_s()
    block = block_of(run.problem, run.grid, comm.rank)
    backend = convolve.load(run.backend)
    backend.compile(block.x_shape, block.w_shape)
    yardstick = Yardstick(backend, clocks.cpu_now)
    source = Source(open_pool(pool_file, run.problem))
    weights = make_weights(run.weights, run.problem, run.seed)
    mover = movement.make(
        run.movement,
        movement.Task(comm, run.problem, run.grid, backend.convolve, source, output, weights, run.options),
    )
    announced = mover.finished_blocks()
    _refuse_gaps(comm, run, announced)
    if output is not None:
        output.begin(comm, run.problem)
    checker = Checker(run.problem, weights, source, run.seed, announced)

    gc.collect()
    memory.give_back_freed()  # the check's scratch is not the run's
    baseline_bytes = memory.rss_bytes()
    mover.prepare()
    repeater = _Repeater(comm, clocks, mover, checker, yardstick)
    warmups, repeats = repeater.all(run)
    pss_bytes, swap_bytes = memory.pss_and_swap_bytes()
    mover.close()  # all ranks together: after an error on one, the others would wait here for ever
    if output is not None:
        output.end()
    readings = repeater.readings
    own = {
        "memory": {
            "rank": comm.rank,
            "peak_rss_bytes": readings.peak_bytes,
            "pss_bytes": pss_bytes,
            "rss_after_phase_bytes": readings.rss_after_phase_bytes,
            "baseline_rss_bytes": baseline_bytes,
            "major_faults": readings.major_faults,
            "swap_bytes": swap_bytes,
        },
        "block": {
            "rank": comm.rank,
            **block.as_dict(),
            "output_elements": mover.output_elements()
            if isinstance(mover, movement.CountsOutput)
            else output_elements(run.problem, run.grid, comm.rank),
        },
        "mpi_calls": [
            {"rank": comm.rank, "call": name, "count": call.count, "bytes": call.bytes, "time_s": call.time_s}
            for name, call in sorted(readings.calls.items())
        ],
        "elapsed": (clocks.wtime() - wtime_begun, clocks.now() - now_begun),
    }
    machines = _machines(comm, steal_begun)
    gathered = comm.gather(own, root=ROOT)
    if gathered is None:
        return None
    wtime_s, monotonic_s = max((each["elapsed"] for each in gathered), key=lambda pair: abs(pair[0] / pair[1] - 1))
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "run": run.as_dict(),
        "warmup_repeats": warmups,
        "repeats": repeats,
        "memory": [each["memory"] for each in gathered],
        "blocks": [each["block"] for each in gathered],
        "mpi_calls": [call for each in gathered for call in each["mpi_calls"]],
        "check": _check_entry(readings.verdicts),
        "machines": machines,
        "clock_agreement": {"wtime_s": wtime_s, "monotonic_s": monotonic_s},
    }


def _refuse_gaps(comm: MPI.Intracomm, run: Run, announced: list[Block]) -> None:
    """A movement that announces too little would be checked too little."""
    everywhere = [block for blocks in comm.allgather(announced) for block in blocks]
    if not covers_exactly(run.problem, everywhere):
        raise RuntimeError(f"movement {run.movement} announces blocks that do not cover the output exactly once")


class _Repeater:
    """Carries out one rank's repeats and gathers what they leave."""

    def __init__(
        self,
        comm: MPI.Intracomm,
        clocks: Clocks,
        mover: movement.Movement,
        checker: Checker,
        yardstick: Yardstick,
    ) -> None:
        self.readings = _Readings()
        self._yardstick = yardstick
        self._comm = comm
        self._clocks = clocks
        self._mover = mover
        self._checker = checker

    def all(self, run: Run) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Warm-ups, then timed repeats, as a record's entries; the lists are empty but at the root."""
        warmups: list[dict[str, Any]] = []
        repeats: list[dict[str, Any]] = []
        for number in range(run.warmups + run.repeats):
            timed = number >= run.warmups
            # Reading the resident size takes time of its own, so it is done in a warm-up, where there is one.
            reads_rss = number == max(0, run.warmups - 1)
            entry = self._once(self._note_rss if reads_rss else None, timed=timed)
            if entry is not None:
                (repeats if timed else warmups).append(entry)
        if self._mover.streams:
            self._stream_into_check()
        return warmups, repeats

    def _stream_into_check(self) -> None:
        """One more repeat, untimed, whose sink is the check: where y is never whole there is nothing to look at."""
        self._mover.use_sink(self._checker)
        self._checker.begin()
        self._mover.poison()
        clock = Clock(self._comm, self._clocks.now, self._clocks.cpu_now)
        clock.start()
        self._mover.repeat(clock)
        self._take_verdicts(self._comm.gather(self._checker.finish(), root=ROOT))

    def _take_verdicts(self, verdicts: list[Verdict] | None) -> None:
        if verdicts is not None:
            self.readings.verdicts.append(checksum.combine(verdicts))

    def _note_rss(self, phase: str) -> None:
        self.readings.rss_after_phase_bytes[phase] = memory.rss_bytes()

    def _once(self, after_phase: Callable[[str], None] | None, *, timed: bool) -> dict[str, Any] | None:
        """One repeat and its check. The peak is read between the two: the check's own memory is not the run's."""
        self._mover.poison()
        gc.collect()
        clock = Clock(self._comm, self._clocks.now, self._clocks.cpu_now, after_phase)
        before = self._yardstick.flops_per_s()
        peak_known = memory.reset_peak()
        faults = memory.major_faults()
        clock.start()
        self._mover.repeat(clock)
        clock.stop()
        faults = memory.major_faults() - faults
        if timed:
            _add(self.readings, clock, memory.peak_rss_bytes() if peak_known else None, faults)
        speeds = [before, self._yardstick.flops_per_s()]

        if not self._mover.streams:
            self._checker.begin()
            for block, y in self._mover.outputs():
                self._checker(block, y)
            self._take_verdicts(self._comm.gather(self._checker.finish(), root=ROOT))
        gathered = self._comm.gather((clock.times, speeds, faults), root=ROOT)
        if gathered is None:
            return None
        ranks = [(times, speeds) for times, speeds, _ in gathered]
        return _repeat_entry(ranks, memory_bound=any(count for _, _, count in gathered))


def _add(readings: _Readings, clock: Clock, peak_bytes: int | None, faults: int) -> None:
    """Adds a timed repeat to the rank's sums."""
    if peak_bytes is not None:
        readings.peak_bytes = max(peak_bytes, readings.peak_bytes or 0)
    readings.major_faults += faults
    for name, call in clock.calls.items():
        total = readings.calls.setdefault(name, CallStatistics())
        total.count += call.count
        total.bytes += call.bytes
        total.time_s += call.time_s


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
                "yardstick_flops_per_s": speeds,
            }
            for rank, (each, speeds) in enumerate(ranks)
        ],
    }


def _check_entry(verdicts: list[Verdict]) -> dict[str, Any]:
    verdict = checksum.worst(verdicts)
    return {
        "repeats_checked": len(verdicts),
        "rows_checked": verdict.rows,
        "worst_error_over_tolerance": verdict.worst_error_over_tolerance,
        "detectable_abs_error": verdict.detectable_abs_error,
        "spots": verdict.spots,
        "spot_max_abs_error": verdict.spot_max_abs_error,
        "passed": all(each.passed for each in verdicts),
    }


def _machines(comm: MPI.Intracomm, steal_begun: float) -> list[dict[str, Any]] | None:
    """One entry a node, in the order of their first ranks, at the root."""
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    cpu = psutil.Process().cpu_num()
    placement = node.gather({"rank": comm.rank, "core": machine.core_of(cpu), "hwthread": cpu}, root=0)
    node.Free()
    entry = None
    if placement is not None:
        entry = machine.describe(MPI.Get_library_version().split(",")[0].strip("\x00 \n"))
        entry["steal_s"] = max(0.0, entry["steal_s"] - steal_begun)
        entry["rank_placement"] = placement
    entries = comm.gather(entry, root=ROOT)
    return None if entries is None else [each for each in entries if each is not None]
