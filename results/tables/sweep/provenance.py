"""What ran where: the paper's Table 1, and one row per node."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from results.audit.paper import published
from results.formats import MIB, NONE, number
from results.records.experiment import RecordedExperiment
from results.records.measurement import Machine
from results.records.sweep import RecordedSweep
from results.table import Column, Table, build, plain
from workload.record.kinds import RecordedRun


def environment(sweep: RecordedSweep) -> Table:
    """Cluster, machines, software and study as items and values; with the paper's own for its study."""
    items = [(name, value) for name, value in [*_cluster(sweep), *_software(sweep), *_study(sweep)] if value]
    columns: list[Column[tuple[str, str]]] = [
        plain("Item", "item", lambda item: item[0]),
        plain("Value", "value", lambda item: item[1]),
    ]
    notes = []
    if any(published.beside(sweep, series) for series in sweep.series):
        theirs = published.document()["environment"]
        notes = [f"The paper's {theirs['table']}: {theirs['language']}; local machine: {theirs['local_machine']}."]
    return build("Environment", columns, items, name="environment", notes=notes)


def machines(sweep: RecordedSweep) -> Table:
    """Provenance of every node, one row per boot."""
    found: dict[tuple[str, str], Machine] = {}
    ids: dict[tuple[str, str], list[str]] = {}
    for launch in sweep.launches:
        for machine in launch.machines:
            found.setdefault((machine.node, machine.boot_id), machine)
            ids.setdefault((machine.node, machine.boot_id), []).append(launch.run_id)
    columns: list[Column[Machine]] = [
        plain("Node", "node", lambda machine: machine.node),
        _detail("Processor", "cpu_model"),
        _detail("Cores", "cores"),
        _detail("Threads", "threads"),
        _detail("Memory (MiB)", "memory_bytes", _mib),
        _detail("Memory limit (MiB)", "cgroup_memory_bytes", _mib),
        _detail("Kernel", "kernel"),
        _detail("Python", "python"),
        _detail("numpy", "numpy"),
        _detail("MPI", "mpi"),
        _detail("BLAS", "blas"),
        _detail("Network", "network", _network),
        _detail("Load, 1 min", "load_1m"),
        plain("Boot", "boot_id", lambda machine: machine.boot_id),
        Column("Runs", lambda machine: str(len(ids[_key(machine)])), lambda m: {"run_ids": " ".join(ids[_key(m)])}),
    ]
    notes = ["Load as the node's first run of this sweep found it."]
    return build("Machines", columns, found.values(), name="machines", notes=notes)


def bindings(sweep: RecordedSweep) -> str:
    """The binding policy of the sweep's runs."""
    return _all(launch.run.binding for launch in sweep.launches)


def _key(machine: Machine) -> tuple[str, str]:
    return (machine.node, machine.boot_id)


def _detail(header: str, key: str, show: Callable[[object], str] | None = None) -> Column[Machine]:
    def value(machine: Machine) -> object:
        return machine.details.get(key)

    def text(machine: Machine) -> str:
        found = value(machine)
        return NONE if found is None else show(found) if show else str(found)

    return Column(header, text, lambda machine: {key: value(machine)})


def _mib(value: object) -> str:
    return number(value / MIB, 6) if isinstance(value, int | float) else str(value)


def _network(value: object) -> str:
    """Each interface with its driver, MTU and queues; nothing where the record has none."""
    interfaces = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return "; ".join(
        "{} ({}), MTU {}, {} queues".format(*(item.get(key) for key in ("name", "driver", "mtu_bytes", "queues")))
        for item in interfaces
    )


def _cluster(sweep: RecordedSweep) -> list[tuple[str, str]]:
    inventory = sweep.inventory
    nodes = inventory.get("nodes") if isinstance(inventory.get("nodes"), list) else []
    kinds = _all(str(node.get("machine_type") or "") for node in nodes or [] if isinstance(node, dict))
    slots = _all(str(node.get("slots", "")) for node in nodes or [] if isinstance(node, dict))
    return [
        ("Cluster", str(inventory.get("cluster", ""))),
        ("Profile", sweep.profile),
        ("Nodes", str(len(nodes or [])) if nodes else ""),
        ("Slots a node", slots),
        ("Machine type", kinds),
        ("Transport", str(inventory.get("transport", ""))),
        ("Placement", str(inventory.get("placement") or "")),
        ("Bandwidth tier", str(inventory.get("bandwidth_tier") or "")),
        ("Processors asked for", str(inventory.get("cpu_platform") or "")),
    ]


def _software(sweep: RecordedSweep) -> list[tuple[str, str]]:
    details = {
        key: _all(str(machine.details.get(key) or "") for launch in sweep.launches for machine in launch.machines)
        for key in ("cpu_model", "python", "numpy", "mpi", "blas")
    }
    return [
        ("Processor", details["cpu_model"]),
        ("MPI", details["mpi"]),
        ("Python", details["python"]),
        ("numpy", details["numpy"]),
        ("BLAS", details["blas"]),
        ("Workload digest", _of_runs(sweep, lambda run: run.workload.digest)),
        ("Commit", _of_runs(sweep, _commit)),
    ]


def _study(sweep: RecordedSweep) -> list[tuple[str, str]]:
    return [
        ("Study", sweep.study_name),
        ("Binding", bindings(sweep)),
        ("Threads a rank", _of_runs(sweep, lambda run: str(run.threads))),
        ("Repeats a launch", _of_runs(sweep, lambda run: str(getattr(run, "repeats", "")))),
        ("Warm-ups a launch", _of_runs(sweep, lambda run: str(getattr(run, "warmups", "")))),
        *_settings(sweep),
        ("Evaluation metric", _metric(sweep.experiment)),
    ]


def _metric(experiment: RecordedExperiment) -> str:
    others = [experiment.clock_word(clock) for clock in experiment.clocks[1:]]
    headline = experiment.headline_phrase
    return f"{headline}; {' and '.join(others)} time beside it" if others else headline


def _settings(sweep: RecordedSweep) -> list[tuple[str, str]]:
    """Settings of the kind of experiment, with all values that the runs have."""
    found: dict[str, list[str]] = {}
    for launch in sweep.launches:
        for name, value in launch.experiment.settings(launch.run).items():
            found.setdefault(name, []).append(value)
    return [(name, _all(values)) for name, values in found.items()]


def _commit(run: RecordedRun) -> str:
    commit = (run.workload.git_commit or "")[:12]
    return f"{commit}, with changes not committed" if commit and run.workload.git_dirty else commit


def _of_runs(sweep: RecordedSweep, value: Callable[[RecordedRun], str]) -> str:
    return _all(value(launch.run) for launch in sweep.launches)


def _all(values: Iterable[str]) -> str:
    return ", ".join(value for value in dict.fromkeys(values) if value)
