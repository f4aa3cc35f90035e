"""Resuming a sweep: what is left to do, in which folder, and whether cluster and code are unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.clusters.lifetime import EXPIRED
from orchestration.errors import Refusal
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.planning.plan import PlannedRun
from orchestration.sweep.ledger import Ledger
from workload.record.digest import document_digest
from workload.record.kinds import read_record
from workload.record.outcomes import OK, SKIPPED
from workload.record.schema import SchemaError

MACHINE_KEYS = (
    "node",
    "boot_id",
    "cpu_model",
    "cores",
    "threads",
    "usable",
    "memory_bytes",
    "cgroup_memory_bytes",
    "single_copy",
    "kernel",
)
SOFTWARE_KEYS = ("python", "numpy", "mpi", "blas")
KIND_KEYS = ("cpu_model", "cores", "threads", *SOFTWARE_KEYS)  # of a node in place of which another does as well
BOOT = ".boot_id"
ANEW = "anew"  # event of the ledger
NODE_LOST = "node lost"  # begins the reason of a run that is skipped because a node fell silent before it


@dataclass(frozen=True)
class Flags:
    """`retry`: what is not ok as well; `force`: what was skipped as well."""

    retry: bool = False
    force: bool = False


@dataclass(frozen=True)
class Identity:
    """The identity of a sweep: its study, cluster and code, and the facts about its nodes."""

    study: str  # digest of the study as carried out
    cluster: str
    workload: str  # digest of workload/
    facts: Mapping[str, Any]  # what must not change within a sweep

    def event(self) -> dict[str, Any]:
        """The values of the ledger's `planned` event."""
        return {"study": self.study, "cluster": self.cluster, "workload": self.workload, "facts": dict(self.facts)}


