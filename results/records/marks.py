"""Marks on launches: what readers must know before they trust or compare the times."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from results.records.measurement import Machine, RankRepeat, Repeat
from workload.record.kinds import RecordedRun

SUSPECT = "suspect"
MEMORY_BOUND = "memory-bound"
OVERSUBSCRIBED = "oversubscribed"
SMT = "SMT"
MIXED = "mixed processors"
PACKAGES = "package manager"
STREAMED = "streamed"
CLOCKS_DISAGREE = "clocks disagree"
BESIDE = "beside another sweep"
SHARED_NODES = "shared nodes"
CORES_DIFFER = "cores differ"
SHARED_GPU = "shared GPU"
GPU_BESIDE = "GPU used beside"
HELD_BACK = "GPU held back"
MARKS = {
    SUSPECT: "more CPU time than its threads could use in the wall time: it enters no speedup",
    MEMORY_BOUND: "waited for pages from disk in a timed repeat",
    OVERSUBSCRIBED: "more ranks on a node than it has slots",
    SMT: "two ranks share a core",
    MIXED: "its ranks ran on several models of processor: a speedup or a law holds their difference too",
    PACKAGES: "a package manager ran on one of its nodes, and may have taken its time",
    STREAMED: "no moment when all input or all output is in place: its forward time is its total time",
    CLOCKS_DISAGREE: "MPI's clock and the system's monotonic clock differ by more than 1 %",
    BESIDE: "another sweep was at work on the machine meanwhile (--concurrent): both took each other's time",
    SHARED_NODES: "Slurm did not grant its nodes whole (--shared): other jobs there may have taken time of its ranks",
    SHARED_GPU: "several of its ranks used one GPU, and took each other's time",
    GPU_BESIDE: "another process computed on one of its GPUs before the run or at its end, and may have taken its time",
    HELD_BACK: "power or heat held one of its GPUs back for more than 1 % of the run",
    CORES_DIFFER: "its launches ran on cores of different speed: the range of its times stands in place of an interval",
}
CPU_EXCESS = 1.1
# Two readings of CPU time may each be off by one tick of the kernel's accounting, 10 ms where it counts by
# ticks (USER_HZ = 100). A repeat of a few milliseconds would otherwise be marked by rounding alone.
CPU_FLOOR_S = 0.02
CLOCK_TOLERANCE = 0.01
HELD_BACK_SHARE = 0.01


def marks_of(
    run: RecordedRun,
    repeats: Collection[Repeat],
    machines: Collection[Machine],
    clocks_s: tuple[float, float] | None,
    slots: Mapping[str, int],
    gpus: Collection[str] = (),
) -> list[str]:
    """Keys of MARKS, without BESIDE, which the ledger tells, SHARED_NODES, which the record's Slurm job does, and
    CORES_DIFFER, which only several launches show.

    `slots`: of each node by every name it has; `clocks_s`: by MPI's and the system's; `gpus`: of each rank
    that used one.
    """
    found = {
        SUSPECT: any(_too_much_cpu(rank, run.threads) for repeat in repeats for rank in repeat.ranks),
        MEMORY_BOUND: any(repeat.memory_bound for repeat in repeats),
        STREAMED: any(repeat.streamed for repeat in repeats),
        OVERSUBSCRIBED: _oversubscribed(run, machines, slots),
        SMT: any(_shares_a_core(machine) for machine in machines),
        MIXED: len({machine.details.get("cpu_model") for machine in machines if machine.placement}) > 1,
        PACKAGES: any(machine.details.get("package_managers") for machine in machines),
        SHARED_GPU: len(set(gpus)) < len(gpus),
        GPU_BESIDE: any(each.get("other_processes") for each in _used(machines, gpus)),
        HELD_BACK: clocks_s is not None and any(_held_back(each, clocks_s[1]) for each in _used(machines, gpus)),
        CLOCKS_DISAGREE: _clocks_disagree(clocks_s),
    }
    return [mark for mark, applies in found.items() if applies]


def _used(machines: Collection[Machine], gpus: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """What the nodes' records say of the GPUs that ranks used."""
    for machine in machines:
        yield from (each for each in machine.details.get("gpus", ()) if each.get("uuid") in gpus)


def _held_back(gpu: Mapping[str, Any], run_s: float) -> bool:
    return any(
        (gpu.get(key) or 0.0) > HELD_BACK_SHARE * run_s for key in ("held_back_by_power_s", "held_back_by_heat_s")
    )


def _too_much_cpu(rank: RankRepeat, threads: int) -> bool:
    possible_s = threads * rank.app_s
    return rank.cpu_s > max(CPU_EXCESS * possible_s, possible_s + CPU_FLOOR_S)


def _oversubscribed(run: RecordedRun, machines: Collection[Machine], slots: Mapping[str, int]) -> bool:
    if not slots:
        return False
    smallest = min(slots.values())  # for nodes of another name, and for runs that placed no rank
    placed = [len(machine.placement) > slots.get(machine.node, smallest) for machine in machines if machine.placement]
    return any(placed) if placed else run.ranks_per_node > smallest


def _shares_a_core(machine: Machine) -> bool:
    """Whether there are more ranks than cores with several threads each. Core numbers repeat, so ranks are counted."""
    usable = machine.details.get("usable")  # of records since CPU limits count
    details = usable if isinstance(usable, Mapping) else machine.details
    cores, threads = details.get("cores"), details.get("threads")
    return isinstance(cores, int) and isinstance(threads, int) and threads > cores and len(machine.placement) > cores


def _clocks_disagree(clocks_s: tuple[float, float] | None) -> bool:
    if clocks_s is None:
        return False
    wtime_s, monotonic_s = clocks_s
    return abs(wtime_s - monotonic_s) > CLOCK_TOLERANCE * monotonic_s
