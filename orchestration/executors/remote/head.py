"""The head of a cluster: one SSH connection, and requests that are repeated when it breaks.

Every request may be repeated: if the connection breaks, it is opened again and the request is sent again, for at most
PATIENCE_S seconds. Then the head counts as lost.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from uuid import uuid4

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.executors.remote import protocol
from orchestration.executors.remote.fanout import Answer, Fanout
from orchestration.jobs.executor import HeadLostError
from orchestration.python import isolated
from orchestration.ssh.connection import Connection, Done, UnreachableError, node_known_hosts, target

PATIENCE_S = 25.0
ASK_S = 5.0  # for a node to say that it is there
ENV = "env"
Result = TypeVar("Result")


class Head:
    """The first node of a cluster, through which the others are reached. `silent` are the nodes that did not answer."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.workdir = PurePosixPath(inventory.workdir)
        self.jobs = self.workdir / "jobs"
        self.connection = Connection(target(inventory, inventory.nodes[0]))
        self.nodes = Fanout(inventory, node_known_hosts(inventory), self._run)
        self.silent: set[str] = set()

    @property
    def name(self) -> str:
        """The inventory's name of the head."""
        return self.inventory.nodes[0].name

    def insist(self, action: Callable[[], Result]) -> Result:
        """Repeats the action while the connection breaks. Raises HeadLostError in the end."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return action()
            except UnreachableError as error:
                self.connection.close()
                if time.monotonic() >= deadline:
                    self.silent.add(self.name)
                    raise HeadLostError(self.name, str(error)) from error
            time.sleep(0.5)

    def reach(self, action: Callable[[], Result]) -> Result:
        """Runs the action once, for the first contact: a person must help if a node does not answer. Raises Refusal."""
        try:
            return action()
        except UnreachableError as error:
            self.connection.close()
            raise Refusal(f"{error}: is the cluster up, and its address right?") from error

    def module(self, module: str, *words: str) -> list[str]:
        """The command that runs a module of the workload on a node."""
        return [ENV, "-C", str(self.workdir), *isolated(self.inventory.python, "-m", module, *words)]

    def control(self, *words: str) -> list[str]:
        """The command that asks workload.agent.control."""
        return self.module("workload.agent.control", *words)

    def answer(self, argv: Sequence[str], limit_s: float = 30.0, stdin: bytes = b"") -> dict[str, Any]:
        """The JSON object that a command answers with. Raises UnreachableError, and OSError as the head had it."""
        done = self.connection.run(argv, stdin, limit_s)
        return protocol.last_object(done.out, done.err)

    def put(self, local: Path, path: PurePosixPath) -> None:
        """Copies a file to the head, where it appears whole or not at all; nothing where it lies there."""
        files = self.connection.files()
        with self.connection.explained():
            with suppress(FileNotFoundError):
                status = files.stat(str(path))
                if stat.S_ISREG(status.st_mode) and status.st_size == local.stat().st_size:
                    return
            with suppress(OSError):
                files.mkdir(str(path.parent))
            partial = f"{path}.{uuid4().hex}.partial"
            try:
                files.put(str(local), partial, confirm=True)
                files.posix_rename(partial, str(path))
            except BaseException:
                with suppress(Exception):
                    files.remove(partial)
                raise

    def survey(self) -> list[Answer]:
        """Asks every node for its description, with a file in the work folder that shows whether others see that."""
        marker = f".shared-{uuid4().hex}"
        path = str(self.workdir / marker)
        files = self.connection.files()
        with self.connection.explained(), suppress(PermissionError, FileNotFoundError):
            files.open(path, "w").close()
        try:
            return self.nodes.survey(marker)
        finally:
            with suppress(OSError):
                files.remove(path)

    def still_silent(self, nodes: int) -> list[str]:
        """Of the first `nodes` nodes those that fell silent and still are; asks only those again."""
        asked = [node for node in self.inventory.nodes[:nodes] if node.name in self.silent]
        if not asked:
            return []
        try:
            if self.inventory.nodes[0] in asked:
                self.connection.run(["true"], limit_s=ASK_S)
            answers = self.nodes.ask(["true"], of=asked, limit_s=ASK_S)
        except (UnreachableError, Refusal):
            self.connection.close()
            return [self.name]
        self.silent -= {answer.node.name for answer in answers if answer.status == 0}
        return [answer.node.name for answer in answers if answer.status != 0]

    def _run(self, argv: Sequence[str], stdin: bytes, limit_s: float) -> Done:
        return self.connection.run(argv, stdin, limit_s)
