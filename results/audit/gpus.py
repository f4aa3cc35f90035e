"""Gates on runs on GPUs, and what share of a GPU's limits they reach: of the link, of its memory, of its multiply-adds.

The limits are those of the probe that the sweep's ledger names; without one, what no GPU can do. Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from results.audit.accounting import blocks_in
from results.audit.gates import least_gpu_seconds
from results.audit.rates import RATE_LIMIT, flops_of_ranks
from results.formats import number
from results.records import gpus
from results.records.convolution import on_gpu
from results.records.gpus import GpuLimits, ProbedGpus
from results.records.kinds import CONVOLUTION
from results.records.launch import RecordedLaunch
from results.records.sweep import RecordedSweep

EVENT = "forecast"
KERNEL, TOTAL = "convolve", "total"  # parts of a GPU's time
CLOCKS_APART = 0.01  # of the host's clock and the GPU's


@dataclass(frozen=True)
class LimitShares:
    """What a launch reached of what a GPU can do, in the median of its repeats: 1 is all of it.

    `link`: of both directions at once, by forward time; of several GPUs the busiest. `copy` and `flops`: by the
    kernel's time on the GPU, in the median of ranks.
    """

    link: float
    copy: float
    flops: float


def used(launch: RecordedLaunch) -> bool:
    """Whether the launch computed on GPUs, and says which rank on which and for how long."""
    if launch.experiment is not CONVOLUTION or not on_gpu(launch.convolution):
        return False
    return len(launch.gpus) == launch.run.ranks and any(_kernels(launch))


def probed(sweep: RecordedSweep) -> ProbedGpus | None:
    """The GPUs as the sweep's ledger has them; None where no forecast came before its runs, or none of GPUs."""
    for event in sweep.events:
        probe = event.get("probe") if event.get("event") == EVENT else None
        if isinstance(probe, dict) and (found := gpus.parse(probe.get("gpus"))):
            return found
    return None


def shares(launch: RecordedLaunch, found: ProbedGpus) -> LimitShares:
    """Of a launch for which `used` holds."""
    limits = found.at(_active(launch))
    flops = flops_of_ranks(launch)
    moved = {block.rank: own.x_bytes + own.y_bytes for block, own in zip(launch.blocks, blocks_in(launch), strict=True)}
    kernels = list(_kernels(launch))
    return LimitShares(
        link=_link_s(launch, limits) / launch.median_s("forward_s"),
        copy=statistics.median(limits.copy_s(moved[rank]) / seconds for rank, seconds in kernels),
        flops=statistics.median(flops[rank] / limits.flops_per_s / seconds for rank, seconds in kernels),
    )


def rate(launch: RecordedLaunch, found: ProbedGpus | None) -> Iterator[str]:
    """What it reached of the multiply-adds and of the link that the probe measured."""
    if found is None:
        return
    reached = shares(launch, found)
    for share, what in ((reached.flops, "multiply-adds of its GPU"), (reached.link, "link to its GPU")):
        told = f"it reaches {number(share, 3)} times what the probe measured of the {what}"
        yield told if share > RATE_LIMIT else ""


def limit(launch: RecordedLaunch, _: ProbedGpus | None) -> Iterator[str]:
    """Each rank's kernel against what its arithmetic takes on any GPU at the least."""
    flops = flops_of_ranks(launch)
    for rank, seconds in _kernels(launch):
        least_s = least_gpu_seconds(flops[rank])
        told = f"the GPU of rank {rank} convolved for {number(seconds, 3)} s, but needs {number(least_s, 3)} s"
        yield told if seconds < least_s else ""


def outside_mpi(launch: RecordedLaunch, _: ProbedGpus | None) -> Iterator[str]:
    """Each rank's time outside MPI against that of its GPU, for which it waits."""
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            if rank.device_s is not None:
                seconds, busy_s = rank.app_s - rank.mpi_s, rank.device_s[TOTAL]
                told = f"rank {rank.rank} spent {number(seconds, 3)} s outside MPI, but its GPU {number(busy_s, 3)} s"
                yield told if seconds < busy_s * (1.0 - CLOCKS_APART) else ""


def _kernels(launch: RecordedLaunch) -> Iterator[tuple[int, float]]:
    """Rank and seconds of its GPU's kernel, of every repeat."""
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            if rank.device_s is not None and rank.device_s[KERNEL] > 0.0:
                yield rank.rank, rank.device_s[KERNEL]


def _link_s(launch: RecordedLaunch, limits: GpuLimits) -> float:
    """What x and y of all ranks of a GPU take on its link at the least, of the GPU with most."""
    moved: dict[str, tuple[int, int]] = {}
    for block, own in zip(launch.blocks, blocks_in(launch), strict=True):
        sent, received = moved.get(launch.gpus[block.rank], (0, 0))
        moved[launch.gpus[block.rank]] = sent + own.x_bytes, received + own.y_bytes
    return max(limits.at_once_s(*each) for each in moved.values())


def _active(launch: RecordedLaunch) -> int:
    """How many GPUs of a node were at work at once, of the node with most."""
    ranks = [[rank for rank, *_ in machine.placement if rank < len(launch.gpus)] for machine in launch.machines]
    return max((len({launch.gpus[rank] for rank in each}) for each in ranks if each), default=1)
