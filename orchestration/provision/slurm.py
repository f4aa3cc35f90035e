"""Clusters of Slurm's: each is the allocation that `fab` was started in, and ends with the job."""

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
from orchestration.messages import unknown
from orchestration.operator import Operator
from orchestration.provision import batch, slurm_cluster
from orchestration.provision.slurm_cluster import SlurmCluster

NAME = "slurm"


@dataclass(frozen=True)
class SlurmClusters(Provider):
    """The provider of `slurm`, whatever job `fab` is in, and of the clusters that a person describes.

    Their inventories are made anew in each job.
    """

    environment: Mapping[str, str] = field(default_factory=dict)

    kind = "Slurm"

    def names(self, root: Path) -> Sequence[str]:
        return (NAME, *slurm_cluster.names(root))

    def find(self, cluster: str, root: Path, utc: str) -> Inventory:
        described = description(cluster, root)
        found = allocation.read(self.environment)
        if found is None:
            raise Refusal(
                f"there is no Slurm job here: 'fab submit --cluster {cluster}' makes one, or start fab inside one, "
                "with salloc or sbatch"
            )
        if described.partitions and found.partition not in described.partitions:
            raise Refusal(
                f"Slurm's job {found.job} is in partition {found.partition}, cluster {cluster} is "
                f"{', '.join(described.partitions)}: give --cluster {NAME}, or another job"
            )
        return describe(found, root, utc, cluster, slurm_cluster.launchers_of(described))

    def up(self, cluster: str, flags: UpFlags, operator: Operator) -> Inventory:
        raise Refusal(f"cluster {cluster} is Slurm's: 'fab submit' makes a job there, or salloc and sbatch do")

    def check_down(self, cluster: str, operator: Operator) -> None:
        raise Refusal(f"cluster {cluster} is the job that fab runs in, and ends with it")

    def down(self, cluster: str, discard: bool, operator: Operator) -> None:
        """Cancels the jobs that `fab submit` brought into the queue, and no other."""
        slurm = batch.SlurmQueue(operator.environment)
        jobs = slurm.jobs(batch.submitted_sweeps(operator.runs, cluster))
        if not jobs:
            raise Refusal(
                f"no job that 'fab submit --cluster {cluster}' made waits or runs: there is nothing to cancel"
            )
        for paths, job in jobs:
            operator.person.say(f"job {job.number}: {job.state}, {paths.folder}")
        if not operator.person.agrees(f"Cancel {len(jobs)} job{'s' * (len(jobs) > 1)}? Records are kept."):
            raise Refusal("nothing is cancelled")
        slurm.cancel([job for _, job in jobs])


def description(cluster: str, root: Path) -> SlurmCluster:
    """What a person says of the cluster, nothing of `slurm`. Raises Refusal, also where there is no such cluster."""
    if cluster == NAME:
        return SlurmCluster()
    if cluster not in (known := slurm_cluster.names(root)):
        raise Refusal(
            f"{unknown('Slurm cluster', cluster, (NAME, *known))}; 'fab inventory --slurm --name NAME' describes one"
        )
    return slurm_cluster.read(cluster, root)


def describe(
    found: Allocation, root: Path, utc: str, cluster: str = NAME, launchers: Mapping[str, str] | None = None
) -> Inventory:
    """The inventory of an allocation; `launchers` are chosen by MPI. Raises Refusal."""
    nodes = [
        {"name": node.name, "address": node.name, "slots": node.slots, "memory_bytes": node.memory_bytes}
        for node in found.nodes
    ]
    return of_checkout(
        cluster,
        root,
        utc,
        nodes,
        f"Slurm's job {found.job}",
        profile=NAME,
        executor=NAME,
        interface_subnet=network([_resolved(node.address) for node in found.nodes]),
        slurm={
            "cluster": found.cluster,
            "job": found.job,
            "partition": found.partition,
            "shared": found.shared,
            "mpi": found.mpi,
            "launchers": dict(launchers or {}),
            "restarts": found.restarts,
        },
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
