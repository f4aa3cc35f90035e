"""Whether, and how far, a cache explains why the convolution of several ranks was faster than their number. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from results.records.convolution import on_gpu
from results.records.measurement import Machine
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from workload.domain.grid import block_of

WRITTEN_LINES = 1.5  # three bytes moved where a long copy has two: it writes past the caches, and reads no line first


def fits_a_cache(point: RecordedPoint, baseline: RecordedPoint) -> bool:
    """Whether a cache of every node holds its ranks' parts of x and y, but not the whole x and y of one rank.

    False on GPUs, which compute from no cache of a core.
    """
    if on_gpu(point.convolution):
        return False
    blocks = [block_of(point.convolution.problem, point.convolution.grid, rank) for rank in range(point.run.ranks)]
    part = max(block.x_bytes + block.y_bytes for block in blocks)
    one_rank = baseline.convolution.problem.x_bytes + baseline.convolution.problem.y_bytes
    machines = [machine for launch in point.timed for machine in launch.machines]

    def holds(cache: object, ranks: int) -> bool:
        if not isinstance(cache, dict):
            return False
        size, threads = cache.get("bytes"), cache.get("threads")
        if not isinstance(size, int) or not isinstance(threads, int) or threads < 1:
            return False
        return bool(part * min(ranks, threads) <= size < one_rank)

    def explains(machine: Machine) -> bool:
        caches = machine.details.get("caches")
        return isinstance(caches, list) and any(holds(cache, len(machine.placement)) for cache in caches)

    return bool(machines) and all(map(explains, machines))


def most_gain(sweep: RecordedSweep, ranks_per_node: int) -> float:
    """How many times faster a rank may be from its cache than alone from memory; infinite where no probe says.

    The probe's copies bound it: from memory a convolution moves what a copy does, and the lines that it writes to
    besides; it computes, too, which a cache makes no faster. Of the ranks at work, up to so many, the fastest count.
    """
    found = [WRITTEN_LINES * gain for event in sweep.events for gain in _gains(event, ranks_per_node)]
    return max(found, default=math.inf)


def _gains(event: Mapping[str, object], ranks_per_node: int) -> Iterator[float]:
    """Of a ledger's event, by what its forecast says of the probe; none where that is damaged."""
    probe = event.get("probe")
    rates = probe.get("copy_bytes_per_s") if isinstance(probe, Mapping) else None
    if not isinstance(rates, Mapping) or not _positive(rates.get("memory")):
        return
    cached = rates.get("cache")
    for each in cached if isinstance(cached, list) else ():
        if isinstance(each, list) and len(each) == 2 and all(map(_positive, each)) and each[0] <= ranks_per_node:
            yield max(1.0, float(each[1]) / float(each[0]) / float(rates["memory"]))


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < math.inf
