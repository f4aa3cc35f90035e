"""The local clusters of compose.yaml: up, and down again. Keys are made and pinned on both sides while they start."""

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
MEMORY_SHARE = 0.8  # of this machine's memory, for one node: the rest is the engine's and the operator's
START_S = 60.0
UP_S = 300.0
DEMANDED = {"CONVSCALE_BY": "fab"}  # compose.yaml demands it, so that Compose alone says what to use


@dataclass(frozen=True)
class Shape:
    """A profile of compose.yaml: its services, and what each node gets."""

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
    """The shape that a machine of so many CPUs and bytes can give, and a line for each thing it cannot."""
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
        notes.append(f"{nodes} nodes share {cpus} CPUs: what is measured beyond {cpus} ranks is no scaling")
    if nodes * given.memory_bytes > memory_bytes:
        notes.append(f"the nodes' limits add up to more than this machine's {memory_bytes / 2**30:.1f} GiB")
    return given, notes


@dataclass(frozen=True)
class Started:
    """A node as the engine knows it."""

    name: str
    container: str
    address: str
    host_key: str


@dataclass(frozen=True)
class Containers:
    """One local cluster; `root` holds compose.yaml, `say` takes a line for the person."""

    engine: Engine
    root: Path
    folder: ClusterFolder
    shape: Shape
    say: Callable[[str], None]

    @property
    def project(self) -> str:
        """Compose's name for it: two checkouts on one machine do not share a cluster."""
        return f"convscale-{hashlib.sha256(os.fsencode(self.folder.folder)).hexdigest()[:8]}-{self.shape.profile}"

    def up(self, utc: str) -> Inventory:
        """Starts what does not run, pins the keys, writes the cluster's files; the same again where all is up.

        Raises Refusal, OSError.
        """
        try:
            return self._up(utc)
        except EngineError as error:
            raise Refusal(f"{self.folder.name} cannot be started ({error}): 'fab down', then try again") from error

    def _up(self, utc: str) -> Inventory:
        words = self.engine.docker("info", "--format", "{{.NCPU}} {{.MemTotal}}").split()
        shape, notes = fit(self.shape, int(words[0]), int(words[1]))
        for note in notes:
            self.say(f"{self.folder.name}: {note}")
        name = image.build(self.engine, self.root, self.say)
        self.folder.folder.mkdir(parents=True, exist_ok=True)
        port = self._port()
        settings = {
            **DEMANDED,
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
        """Removes containers, network and the cluster's files; nothing where there is none. Raises Refusal, OSError."""
        try:
            self._compose(DEMANDED, "down", "--volumes", "--timeout", "2", limit_s=UP_S)
        except EngineError as error:
            raise Refusal(f"{self.folder.name} cannot be taken down ({error}): try again") from error
        files.remove(self.folder)

    def _port(self) -> int:
        """The port of this machine that leads to the head: the one it has, or a free one."""
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

    def _started(self) -> tuple[list[Started], str]:
        """Every node once it is ready, head first, and the subnet between them. Raises EngineError, Refusal."""
        services, ids = self.shape.services, self._ids()
        deadline = time.monotonic() + START_S
        host_keys = [self._ready(name, container, deadline) for name, container in zip(services, ids, strict=True)]
        inspected = self.engine.inspect("inspect", *ids)
        networks = [next(iter(item["NetworkSettings"]["Networks"].items())) for item in inspected]
        addresses = [str(settings["IPAddress"]) for _, settings in networks]
        subnet = self.engine.inspect("network", "inspect", networks[0][0])[0]["IPAM"]["Config"][0]["Subnet"]
        started = [Started(*fields) for fields in zip(services, ids, addresses, host_keys, strict=True)]
        return started, str(subnet)

    def _ids(self) -> list[str]:
        """The containers, in the order of the services. Raises EngineError naming what is missing."""
        label = f"label=com.docker.compose.project={self.project}"
        form = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        listed = self.engine.docker("ps", "--all", "--filter", label, "--format", form)
        found = dict(line.split() for line in listed.splitlines())
        if missing := [name for name in self.shape.services if name not in found]:
            raise EngineError(f"{', '.join(missing)} did not start")
        return [found[name] for name in self.shape.services]

    def _ready(self, name: str, container: str, deadline: float) -> str:
        """The node's host key, as soon as its bootstrap is over. Raises EngineError with its last words."""
        while True:
            try:
                # one command for both questions: each costs a fifth of a second
                script = f"test -e {PLACE}/ready.json && cat /etc/ssh/ssh_host_ed25519_key.pub"
                return keys.public_key(self.engine.inside(container, "sh", "-c", script), name)
            except EngineError as error:
                state = self.engine.docker("inspect", "--format", "{{.State.Status}}", container).strip()
                if state != "running" or time.monotonic() > deadline:
                    words = self.engine.docker("logs", "--tail", "1", container).strip()
                    raise EngineError(f"{name} is {state}, not ready: {words or error}") from error
                time.sleep(0.2)

    def _describe(self, shape: Shape, started: Sequence[Started], subnet: str, port: int, utc: str) -> Inventory:
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
            "launcher": "ssh",
            "transport": "tcp",
            "created_at": utc,
        }
        return inventory.parse(hostfile.describe(cluster, nodes)[1], self.folder.name)

    def _pair(self, found: Inventory, started: Sequence[Started]) -> None:
        """Lets the head into every node, and gives every node the keys of all."""
        head = started[0]
        head_key = keys.public_key(self.engine.inside(head.container, *head_access.head_key(USER)), head.name)
        command = head_access.write(found, head_key, {node.name: node.host_key for node in started})
        for node in started:
            self.engine.inside(node.container, *command, user=USER)

    def _write(self, found: Inventory, started: Sequence[Started]) -> None:
        """The operator's files; the inventory comes last, for it says that the cluster is there."""
        pinned = keys.for_operator(found, {node.name: node.host_key for node in started})
        write_whole(self.folder.known_hosts, pinned)
        files.write(self.folder, found)

    def _reach(self, found: Inventory, head: Started) -> None:
        """The head reaches every node by the pinned key; sshd may need a moment. Raises EngineError naming the rest."""
        printed = self.engine.inside(head.container, *head_access.reach(found), user=USER)
        if names := head_access.silent(found, printed):
            raise EngineError(f"{head.name} does not reach {names} over SSH")
