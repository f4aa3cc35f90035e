"""Every kind of cluster that convscale knows; a new kind is one more line here (docs/contributing.md)."""

from __future__ import annotations

from pathlib import Path

from orchestration.clusters.registry import Clusters
from orchestration.clusters.this_machine import ThisMachine
from orchestration.provision.cloud.provider import GoogleCloud
from orchestration.provision.containers.provider import ContainerClusters
from orchestration.provision.own_machines import OwnMachines

OWN_MACHINES = OwnMachines()
# in this order: the first that owns a name has it
PROVIDERS = (
    ThisMachine(),
    ContainerClusters(),
    GoogleCloud(),
    OWN_MACHINES,
)


def clusters_of(root: Path) -> Clusters:
    """The clusters of a checkout."""
    return Clusters(root, PROVIDERS)
