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
# What a node of a Slurm job is, another of which the next job has; memory is in whole GiB
KIND_KEYS = ("cpu_model", "cores", "threads", "memory_bytes", "python", "numpy", "mpi", "blas")


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
                if _of_slurm(sweep):
                    words = _of_no_kind(machine.node, found, facts)
                else:
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
                        words = _of_two_kinds(one, point) if _of_slurm(sweep) else _apart(one, point)
                        yield Case(place(point.launches[0]), (*one.run_ids, *point.run_ids), words)


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


def _of_slurm(sweep: RecordedSweep) -> bool:
    """Whether its nodes are those of Slurm jobs, of which any of a kind is as good as another."""
    return bool(sweep.inventory.get("slurm"))


def _of_no_kind(node: str, found: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Why the node is unlike every one that the sweep was planned for."""
    planned: dict[str, dict[str, Any]] = {}
    for name, value in facts.items():
        of, _, key = name.rpartition(".")
        planned.setdefault(of, {})[key] = value
    size = found.get("memory_bytes")
    rounded = {**found, "memory_bytes": round(size / 2**30) * 2**30} if isinstance(size, int) else found
    keys = [key for key in KIND_KEYS if key in rounded]
    if any(all(rounded[key] == known.get(key) for key in keys) for known in planned.values()):
        return ""
    return f"it ran on {node}, which is of no kind that the sweep was planned for"


def _of_two_kinds(one: RecordedPoint, point: RecordedPoint) -> str:
    """What tells the processors of the two apart, whichever nodes they were."""
    first, second = (
        {tuple(details.get(key) for key in KIND_KEYS[:3]) for details in _machines(item.counting).values()}
        for item in (one, point)
    )
    if first == second:
        return ""
    models = [", ".join(sorted(str(model) for model, *_ in kinds)) for kinds in (first, second)]
    return f"its one-rank run took place on {models[0]}, this one on {models[1]}"


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
