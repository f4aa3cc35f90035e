"""Gates on where a sweep ran: on the machines and by the code that its ledger names, baselines too. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from results.audit.gates import Case, place
from results.records.launch import RecordedLaunch
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep

BOOT = "boot_id"
# What a node is: it does not change within a sweep
KEYS = (
    "cpu_model", "cores", "threads", "memory_bytes", "cgroup_memory_bytes", "kernel", "python", "numpy", "mpi", "blas",
)  # fmt: skip


def elsewhere(sweep: RecordedSweep) -> Iterator[Case]:
    """Each record's machines and code against those that the sweep was planned for."""
    planned = next((event for event in sweep.events if event.get("event") == "planned"), {})
    facts = planned.get("facts")
    for launch in sweep.launches:
        if not launch.machines:
            continue
        code = planned.get("workload")
        other = isinstance(code, str) and launch.run.workload.digest != code
        if isinstance(code, str):
            words = "it ran another version of the workload than the sweep"
            yield Case(place(launch), (launch.run_id,), words if other else "")
        if isinstance(facts, Mapping):
            own = launch.experiment.own_software
            for machine in launch.machines:
                found = {key: value for key, value in machine.details.items() if key not in own}
                words = _unlike(machine.node, {**found, BOOT: machine.boot_id}, facts, _rebooted(sweep))
                yield Case(place(launch), (launch.run_id,), words)


def baselines(sweep: RecordedSweep) -> Iterator[Case]:
    """Each point on several ranks against the one-rank points of its series and problem: the same machines."""
    for series in sweep.series:
        ones = [point for point in series.points if point.run.ranks == 1 and point.counting]
        for point in series.points:
            if point.run.ranks > 1 and point.counting:
                for one in ones:
                    same = one.experiment.family(one.run) == point.experiment.family(point.run)
                    if same:
                        yield Case(place(point.launches[0]), (*one.run_ids, *point.run_ids), _apart(one, point))


def _unlike(node: str, found: Mapping[str, Any], facts: Mapping[str, Any], rebooted: bool) -> str:
    known = {key: facts[f"{node}.{key}"] for key in (*KEYS, BOOT) if f"{node}.{key}" in facts}
    if not known:
        return f"it ran on {node}, which is no node of the sweep"
    for key, value in known.items():
        if key == BOOT and rebooted:
            continue
        if key in found and found[key] != value:
            return f"{key} of {node} was {found[key]!r}, that of the sweep is {value!r}"
    return ""


def _rebooted(sweep: RecordedSweep) -> bool:
    """Whether a node may have been started again: the sweep was resumed, or lost a node."""
    return any(event.get("event") == "resumed" or event.get("outcome") == "node_lost" for event in sweep.events)


def _apart(one: RecordedPoint, point: RecordedPoint) -> str:
    """What tells the machines of the two apart; a node of one name is one machine."""
    first, second = _machines(one.counting), _machines(point.counting)
    if not first or not second:
        return ""
    shared = first.keys() & second.keys()
    if not shared:
        return f"its one-rank run took place on {_names(first)}, this one on {_names(second)}"
    for node in sorted(shared):
        for key in KEYS:
            here, there = first[node].get(key), second[node].get(key)
            if here != there and None not in (here, there):
                return f"{key} of {node} was {here!r} in its one-rank run, and {there!r} in this one"
    return ""


def _machines(launches: tuple[RecordedLaunch, ...]) -> dict[str, Mapping[str, Any]]:
    return {machine.node: machine.details for launch in launches for machine in launch.machines if machine.placement}


def _names(machines: Mapping[str, object]) -> str:
    return ", ".join(sorted(machines))
