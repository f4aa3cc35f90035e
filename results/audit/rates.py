"""Gates on how fast a convolution was computed: no core is faster than its yardstick, or than any core. Pure.

Each gate yields the words for every case that it tested, empty where the case holds.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from results.audit.accounting import blocks_in
from results.audit.gates import least_seconds
from results.formats import number
from results.records.convolution import on_gpu
from results.records.launch import RecordedLaunch

RATE_LIMIT = 1.5  # times the faster of the yardstick's two readings; the recorded sweeps reach 1.08


def yardstick(launch: RecordedLaunch) -> Iterator[str]:
    """The run's rate of convolution in the yardstick's, the median over ranks and repeats: one of them says little."""
    found = rates(launch)
    if found:
        rate = statistics.median(found)
        told = f"it computes at {number(rate, 3)} times the speed of its own cores in the yardstick"
        yield told if rate > RATE_LIMIT else ""


def rates(launch: RecordedLaunch) -> list[float]:
    """Of each rank and timed repeat with a reading, the rate of convolution over the faster reading."""
    if on_gpu(launch.convolution):
        return []
    flops, found = flops_of_ranks(launch), []
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            convolve_s, readings = rank.parts_s["convolve"], rank.yardstick_flops_per_s
            if readings and convolve_s > 0.0:
                speed = max(readings) * launch.run.threads
                found.append(flops[rank.rank] / convolve_s / speed)
    return found


def outside_mpi(launch: RecordedLaunch) -> Iterator[str]:
    """Each rank's time outside MPI against what its arithmetic takes at the least."""
    for rank, seconds, least_s in _least(launch, outside=True):
        yield _short(rank, seconds, least_s, "outside MPI")


def limit(launch: RecordedLaunch) -> Iterator[str]:
    """Each rank's time in convolve against what its arithmetic takes at the least."""
    for rank, seconds, least_s in _least(launch, outside=False):
        yield _short(rank, seconds, least_s, "in convolve")


def _least(launch: RecordedLaunch, *, outside: bool) -> Iterator[tuple[int, float, float]]:
    if on_gpu(launch.convolution):
        return  # its limits are the GPU's: see gpus.py
    flops = flops_of_ranks(launch)
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            seconds = rank.app_s - rank.mpi_s if outside else rank.parts_s["convolve"]
            yield rank.rank, seconds, least_seconds(flops[rank.rank], launch.run.threads)


def _short(rank: int, seconds: float, least_s: float, where: str) -> str:
    if seconds >= least_s:
        return ""
    return f"rank {rank} spent {number(seconds, 3)} s {where}, but needs {number(least_s, 3)} s"


def flops_of_ranks(launch: RecordedLaunch) -> dict[int, float]:
    """Floating-point operations of each rank in a repeat."""
    return {
        block.rank: 2.0 * own.y_elements * len(own.in_channel) * len(own.tap_row) * len(own.tap_column)
        for block, own in zip(launch.blocks, blocks_in(launch), strict=True)
    }
