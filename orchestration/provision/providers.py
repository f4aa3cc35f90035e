"""Every kind of cluster that convscale knows; a new kind is one more line here (docs/contributing.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestration.clusters.provider import Provider
from orchestration.clusters.registry import Clusters
from orchestration.clusters.this_machine import ThisMachine
from orchestration.provision.cloud.provider import GoogleCloud
from orchestration.provision.containers.provider import ContainerClusters
from orchestration.provision.own_machines import OwnMachines
from orchestration.provision.slurm import SlurmClusters

OWN_MACHINES = OwnMachines()


def providers(environment: Mapping[str, str]) -> tuple[Provider, ...]:
    """All of them, in this order: the first that owns a name has it. `environment` is the one that `fab` runs in."""
    return (
        ThisMachine(environment),
        SlurmClusters(environment),
        ContainerClusters(),
        GoogleCloud(),
        OWN_MACHINES,
    )


def clusters_of(root: Path, environment: Mapping[str, str]) -> Clusters:
    """The clusters of a checkout."""
    return Clusters(root, providers(environment))
