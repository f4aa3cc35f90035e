"""One cluster of containers from compose.yaml, brought up and taken down.

While the containers start, SSH keys are made and pinned on both sides.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra import hostfile
from orchestration.clusters import inventory
from orchestration.clusters.folder import ClusterFolder
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.provision import files, head_access
from orchestration.provision.containers import image
from orchestration.provision.containers.docker import Engine, EngineError
from orchestration.ssh import keys
from workload.record.files import write_whole

PLACE = "/opt/convscale"
USER = "convscale"
MEMORY_SHARE = 0.8  # of this machine's memory, for one node: the rest is for the engine and the operator
START_S = 60.0
UP_S = 300.0
REQUIRED = {"CONVSCALE_BY": "fab"}  # without it compose.yaml refuses and says to use `fab up`


@dataclass(frozen=True)
class Shape:
    """A profile of compose.yaml: its services, one a node, and the slots, CPUs and memory of each."""

    profile: str
    services: Sequence[str]
    slots: int
    cpus: int
    memory_bytes: int


SHAPES = {
    "compose-light": Shape("light", tuple(f"node{n}" for n in range(1, 9)), 1, 1, 4 * 2**30),
    "compose-fat": Shape("fat", ("fat",), 16, 16, 16 * 2**30),
}


def fit(shape: Shape, cpus: int, memory_bytes: int) -> tuple[Shape, list[str]]:
    """The shape cut down to a machine with so many CPUs and bytes of memory, and one line for each shortfall."""
    most = int(memory_bytes * MEMORY_SHARE)
    given = replace(
        shape,
        slots=min(shape.slots, cpus),
        cpus=min(shape.cpus, cpus),
        memory_bytes=min(shape.memory_bytes, most),
    )
    notes = []
    if given.slots < shape.slots:
        notes.append(f"{given.slots} slots instead of {shape.slots}: this machine has {cpus} CPUs")
    if given.memory_bytes < shape.memory_bytes:
        notes.append(f"{given.memory_bytes / 2**30:.1f} GiB a node instead of {shape.memory_bytes / 2**30:.0f}")
    nodes = len(shape.services)
    if nodes * given.cpus > cpus:
        notes.append(
            f"{nodes} nodes share {cpus} CPUs: beyond {cpus} ranks the measured times say nothing about scaling"
        )
    if nodes * given.memory_bytes > memory_bytes:
        notes.append(f"the nodes' limits add up to more than this machine's {memory_bytes / 2**30:.1f} GiB")
    return given, notes


@dataclass(frozen=True)
class StartedNode:
    """A running container: its node name, id, address and host key."""

    name: str
    container: str
    address: str
    host_key: str


@dataclass(frozen=True)
class Containers:
    """One cluster of containers; `root` holds compose.yaml, `say` prints a line for the person."""

    engine: Engine
    root: Path
    folder: ClusterFolder
    shape: Shape
    say: Callable[[str], None]

    @property
    def project(self) -> str:
        """Compose's project name, which differs between two checkouts on one machine."""
        return f"convscale-{hashlib.sha256(os.fsencode(self.folder.folder)).hexdigest()[:8]}-{self.shape.profile}"

    def up(self, utc: str, *, build_tools: bool = False) -> Inventory:
        """Starts what is not running, pins the keys and writes the cluster's files; safe to repeat.

        Nodes that stand keep the build tools that they have. Raises Refusal, OSError.
        """
        try:
            return self._up(utc, build_tools)
        except EngineError as error:
            raise Refusal(f"{self.folder.name} cannot be started ({error}): 'fab down', then try again") from error

    def _up(self, utc: str, build_tools: bool) -> Inventory:
        words = self.engine.docker("info", "--format", "{{.NCPU}} {{.MemTotal}}").split()
        shape, notes = fit(self.shape, int(words[0]), int(words[1]))
        for note in notes:
            self.say(f"{self.folder.name}: {note}")
        if (standing := self._listed("{{.Image}}")) and build_tools > (image.WITH_TOOLS in standing):
            raise Refusal(
                f"{self.folder.name} is up without build tools: 'fab down' it first, --build-tools makes it anew"
            )
        build_tools = build_tools or image.WITH_TOOLS in standing
        name = image.build(self.engine, self.root, self.say, build_tools=build_tools)
        self.folder.folder.mkdir(parents=True, exist_ok=True)
        port = self._port()
        settings = {
            **REQUIRED,
            "CONVSCALE_IMAGE": name,
            "CONVSCALE_CPUS": str(shape.cpus),
            "CONVSCALE_MEMORY": str(shape.memory_bytes),
            "CONVSCALE_SSH_PORT": str(port),
            "CONVSCALE_OPERATOR_KEY": keys.make_pair(self.folder),
        }
        self._compose(settings, "up", "--detach", "--no-build", limit_s=UP_S)
        started, subnet = self._started()
        found = self._describe(shape, started, subnet, port, utc)
        self._pair(found, started)
        self._write(found, started)
        self._reach(found, started[0])
        return found

    def down(self) -> None:
        """Removes containers, network and the cluster's files, as far as there are any. Raises Refusal, OSError."""
        try:
            self._compose(REQUIRED, "down", "--volumes", "--timeout", "2", limit_s=UP_S)
        except EngineError as error:
            raise Refusal(f"{self.folder.name} cannot be taken down ({error}): try again") from error
        files.remove(self.folder)

    def _port(self) -> int:
        """The local port that is forwarded to the head: the one in use, or a free one."""
        if self.folder.inventory.exists():
            ssh = inventory.read(self.folder.inventory).nodes[0].ssh
            if ssh is not None and ssh.port is not None:
                return ssh.port
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return int(free.getsockname()[1])

    def _compose(self, settings: Mapping[str, str], *arguments: str, limit_s: float) -> str:
        engine = replace(self.engine, environment={**self.engine.environment, **settings})
        where = ["--file", str(self.root / "compose.yaml"), "--project-name", self.project]
        return engine.run([*self.engine.compose, *where, "--profile", self.shape.profile, *arguments], limit_s=limit_s)

    def _started(self) -> tuple[list[StartedNode], str]:
        """Waits until every node is ready: the nodes, head first, and their subnet. Raises EngineError, Refusal."""
        services, ids = self.shape.services, self._ids()
        deadline = time.monotonic() + START_S
        host_keys = [self._ready(name, container, deadline) for name, container in zip(services, ids, strict=True)]
        inspected = self.engine.inspect("inspect", *ids)
        networks = [next(iter(item["NetworkSettings"]["Networks"].items())) for item in inspected]
        addresses = [str(settings["IPAddress"]) for _, settings in networks]
        subnet = self.engine.inspect("network", "inspect", networks[0][0])[0]["IPAM"]["Config"][0]["Subnet"]
        started = [StartedNode(*fields) for fields in zip(services, ids, addresses, host_keys, strict=True)]
        return started, str(subnet)

    def _ids(self) -> list[str]:
        """The ids of the containers in the order of the services. Raises EngineError naming the missing ones."""
        listed = self._listed('{{.Label "com.docker.compose.service"}} {{.ID}}')
        found = dict(line.split() for line in listed.splitlines())
        if missing := [name for name in self.shape.services if name not in found]:
            raise EngineError(f"{', '.join(missing)} did not start")
        return [found[name] for name in self.shape.services]

    def _listed(self, form: str) -> str:
        """A line for each container of the cluster. Raises EngineError."""
        label = f"label=com.docker.compose.project={self.project}"
        return self.engine.docker("ps", "--all", "--filter", label, "--format", form)

    def _ready(self, name: str, container: str, deadline: float) -> str:
        """Waits for the end of a node's bootstrap: its host key. Raises EngineError with the last line of its log."""
        while True:
            try:
                # one command for both: each takes a fifth of a second
                script = f"test -e {PLACE}/ready.json && cat /etc/ssh/ssh_host_ed25519_key.pub"
                return keys.public_key(self.engine.inside(container, "sh", "-c", script), name)
            except EngineError as error:
                state = self.engine.docker("inspect", "--format", "{{.State.Status}}", container).strip()
                if state != "running" or time.monotonic() > deadline:
                    words = self.engine.docker("logs", "--tail", "1", container).strip()
                    raise EngineError(f"{name} is {state}, not ready: {words or error}") from error
                time.sleep(0.2)

    def _describe(self, shape: Shape, started: Sequence[StartedNode], subnet: str, port: int, utc: str) -> Inventory:
        nodes = [
            {
                "name": node.name,
                "address": node.address,
                "slots": shape.slots,
                "memory_bytes": shape.memory_bytes,
                "machine_type": "container",
                "ssh": {"via": "head"},
            }
            for node in started
        ]
        nodes[0]["ssh"] = {"via": "direct", "host": "127.0.0.1", "port": port}
        cluster = {
            "cluster": self.folder.name,
            "profile": shape.profile,
            "default_study": "quick",
            "python": f"{PLACE}/venv/bin/python",
            "workdir": PLACE,
            "user": USER,
            "key_file": self.folder.key.name,
            "known_hosts": self.folder.known_hosts.name,
            "interface_subnet": subnet,
            "executor": "ssh",
            "transport": "tcp",
            "created_at": utc,
        }
        return inventory.parse(hostfile.describe(cluster, nodes)[1], self.folder.name)

    def _pair(self, found: Inventory, started: Sequence[StartedNode]) -> None:
        """Gives the head access to every node, and every node the host keys of all."""
        head = started[0]
        head_key = keys.public_key(self.engine.inside(head.container, *head_access.head_key(USER)), head.name)
        command = head_access.write(found, head_key, {node.name: node.host_key for node in started})
        for node in started:
            self.engine.inside(node.container, *command, user=USER)

    def _write(self, found: Inventory, started: Sequence[StartedNode]) -> None:
        """Writes the operator's files."""
        pinned = keys.for_operator(found, {node.name: node.host_key for node in started})
        write_whole(self.folder.known_hosts, pinned)
        files.write(self.folder, found)

    def _reach(self, found: Inventory, head: StartedNode) -> None:
        """Checks that the head reaches every node with the pinned keys. Raises EngineError naming the others."""
        printed = self.engine.inside(head.container, *head_access.reach(found), user=USER)
        if names := head_access.silent(found, printed):
            raise EngineError(f"{head.name} does not reach {names} over SSH")
