"""Gates that know the convolution: do the blocks cover the output, and are memory and time enough for them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from results.audit import gates
from results.audit.gates import least_seconds
from results.formats import number
from results.records.convolution import footprint_of, holds_shared_pages
from results.records.launch import RecordedLaunch
from results.records.marks import MEMORY_BOUND
from results.records.measurement import Machine, RankBlock
from results.records.point import RecordedPoint
from workload.domain.grid import Block, Span, block_of, covers_exactly, whole
from workload.domain.problem import Problem

ARRAYS_SHARE = 0.9  # part of the predicted arrays that the resident peak must reach; the kernel counts pages late


def of_launch(launch: RecordedLaunch) -> Iterator[tuple[str, str]]:
    """A gate and a sentence for each thing that cannot be true of a launch with outcome ok."""
    if not _covers(launch):
        done = sum(block.output_elements for block in launch.blocks)
        elements = launch.run.problem.y_elements
        yield gates.COVERAGE, f"the ranks' parts hold {done} of {elements} output elements, or some of them twice"
    if words := _memory(launch):
        yield gates.MEMORY, words
    yield from _arithmetic(launch)


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


def _covers(launch: RecordedLaunch) -> bool:
    """Whether the blocks cover every output element exactly once."""
    problem = launch.run.problem
    if sum(block.output_elements for block in launch.blocks) != problem.y_elements:
        return False
    blocks = [_block(problem, block) for block in launch.blocks if block.output_elements > 0]
    return covers_exactly(problem, blocks)


def _block(problem: Problem, block: RankBlock) -> Block:
    return replace(whole(problem), **{axis: Span(*span) for axis, span in block.spans.items()})


def _memory(launch: RecordedLaunch) -> str:
    """A sentence if a rank held less than its arrays; empty also if ranks share pages, whose owner is unknown."""
    if holds_shared_pages(launch.run) or MEMORY_BOUND in launch.marks:
        return ""
    arrays = footprint_of(launch.run).array_bytes
    for memory in launch.memory:
        peak = memory.peak_rss_bytes
        if peak is not None and peak < ARRAYS_SHARE * arrays[memory.rank]:
            return (
                f"rank {memory.rank} peaked at {number(peak / 2**20)} MiB, but its input and output take "
                f"{number(arrays[memory.rank] / 2**20)} MiB"
            )
    return ""


def _arithmetic(launch: RecordedLaunch) -> Iterator[tuple[str, str]]:
    blocks = {block.rank: block for block in launch.blocks}
    threads = launch.run.threads
    told: set[str] = set()
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            least_s = least_seconds(_flops(launch.run.problem, blocks[rank.rank]), threads)
            outside_s, convolve_s = rank.app_s - rank.mpi_s, rank.parts_s["convolve"]
            for gate, seconds, name in (
                (gates.OUTSIDE_MPI, outside_s, "outside MPI"),
                (gates.LIMIT, convolve_s, "in convolve"),
            ):
                if seconds < least_s and gate not in told:
                    told.add(gate)
                    yield (
                        gate,
                        f"rank {rank.rank} spent {number(seconds, 3)} s {name}, but needs {number(least_s, 3)} s",
                    )


def _flops(problem: Problem, block: RankBlock) -> float:
    own = _block(problem, block)
    return 2.0 * own.y_elements * len(own.in_channel) * len(own.tap_row) * len(own.tap_column)
