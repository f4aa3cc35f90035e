"""Carries out one run on all ranks and gathers its measurement at the root."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from mpi4py import MPI

from workload import convolve
from workload.data import checksum
from workload.data.checksum import CheckResult
from workload.data.expectation import Expectation
from workload.data.images import Source, make_weights, open_pool
from workload.data.output import Output
from workload.data.shared_check import SharedCheck
from workload.domain import backends
from workload.domain.grid import Block, block_of, covers_exactly, output_elements
from workload.gpu.state import GpuWatch, library
from workload.instruments import machine, memory, single_copy
from workload.instruments.clock import CallStatistics, Clocks
from workload.instruments.yardstick import Yardstick
from workload.movement import descriptions as movements
from workload.movement.factory import make
from workload.movement.movement import CountsOutput, Movement, Task, UsesDevice
from workload.record.run import Run
from workload.record.schema import SCHEMA_VERSION
from workload.repeats import Readings, Repeater
from workload.stores import Stores, worth_trying

ROOT = 0
FoundStores = Mapping[str, Any]


@dataclass(frozen=True)
class NodeBegun:
    """What a node was like before the run, to hold against its end; `watch` is for the GPUs of a run on them."""

    steal_s: float
    package_managers: list[str]
    watch: GpuWatch | None


def measure(
    comm: MPI.Intracomm,
    run: Run,
    pool_file: Path,
    clocks: Clocks,
    output: Output | None,
    stores: FoundStores | None = None,
) -> dict[str, Any] | None:
    """The measurement (docs/formats.md) at the root, None on the other ranks.

    `stores` are what another launch found, a measurement's `stores`; without it the ranks find out which are faster.

    Raises ValueError if the run does not fit the ranks, the pool, the backend or the movement.
    """
    wtime_begun_s, now_begun_s = clocks.wtime(), clocks.now()
    on_gpu = backends.describe(run.backend).on_gpu
    begun = NodeBegun(machine.steal_s(), machine.package_managers(), _take_gpu(comm) if on_gpu else None)
    repeater = _set_up(comm, run, pool_file, clocks, output, stores)
    baseline_bytes = _baseline_bytes()
    repeater.mover.prepare()
    warmups, repeats = repeater.all()
    own = _own_entries(comm.rank, run, repeater, baseline_bytes)
    repeater.mover.close()  # collective: not in a `finally`, for after an error on one rank the others would hang here
    if output is not None:
        output.end()
    own["elapsed"] = (clocks.wtime() - wtime_begun_s, clocks.now() - now_begun_s)
    machines = _machines(comm, begun, own["device"])
    gathered = comm.gather(own, root=ROOT)
    if gathered is None:
        return None
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "run": run.as_dict(),
        "stores": repeater.stores.document(),
        "warmup_repeats": warmups,
        "repeats": repeats,
        "check": _check_entry(repeater.readings.results),
        "machines": machines,
        **_of_all_ranks(gathered),
        **({"devices": [each["device"] for each in gathered]} if on_gpu else {}),
    }


def _set_up(
    comm: MPI.Intracomm, run: Run, pool_file: Path, clocks: Clocks, output: Output | None, stores: FoundStores | None
) -> Repeater:
    """Everything that the repeats need except the movement's buffers: code, pool, weights, check, output file."""
    if comm.size != run.ranks:
        raise ValueError(f"the run asks for {run.ranks} ranks, but mpirun started {comm.size}")
    block = block_of(run.problem, run.grid, comm.rank)
    backend = convolve.load(run.backend)
    yardstick = None if backends.describe(run.backend).on_gpu else Yardstick(backend, clocks.cpu_now)
    chosen = _stores(comm, run, block, clocks, stores)
    source = Source(open_pool(pool_file, run.problem))
    weights = make_weights(run.weights, run.problem, run.seed)
    task = Task(comm, run.problem, run.grid, chosen, chosen.loading(source), output, weights, run.options)
    mover = make(run.movement, task)
    announced = comm.allgather(mover.finished_blocks())
    _refuse_gaps(run, announced)
    if output is not None:
        output.begin(comm, run.problem)
    expectation = Expectation(run.problem, weights, source, run.seed)
    check = SharedCheck(comm, expectation, announced, _readers(comm, run))
    return Repeater(comm, run, clocks, mover, check, yardstick, chosen)


def _take_gpu(comm: MPI.Intracomm) -> GpuWatch:
    """Each rank the GPU of its place among the ranks of its node, whose first rank looks at all of them before."""
    from workload.convolve import cuda  # other runs start without it

    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    cuda.use_gpu_of(node.rank)
    watch = GpuWatch(library() if node.rank == 0 else None)
    node.Barrier()
    node.Free()
    return watch


def _readers(comm: MPI.Intracomm, run: Run) -> list[list[int]]:
    """For each rank those that can check its y: all of its node, if they may read its memory and y is ever whole."""
    if movements.describe(run.movement).streams(run.options):
        return [[rank] for rank in range(comm.size)]
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    able = node.bcast(single_copy.works() if node.rank == 0 < node.size - 1 else None)
    ranks = comm.allgather(node.allgather(comm.rank) if able else [comm.rank])
    node.Free()
    return ranks


