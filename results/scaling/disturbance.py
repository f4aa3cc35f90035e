"""Finds signs that other work disturbed a sweep's machines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from results.records.launch import RecordedLaunch
from results.records.sweep import RecordedSweep
from results.scaling.noise import drift

STEAL_SHARE = 0.01  # of a run's processor time, taken by other virtual machines
CANARY = "canary"
CANARY_SHARE = 0.1  # by which a node's canary may be slower than its fastest
SLOW_SHARE = 0.1  # by which a core may be slower than the fastest in similar runs
LOAD_BEYOND = 1.0  # active processes more than any run of the sweep has


def warnings(sweep: RecordedSweep) -> list[str]:
    """One line for each sign of a disturbance."""
    lines = []
    found = drift(sweep.points)
    if found is not None and found.told:
        lines.append(
            f"Drift: the same runs took {_longer(math.expm1(found.change))} at the end of the sweep than at its "
            f"beginning (by chance alone: p = {found.probability:.2g})."
        )
    most = _most_processes(sweep)
    busy = [launch.run_id for launch in sweep.launches if _loaded(launch, most)]
    if busy:
        lines.append(
            f"Load: before or during {len(busy)} of {len(sweep.launches)} runs a node had more processes at work than "
            f"any run of the sweep has (first: run {busy[0]}): other work disturbs the times."
        )
    stolen = [launch.run_id for launch in sweep.launches if _steal_share(launch) > STEAL_SHARE]
    if stolen:
        lines.append(
            f"Steal: in {len(stolen)} of {len(sweep.launches)} runs other virtual machines took more than "
            f"{STEAL_SHARE:.0%} of the processors' time (first: run {stolen[0]})."
        )
    return [*lines, *_slow_cores(sweep), *_canaries(sweep)]


def _longer(change: float) -> str:
    return f"{abs(change):.1%} {'longer' if change > 0.0 else 'less time'}"


def _slow_cores(sweep: RecordedSweep) -> Iterator[str]:
    """Runs in which a core was slower in the yardstick than cores in similar runs.

    Fewer ranks may run at a higher clock frequency, or without sharing cores, so runs of as many ranks are compared.
    """
    alike: dict[tuple[object, ...], list[tuple[str, Sequence[float]]]] = {}
    for launch in sweep.launches:
        if speeds := launch.core_speeds:
            key = (launch.experiment.yardstick(launch.run), launch.run.ranks, launch.run.ranks_per_node)
            alike.setdefault(key, []).append((launch.run_id, speeds))
    slow, least = [], 1.0
    for launches in alike.values():
        fastest = max(max(speeds) for _, speeds in launches)
        shares = [(run_id, min(speeds) / fastest) for run_id, speeds in launches]
        slow += [run_id for run_id, share in shares if share < 1.0 - SLOW_SHARE]
        least = min([least, *(share for _, share in shares)])
    if slow:
        yield (
            f"Cores: in {len(slow)} of {sum(map(len, alike.values()))} runs a core did the same small piece of work "
            f"more slowly than in runs alike, at {least:.0%} of the fastest one's speed at the least (first: run "
            f"{slow[0]}): its clock, or another virtual machine on it. Steal time need not show that; the times of "
            "those runs hold it."
        )


def _canaries(sweep: RecordedSweep) -> list[str]:
    """Nodes whose canary, a fixed kernel, changed its rate between blocks of runs, and canaries that failed."""
    rates: dict[str, list[float]] = {}
    lines = []
    for event in sweep.events:
        if event.get("event") != CANARY:
            continue
        if "failed" in event:
            lines.append(f"Canary: no answer {event.get('when')}: {event['failed']}.")
        found = event.get("multiply_adds_per_s")
        for node, rate in found.items() if isinstance(found, Mapping) else ():
            if isinstance(rate, (int, float)) and 0.0 < rate < math.inf:
                rates.setdefault(str(node), []).append(float(rate))
    for node, values in rates.items():
        change = min(values) / max(values) - 1.0
        if -change > CANARY_SHARE:
            lines.append(
                f"Canary: a fixed kernel on {node} ran at {min(values) / 1e9:.3g} to {max(values) / 1e9:.3g} G "
                f"multiply-adds/s round the {len(values)} blocks of runs ({100 * change:.0f} %): its speed changed."
            )
    return lines


def _most_processes(sweep: RecordedSweep) -> int:
    counts = [len(machine.placement) * launch.run.threads for launch in sweep.launches for machine in launch.machines]
    return max(counts, default=0)


def _loaded(launch: RecordedLaunch, most: int) -> bool:
    loads = [machine.details.get("load_1m") for machine in launch.machines]
    return any(isinstance(load, (int, float)) and load > most + LOAD_BEYOND for load in loads)


def _steal_share(launch: RecordedLaunch) -> float:
    """The largest share of a node's processor time that went to other virtual machines during the run."""
    wall_s = launch.wall_s or 0.0
    shares = [0.0]
    for machine in launch.machines:
        steal_s, threads = machine.details.get("steal_s"), machine.details.get("threads")
        if isinstance(steal_s, (int, float)) and isinstance(threads, int) and threads > 0 and wall_s > 0.0:
            shares.append(steal_s / (wall_s * threads))
    return max(shares)
