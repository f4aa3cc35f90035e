"""Clusters of a person's own machines: a list of host names becomes an inventory, once the host keys are pinned.

The machines are neither started nor stopped.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from infra import hostfile
from orchestration.clusters import inventory
from orchestration.clusters.folder import ClusterFolder, home
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import Provider, UpFlags
from orchestration.errors import Refusal
from orchestration.operator import Operator
from orchestration.provision import files
from orchestration.ssh.connection import Connection, UnreachableError, target

Sizes = tuple[int | None, int | None]  # slots and GiB of memory of each machine; None: ask the machine


@dataclass(frozen=True)
class Login:
    """How to log in, the same on all machines. `python` and `workdir` are paths there, `key_file` is a path here."""

    user: str
    key_file: str | None
    python: str
    workdir: str
    subnet: str | None


@dataclass(frozen=True)
class Machines:
    """The machines as a person names them; `hosts` are names or addresses, the head first."""

    hosts: Sequence[str]
    login: Login
    sizes: Sizes = (None, None)


class OwnMachines(Provider):
    """The provider of every cluster that has an inventory in infra/clusters/ and is not another provider's."""

    kind = "own machines"

    def names(self, root: Path) -> Sequence[str]:
        return sorted(path.parent.name for path in home(root).glob("*/inventory.json"))

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        raise Refusal(f"cluster {cluster} is your own machines, which fab neither starts nor stops: use it as it is")

    def check_down(self, cluster: str, operator: Operator) -> None:
        folder = home(operator.root) / cluster
        raise Refusal(
            f"cluster {cluster} is your own machines, which fab does not stop: remove {folder} to forget them"
        )

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        self.check_down(cluster, operator)


def add(folder: ClusterFolder, machines: Machines, utc: str, trust: Callable[[Inventory], None]) -> Inventory:
    """Writes the cluster's files; before that, `trust` pins the host keys of its nodes. Raises Refusal, OSError."""
    hosts, login, sizes = machines.hosts, machines.login, machines.sizes
    # check what was given before asking any machine; 1 stands for what is not known yet
    given = (1 if sizes[0] is None else sizes[0], (1 if sizes[1] is None else sizes[1]) * 2**30)
    unsized = describe(folder, hosts, login, [given] * len(hosts), utc)
    reached = unsized.model_copy(update={"known_hosts": str(folder.known_hosts)})
    trust(reached)
    if login.subnet is None:
        login = replace(login, subnet=_between(reached))
    found = describe(folder, hosts, login, [_sizes(reached, number, sizes) for number in range(len(hosts))], utc)
    files.write(folder, found)
    return found


def describe(
    folder: ClusterFolder, hosts: Sequence[str], login: Login, sizes: Sequence[tuple[int, int]], utc: str
) -> Inventory:
    """The inventory of the hosts; `sizes` are slots and bytes of memory of each. Raises Refusal."""
    nodes = [
        {
            "name": host if re.fullmatch(inventory.NAME, host) else f"node{number}",
            "address": host,
            "slots": slots,
            "memory_bytes": memory,
            "ssh": {"via": "direct"},
        }
        for number, (host, (slots, memory)) in enumerate(zip(hosts, sizes, strict=True), start=1)
    ]
    cluster = {
        "cluster": folder.name,
        "profile": "own",
        "default_study": "quick",
        "python": login.python,
        "workdir": login.workdir,
        "user": login.user,
        "key_file": login.key_file,
        "known_hosts": folder.known_hosts.name,
        "interface_subnet": login.subnet,
        "executor": "ssh",
        "transport": "auto",
        "created_at": utc,
    }
    return inventory.parse(hostfile.describe(cluster, nodes)[1], "--hosts")


def _sizes(found: Inventory, number: int, given: Sizes) -> tuple[int, int]:
    """Slots and bytes of memory: as given, else as the machine reports them. Raises Refusal."""
    slots, gib = given
    node = found.nodes[number]
    if slots is not None and gib is not None:
        return slots, gib * 2**30
    try:
        with closing(Connection(target(found, node))) as connection:
            cores = connection.run(["lscpu", "-p=CORE,SOCKET"]).out.decode(errors="replace")
            memory = connection.run(["cat", "/proc/meminfo"]).out.decode(errors="replace")
        return slots or physical_cores(cores), gib * 2**30 if gib else total_memory(memory)
    except (UnreachableError, ValueError) as error:
        raise Refusal(
            f"{node.name} does not say its cores and memory ({error}): give --slots and --memory-gib"
        ) from error


def _between(found: Inventory) -> str | None:
    """The network on which the head reaches all other nodes; None where that is not clear (`fab check` says so)."""
    others = [node.address for node in found.nodes[1:]]
    if not others:
        return None
    try:
        with closing(Connection(target(found, found.nodes[0]))) as connection:
            own = connection.run(["ip", "-o", "addr", "show", "scope", "global"]).out.decode(errors="replace")
            names = [connection.run(["getent", "ahosts", other]).out.decode(errors="replace") for other in others]
    except UnreachableError:
        return None
    return shared_network(own, [name.split()[0] if name.split() else "" for name in names])


def shared_network(own: str, others: Sequence[str]) -> str | None:
    """The one network in the output of `ip -o addr` that contains all the other addresses; None unless there is one."""
    networks = {ipaddress.ip_interface(text).network for text in re.findall(r"\binet6? ([0-9a-fA-F.:]+/\d+)", own)}
    try:
        addresses = [ipaddress.ip_address(text) for text in others]
    except ValueError:
        return None
    holding = [network for network in networks if all(address in network for address in addresses)]
    return str(holding[0]) if len(holding) == 1 else None


def physical_cores(listed: str) -> int:
    """The number of physical cores in the output of `lscpu -p=CORE,SOCKET`. Raises ValueError."""
    cores = {line for line in listed.splitlines() if re.fullmatch(r"\d+,\d*", line)}
    if not cores:
        raise ValueError("lscpu lists no core")
    return len(cores)


def total_memory(meminfo: str) -> int:
    """The total memory in the text of /proc/meminfo, in bytes. Raises ValueError."""
    found = re.search(r"^MemTotal:\s+(\d+) kB$", meminfo, re.MULTILINE)
    if found is None:
        raise ValueError("/proc/meminfo has no MemTotal")
    return int(found[1]) * 1024
