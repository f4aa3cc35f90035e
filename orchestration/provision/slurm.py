"""The Slurm allocation that `fab` was started in, as a cluster: it ends with the job."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.clusters import allocation
from orchestration.clusters.allocation import Allocation
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import Provider, UpFlags
from orchestration.clusters.this_machine import of_checkout
from orchestration.errors import Refusal
from orchestration.operator import Operator
from orchestration.provision import batch

NAME = "slurm"


@dataclass(frozen=True)
class SlurmAllocation(Provider):
    """The provider of the one cluster `slurm`; its inventory is made anew each time."""

    environment: Mapping[str, str] = field(default_factory=dict)

    kind = "this Slurm job"

    def names(self, root: Path) -> Sequence[str]:
        return (NAME,)

    def find(self, cluster: str, root: Path, utc: str) -> Inventory:
        found = allocation.read(self.environment)
        if found is None:
            raise Refusal("there is no Slurm job here: start fab inside one, with salloc or sbatch")
        return describe(found, root, utc)

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        raise Refusal(f"cluster {cluster} is the job that fab runs in: start one with salloc or sbatch")

    def check_down(self, cluster: str, operator: Operator) -> None:
        raise Refusal(f"cluster {cluster} is the job that fab runs in, and ends with it")

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        """Cancels the jobs that `fab submit` brought into the queue, and no other."""
        slurm = batch.SlurmQueue(operator.environment)
        jobs = [(paths, job) for paths in batch.submitted_sweeps(operator.runs) for job in slurm.jobs(paths)]
        if not jobs:
            raise Refusal("no job that 'fab submit' made waits or runs: there is nothing to cancel")
        for paths, job in jobs:
            operator.person.say(f"job {job.number}: {job.state}, {paths.folder}")
        if not operator.person.agrees(f"Cancel {len(jobs)} job{'s' * (len(jobs) > 1)}? Records are kept."):
            raise Refusal("nothing is cancelled")
        slurm.cancel([job for _, job in jobs])


def describe(found: Allocation, root: Path, utc: str) -> Inventory:
    """The inventory of an allocation. Raises Refusal."""
    nodes = [
        {"name": node.name, "address": node.name, "slots": node.slots, "memory_bytes": node.memory_bytes}
        for node in found.nodes
    ]
    return of_checkout(
        NAME,
        root,
        utc,
        nodes,
        f"Slurm's job {found.job}",
        executor=NAME,
        interface_subnet=network([_resolved(node.address) for node in found.nodes]),
        slurm={"job": found.job, "partition": found.partition},
        expires_at=found.ends_at,
    )


def network(addresses: Sequence[str | None]) -> str | None:
    """The smallest network that holds all the addresses; None of one node, or where one is not known."""
    known = [ipaddress.ip_address(address) for address in addresses if address is not None]
    if len(addresses) < 2 or len(known) < len(addresses) or len({address.version for address in known}) > 1:
        return None
    bits = known[0].max_prefixlen - (int(min(known)) ^ int(max(known))).bit_length()
    return str(ipaddress.ip_network((int(min(known)), bits), strict=False)) if known[0].version == 4 else None


def _resolved(address: str) -> str | None:
    """A node's address by Slurm's words, as a number."""
    try:
        return socket.gethostbyname(address)
    except OSError:
        return None