def study_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 over a study as carried out."""
    return document_digest(document)


def facts(machines: Sequence[Mapping[str, Any]], slots: Sequence[int]) -> dict[str, Any]:
    """The facts that must not change within a sweep, as one flat mapping with the node in each key."""
    flat: dict[str, Any] = {}
    for machine, count in zip(machines, slots, strict=True):
        for key in (*MACHINE_KEYS, *SOFTWARE_KEYS):
            flat[f"{machine['node']}.{key}"] = machine.get(key)
        flat[f"{machine['node']}.slots"] = count
    return flat


def interchangeable(machines: Sequence[Mapping[str, Any]], partition: str) -> list[dict[str, Any]]:
    """Nodes of a partition of Slurm's without what tells those of one job from those of the next.

    What is left: processor, cores and memory in GiB, and which of them share a machine.
    """
    boots = list(dict.fromkeys(machine["boot_id"] for machine in machines))
    found = []
    for number, machine in enumerate(machines, start=1):
        kept = {key: machine.get(key) for key in KIND_KEYS}
        usable = machine.get("usable") or {}
        kept["usable"] = {key: usable.get(key) for key in ("cores", "threads")}
        kept["memory_bytes"] = round(machine["memory_bytes"] / 2**30) * 2**30
        boot = f"machine {boots.index(machine['boot_id']) + 1}"
        found.append({**kept, "node": f"{partition}-{number}", "boot_id": boot})
    return found


def like(machine: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """A node that is not here, by what `interchangeable` kept of it; the rest as `machine` has it."""
    kept = {key: known[key] for key in ("node", "boot_id", "memory_bytes", "slots", *KIND_KEYS) if key in known}
    return {**machine, **kept, "usable": {**(machine.get("usable") or {}), **known["usable"]}}


def machines(paths: SweepPaths) -> list[dict[str, Any]]:
    """The nodes as they were when the sweep was planned, each with its slots. Raises Refusal where it never was."""
    planned = Ledger(paths.ledger).last("planned")
    found: dict[str, dict[str, Any]] = {}
    for name, value in (planned or {}).get("facts", {}).items():
        node, _, key = name.rpartition(".")
        found.setdefault(node, {})[key] = value
    if not found:
        raise Refusal(f"{paths.folder} says nothing of the nodes that it was planned for: give another sweep")
    return list(found.values())


def records(paths: SweepPaths) -> dict[str, Mapping[str, Any]]:
    """Outcome, reason and Slurm job (None without one) of the folder's records by run id.

    Raises Refusal naming one that cannot be read.
    """
    found = {}
    for path in sorted(paths.records.glob("*.json")):
        try:
            state = path.stat()
            run_id, ending = _ending(path, (state.st_ino, state.st_size, state.st_mtime_ns))
        except (SchemaError, OSError) as error:
            raise Refusal(f"{paths.records}: {error}; remove that record and its run is done again") from error
        found[run_id] = ending
    return found


@cache
def _ending(path: Path, _written: tuple[int, int, int]) -> tuple[str, Mapping[str, Any]]:
    """Run id, and the rest: a file as it is is read once, however often a sweep looks at its records."""
    record = read_record(path)
    return record["run_id"], {"outcome": record["outcome"], "reason": record["reason"], "slurm": record.get("slurm")}


def pending(
    runs: Iterable[PlannedRun],
    done: Mapping[str, Mapping[str, Any]],
    flags: Flags,
    skip_reason: Callable[[PlannedRun], str | None],
) -> list[PlannedRun]:
    """The runs to carry out now: without a record, skipped for a reason that no longer holds, or asked for again."""
    return [item for item in runs if _wanted(item, done.get(item.run.run_id), flags, skip_reason)]


def _wanted(
    item: PlannedRun,
    record: Mapping[str, Any] | None,
    flags: Flags,
    skip_reason: Callable[[PlannedRun], str | None],
) -> bool:
    if record is None:
        return True
    if record["outcome"] == SKIPPED:
        return flags.force or skip_reason(item) is None
    return flags.retry and record["outcome"] != OK


def left_over(record: Mapping[str, Any] | None) -> bool:
    """Whether the run is still to be made, for the end of a job, or of a node in it, kept it from that."""
    if record is None:
        return True
    return record["outcome"] == SKIPPED and str(record["reason"]).startswith((EXPIRED, NODE_LOST))


def broken_off(
    runs: Iterable[PlannedRun],
    done: Mapping[str, Mapping[str, Any]],
    job: Mapping[str, Any],
) -> dict[int, list[PlannedRun]]:
    """By launch, its runs, where another Slurm job than this one made some of them and left others."""
    launches: dict[int, list[PlannedRun]] = defaultdict(list)
    for item in runs:
        launches[item.run.launch].append(item)
    found = {}
    for launch, block in launches.items():
        known = [done.get(item.run.run_id) for item in block]
        made = [record["slurm"] for record in known if record is not None and record["outcome"] != SKIPPED]
        elsewhere = any(its is not None and its != job for its in made)
        if elsewhere and any(map(left_over, known)):
            found[launch] = block
    return found


def set_aside(events: Iterable[Mapping[str, Any]]) -> set[str]:
    """Ids of the runs that the ledger has begun anew, and that have not ended since: a record of theirs is older."""
    found: set[str] = set()
    for event in events:
        if event["event"] == ANEW:
            found.update(event["runs"])
        elif event["event"] == "ended":
            found.discard(event["run_id"])
    return found


def find(
    runs: RunsFolder,
    identity: Identity,
    unfinished: Callable[[SweepPaths], bool],
    extendable: Callable[[SweepPaths], bool],
) -> SweepPaths | None:
    """The newest unfinished sweep of the same study, cluster and code, or the newest of all if it can be extended.

    Raises Refusal where its machine changed.
    """
    newest = True
    for paths in runs.sweeps():
        planned = Ledger(paths.ledger).last("planned")
        same = planned is not None and all(
            planned.get(key) == getattr(identity, key) for key in ("study", "cluster", "workload")
        )
        if same and (unfinished(paths) or (newest and extendable(paths))):
            check_unchanged(paths, identity)
            return paths
        newest = newest and not same
    return None


def check_unchanged(paths: SweepPaths, identity: Identity) -> None:
    """Raises Refusal where the folder is of another study or cluster, or code, MPI or machine changed since."""
    planned = Ledger(paths.ledger).last("planned")
    if planned is None:
        raise Refusal(f"{paths.folder} has a ledger without a plan: give another --out")
    if planned.get("study") != identity.study or planned.get("cluster") != identity.cluster:
        raise Refusal(
            f"{paths.folder} is a sweep of another study or cluster, or with other overrides: give another --out"
        )
    before = {"workload digest": planned.get("workload"), **_fixed(planned.get("facts", {}))}
    now = {"workload digest": identity.workload, **_fixed(identity.facts)}
    if changed := list(_differences(before, now)):
        raise Refusal(
            f"{paths.folder} was begun under other conditions: {'; '.join(changed)}: "
            "start another sweep with --new, or restore them"
        )


def rebooted(paths: SweepPaths, identity: Identity) -> list[str]:
    """The nodes that were started again since the sweep began. It goes on, but no speedup crosses two boots."""
    planned = Ledger(paths.ledger).last("planned") or {}
    before = planned.get("facts", {})
    return [key.removesuffix(BOOT) for key, now in identity.facts.items() if _is_boot(key) and before.get(key) != now]


def _fixed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without boot ids: a rebooted node is the same node."""
    return {key: value for key, value in facts.items() if not _is_boot(key)}


def _is_boot(key: str) -> bool:
    return key.endswith(BOOT)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            yield f"{key} was {before.get(key)!r}, is {now.get(key)!r}"
