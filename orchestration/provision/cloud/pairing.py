"""After the nodes are ready: their keys pinned here, the cluster's files written, the head let into every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, TypeVar

from orchestration.clusters import inventory
from orchestration.clusters.folder import ClusterFolder
from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.provision import files, head_access
from orchestration.ssh import keys
from orchestration.ssh.connection import Connection, Done, UnreachableError, target
from workload.record.files import write_whole

PATIENCE_S = 90.0  # a node's sshd takes its new settings, a tunnel opens
PAUSE_S = 2.0
Result = TypeVar("Result")


class PairingError(Exception):
    """A node does not answer over SSH, or the head does not reach it; the message is one line."""


def of_outputs(outputs: Mapping[str, Any], stack: str) -> Inventory:
    """The inventory that the program put out. Raises Refusal."""
    document = outputs.get("inventory")
    if not isinstance(document, Mapping):
        raise Refusal(f"stack {stack} puts out no inventory: is it up? 'fab up --cluster {stack}'")
    return inventory.parse(dict(document), f"stack {stack}")


def write(folder: ClusterFolder, found: Inventory, host_keys: Mapping[str, str]) -> None:
    """The operator's files; nodes without a key are not pinned, and so not connected to. Raises OSError, Refusal."""
    folder.folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder.known_hosts, keys.for_operator(found, host_keys))
    files.write(folder, found)


def pair(
    found: Inventory,
    host_keys: Mapping[str, str],
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Carries the head's public key and all host keys to every node; `found` names absolute files.

    Raises PairingError, Refusal.
    """
    deadline = now() + PATIENCE_S
    head = found.nodes[0]

    def on(node: Node, command: list[str]) -> str:
        while True:
            try:
                with closing(Connection(target(found, node))) as connection:
                    return _output(connection.run(command), node)
            except UnreachableError as error:
                if now() >= deadline:
                    raise PairingError(f"{error}{_hint(found)}") from error
            sleep(PAUSE_S)

    public = keys.public_key(on(head, head_access.head_key(str(found.user))), head.name)
    for node in found.nodes:
        on(node, head_access.write(found, public, host_keys))
    if names := head_access.silent(found, on(head, head_access.reach(found))):
        raise PairingError(f"{head.name} does not reach {names} over SSH")


def _hint(found: Inventory) -> str:
    """What commonly keeps a person out of a head that is there."""
    ssh = found.nodes[0].ssh
    if ssh is not None and ssh.via == "iap":
        return ": may you use Google's tunnel (gcloud logged in, the role IAP-secured Tunnel User)?"
    return ": is the address that the internet sees you with in convscale:ssh_from?"


def _output(done: Done, node: Node) -> str:
    if done.status != 0:
        words = done.err.decode(errors="replace").strip().splitlines() or [f"status {done.status}"]
        raise PairingError(f"{node.name}: {words[-1][:300]}")
    return done.out.decode(errors="replace")
