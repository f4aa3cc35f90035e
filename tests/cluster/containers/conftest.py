"""A real cluster of containers for the tests of this folder; skipped, with the reason, where no engine answers."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.clusters.folder import ClusterFolder, read_cluster
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.provision.containers.cluster import SHAPES, Containers
from orchestration.provision.containers.docker import Engine
from tests.cluster.host import TOKEN

ROOT = Path(__file__).parents[3]


@dataclass
class Cluster:
    """A cluster that is up, in a folder of the tests' own: a person's compose-light is another project."""

    containers: Containers
    said: list[str]

    @property
    def folder(self) -> ClusterFolder:
        return self.containers.folder

    @property
    def inventory(self) -> Inventory:
        return read_cluster(self.folder.inventory)

    def ids(self) -> dict[str, str]:
        """Container by node name."""
        engine, project = self.containers.engine, self.containers.project
        label = f"label=com.docker.compose.project={project}"
        listed = engine.docker(
            "ps", "--all", "--filter", label, "--format", '{{.Label "com.docker.compose.service"}} {{.ID}}'
        )
        return dict(line.split() for line in listed.splitlines())

    def inside(self, node: str, *command: str, user: str = "convscale") -> str:
        return self.containers.engine.inside(self.ids()[node], *command, user=user)

    def clean(self, node: str) -> None:
        """Ends every process of a run of ours and removes the lease, whatever a test left."""
        ours = f"pkill -KILL -f '{TOKEN.pattern}'; rm -f /opt/convscale/jobs/lease.json"
        self.inside(node, "sh", "-c", ours)

    def ssh(self, node: str, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """A person's own ssh, with the cluster's settings."""
        argv = ["ssh", "-F", str(self.folder.ssh_config), *options, node, *command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def engine() -> Engine:
    try:
        return Engine.find(dict(os.environ))
    except Refusal as refusal:
        pytest.skip(str(refusal))


def started(engine: Engine, folder: Path, name: str, *, build_tools: bool = False) -> Iterator[Cluster]:
    said: list[str] = []
    containers = Containers(engine, ROOT, ClusterFolder(folder / name), SHAPES[name], said.append)
    try:
        containers.up("2026-01-01T00:00:00Z", build_tools=build_tools)
        yield Cluster(containers, said)
    finally:
        containers.down()


@pytest.fixture(scope="session")
def light(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Eight nodes."""
    yield from started(engine, tmp_path_factory.mktemp("clusters"), "compose-light")
