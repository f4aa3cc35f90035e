"""Whether a processor's cache explains why the convolution of several ranks was faster than their number. Pure."""

from __future__ import annotations

from results.records.measurement import Machine
from results.records.point import RecordedPoint
from workload.domain.grid import block_of


def fits_a_cache(point: RecordedPoint, baseline: RecordedPoint) -> bool:
    """Whether a cache of every node holds its ranks' parts of x and y, but not the whole x and y of one rank."""
    blocks = [block_of(point.run.problem, point.run.grid, rank) for rank in range(point.run.ranks)]
    part = max(block.x_bytes + block.y_bytes for block in blocks)
    one_rank = baseline.run.problem.x_bytes + baseline.run.problem.y_bytes
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