def _stores(comm: MPI.Intracomm, run: Run, block: Block, clocks: Clocks, found: FoundStores | None) -> Stores:
    """The convolution, compiled, by the stores that were found, or by those of the backend to choose from."""
    first, *others = backends.describe(run.backend).stores
    kinds = [first if found is None else found["taken"]]
    if others and found is None:
        worth = worth_trying(machine.caches(), run.ranks_per_node, block.y_bytes)
        kinds += others if comm.allreduce(worth, op=MPI.LOR) else []
    loaded = {kind: convolve.load(run.backend, stores=kind) for kind in kinds}
    for each in loaded.values():
        each.compile(block.x_shape, block.w_shape)
    convolves = {kind: each.convolve for kind, each in loaded.items()}
    return Stores(comm, clocks.now, convolves, {} if found is None else found["convolve_s"])


def _refuse_gaps(run: Run, announced: list[list[Block]]) -> None:
    """Raises RuntimeError if what the ranks announce does not cover y: what is not announced is not checked."""
    if not covers_exactly(run.problem, [block for blocks in announced for block in blocks]):
        raise RuntimeError(f"movement {run.movement} announces blocks that do not cover the output exactly once")


def _baseline_bytes() -> int:
    """Resident bytes before the run's arrays, without the scratch memory that the check has used."""
    gc.collect()
    memory.give_back_freed()
    return memory.rss_bytes()


def _clock_agreement(elapsed: list[tuple[float, float]]) -> dict[str, float]:
    """Seconds of the run by MPI's clock and by the monotonic one, on the rank where the two differ most."""
    wtime_s, monotonic_s = max(elapsed, key=lambda pair: abs(pair[0] / pair[1] - 1))
    return {"wtime_s": wtime_s, "monotonic_s": monotonic_s}


def _memory_entry(readings: Readings) -> dict[str, Any]:
    pss_bytes, swap_bytes = memory.pss_and_swap_bytes()
    return {
        "peak_rss_bytes": readings.peak_bytes,
        "pss_bytes": pss_bytes,
        "rss_after_phase_bytes": readings.rss_after_phase_bytes,
        "major_faults": readings.major_faults,
        "swap_bytes": swap_bytes,
    }


def _own_entries(rank: int, run: Run, repeater: Repeater, baseline_bytes: int) -> dict[str, Any]:
    """What the record says of this rank."""
    return {
        "memory": {"rank": rank, "baseline_rss_bytes": baseline_bytes, **_memory_entry(repeater.readings)},
        "block": _block_entry(rank, run, repeater.mover),
        "mpi_calls": _call_entries(rank, repeater.readings.calls),
        "device": _device_entry(rank, repeater.mover),
    }


def _of_all_ranks(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What the record says of the ranks, in their order."""
    return {
        "memory": [each["memory"] for each in entries],
        "blocks": [each["block"] for each in entries],
        "mpi_calls": [call for each in entries for call in each["mpi_calls"]],
        "clock_agreement": _clock_agreement([each["elapsed"] for each in entries]),
    }


def _block_entry(rank: int, run: Run, mover: Movement) -> dict[str, Any]:
    computed = mover.output_elements() if isinstance(mover, CountsOutput) else None
    elements = output_elements(run.problem, run.grid, rank) if computed is None else computed
    return {"rank": rank, **block_of(run.problem, run.grid, rank).as_dict(), "output_elements": elements}


def _device_entry(rank: int, mover: Movement) -> dict[str, Any] | None:
    return {"rank": rank, **mover.device_facts()} if isinstance(mover, UsesDevice) else None


def _call_entries(rank: int, calls: dict[str, CallStatistics]) -> list[dict[str, Any]]:
    return [
        {"rank": rank, "call": name, "count": call.count, "bytes": call.bytes, "time_s": call.time_s}
        for name, call in sorted(calls.items())
    ]


def _check_entry(results: list[CheckResult]) -> dict[str, Any]:
    result = checksum.worst(results)
    return {
        "repeats_checked": len(results),
        "rows_checked": result.rows,
        "worst_error_over_tolerance": result.worst_error_over_tolerance,
        "detectable_abs_error": result.detectable_abs_error,
        "spots": result.spots,
        "spot_max_abs_error": result.spot_max_abs_error,
        "passed": all(each.passed for each in results),
    }


def _machines(comm: MPI.Intracomm, begun: NodeBegun, device: dict[str, Any] | None) -> list[dict[str, Any]] | None:
    """One entry for each node, in the order of their first ranks, at the root; `device` is this rank's GPU."""
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    cpu = psutil.Process().cpu_num()
    placement = node.gather({"rank": comm.rank, "core": machine.core_of(cpu), "hwthread": cpu}, root=0)
    used = node.gather(None if device is None else device["uuid"], root=0)
    node.Free()
    entry = None
    if placement is not None:
        entry = machine.describe(MPI.Get_library_version().split(",")[0].strip("\x00 \n"))
        entry["steal_s"] = max(0.0, entry["steal_s"] - begun.steal_s)
        entry["package_managers"] = sorted({*begun.package_managers, *entry["package_managers"]})
        entry["rank_placement"] = placement
        entry["single_copy"] = single_copy.works() if len(placement) > 1 else None
        if begun.watch is not None:
            entry["gpus"] = begun.watch.entries(Counter(used))
    entries = comm.gather(entry, root=ROOT)
    return None if entries is None else [each for each in entries if each is not None]
