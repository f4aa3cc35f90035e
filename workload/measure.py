"""Carries out one run on all ranks and gathers its measurement at the root."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from mpi4py import MPI

from workload import checksum, convolve, machine, memory, movement
from workload.checksum import Checker, Verdict
from workload.clock import CallStatistics, Clock, Now, RankTimes
from workload.grid import Block, block_of, covers_exactly, output_elements
from workload.images import Source, make_weights, open_pool
from workload.record import SCHEMA_VERSION, Run

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
    comm: MPI.Intracomm, run: Run, pool_file: Path, clocks: Clocks, sink: movement.Sink | None
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
    source = Source(open_pool(pool_file, run.problem))
    weights = make_weights(run.weights, run.problem, run.seed)
    mover = movement.make(
        run.movement,
        movement.Task(comm, run.problem, run.grid, backend.convolve, source, sink, weights, run.options),
    )
    announced = mover.finished_blocks()
    _refuse_gaps(comm, run, announced)
    checker = Checker(run.problem, weights, source, run.seed, announced)

    gc.collect()
    baseline_bytes = memory.rss_bytes()
    mover.prepare()
    readings = _Readings()
    try:
        warmups, repeats = _repeat_all(comm, run, clocks, mover, checker, readings)
        pss_bytes, swap_bytes = memory.pss_and_swap_bytes()
    finally:
        mover.close()
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
            "output_elements": output_elements(run.problem, run.grid, comm.rank),
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


def _repeat_all(
    comm: MPI.Intracomm, run: Run, clocks: Clocks, mover: movement.Movement, checker: Checker, readings: _Readings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Warm-ups, then timed repeats; the lists are empty but at the root."""
    warmups: list[dict[str, Any]] = []
    repeats: list[dict[str, Any]] = []

    def note_rss(phase: str) -> None:
        readings.rss_after_phase_bytes[phase] = memory.rss_bytes()

    for number in range(run.warmups + run.repeats):
        timed = number >= run.warmups
        # Reading the resident size takes time of its own, so it is done in a warm-up, where there is one.
        reads_rss = number == max(0, run.warmups - 1)
        entry = _repeat_once(comm, clocks, mover, checker, readings, note_rss if reads_rss else None, timed=timed)
        if entry is not None:
            (repeats if timed else warmups).append(entry)
    return warmups, repeats


def _repeat_once(  # noqa: PLR0913
    comm: MPI.Intracomm,
    clocks: Clocks,
    mover: movement.Movement,
    checker: Checker,
    readings: _Readings,
    after_phase: Callable[[str], None] | None,
    *,
    timed: bool,
) -> dict[str, Any] | None:
    """One repeat and its check. The peak is read between the two: the check's own memory is not the run's."""
    mover.poison()
    gc.collect()
    clock = Clock(comm, clocks.now, clocks.cpu_now, after_phase)
    peak_known = memory.reset_peak()
    faults = memory.major_faults()
    clock.start()
    mover.repeat(clock)
    clock.stop()
    faults = memory.major_faults() - faults
    if timed:
        _add(readings, clock, memory.peak_rss_bytes() if peak_known else None, faults)

    checker.begin()
    for block, y in mover.outputs():
        checker(block, y)
    gathered = comm.gather((clock.times, faults, checker.finish()), root=ROOT)
    if gathered is None:
        return None
    readings.verdicts.append(checksum.combine([verdict for _, _, verdict in gathered]))
    return _repeat_entry([times for times, _, _ in gathered], memory_bound=any(count for _, count, _ in gathered))


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


def _repeat_entry(times: list[RankTimes], *, memory_bound: bool) -> dict[str, Any]:
    """A record's `repeats` entry. A movement that streams has no forward section: its forward_s is total_s."""
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
            }
            for rank, each in enumerate(times)
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


def preview(run: Run, pool_file: Path) -> dict[str, np.ndarray[Any, np.dtype[np.uint8]]]:
    """Image 0 of the batch and its output as 8-bit pictures, as in the paper's Figure 2: `input`, `output`."""
    source = Source(open_pool(pool_file, run.problem))
    full = block_of(run.problem, type(run.grid)(), 0)
    first = Block(type(full.batch)(0, 1), *(getattr(full, axis) for axis in list(full.as_dict())[1:]))
    x, y = np.empty(first.x_shape, np.float32), np.empty(first.y_shape, np.float32)
    source(first, x)
    convolve.load("numpy").convolve(x, make_weights(run.weights, run.problem, run.seed), y)
    return {"input": _picture(x[0]), "output": _picture(y[0])}


def _picture(image: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(H, W, 3), or (H, W) with fewer than three channels, scaled to 0..255, at most about 512 pixels a side."""
    step = max(1, max(image.shape[1:]) // 512)
    shown = image[: 3 if len(image) >= 3 else 1, ::step, ::step]
    low, high = float(shown.min()), float(shown.max())
    scaled = np.rint((shown - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(1, 2, 0)) if len(scaled) == 3 else scaled[0]
