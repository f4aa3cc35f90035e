"""Host keys before they are trusted: fetched from the nodes, compared with the pinned ones, and pinned on request."""

from __future__ import annotations

import base64
import binascii
import functools
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.ssh import keys
from orchestration.ssh.connection import Connection, Target, UnreachableError, fingerprint, quote, target
from orchestration.ssh.known_hosts import Pins, pinned_as, reached_at
from workload.record.files import write_whole

SCAN_S = 10.0


class KeyState(Enum):
    """How the key that a node shows compares with the pinned one."""

    PINNED = "pinned"
    NEW = "new"
    CHANGED = "CHANGED since it was pinned"
    SILENT = "does not answer"


@dataclass(frozen=True)
class Shown:
    """A node, the key that it shows (`type base64`, None where it does not answer), and the state of that key."""

    node: Node
    key: str | None
    state: KeyState
    why: str = ""

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint as `ssh-keygen -lf` prints it; empty where there is no key."""
        return "" if self.key is None else f"SHA256:{fingerprint(base64.b64decode(self.key.split()[1]))}"


def scan(inventory: Inventory) -> list[Shown]:
    """The key that each node shows, not yet trusted; nodes behind the head are asked from there. Raises Refusal."""
    known = pinned(inventory)
    head = inventory.nodes[0]
    shown = {}
    for node in inventory.nodes:
        if not _behind_head(node):
            shown[node.name] = _judged(node, known, functools.partial(offered, target(inventory, node)))
    behind = [node for node in inventory.nodes if node.name not in shown]
    if behind and shown[head.name].state is KeyState.PINNED:
        with closing(Connection(target(inventory, head))) as connection:
            for node in behind:
                shown[node.name] = _judged(node, known, functools.partial(_offered_to, connection, node))
    for node in behind:
        why = f"first pin {head.name}, then run 'fab trust' again"
        shown.setdefault(node.name, Shown(node, None, KeyState.SILENT, why))
    return [shown[node.name] for node in inventory.nodes]


def offered(to: Target) -> str:
    """The host key, `type base64`, shown before any login. Raises UnreachableError."""
    import paramiko

    try:
        with closing(_socket(to)) as sock, closing(paramiko.Transport(sock)) as transport:
            transport.start_client(timeout=SCAN_S)
            key = transport.get_remote_server_key()
            return f"{key.get_name()} {key.get_base64()}"
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise UnreachableError(str(error) or type(error).__name__) from error


def _socket(to: Target) -> Any:
    import paramiko

    if to.tunnel:
        return paramiko.ProxyCommand(quote(to.tunnel))
    return socket.create_connection((to.host, to.port), timeout=SCAN_S)


def _offered_to(connection: Connection, node: Node) -> str:
    """The host key that a node shows to the head. Raises UnreachableError."""
    host, port = reached_at(node)
    done = connection.run(["ssh-keyscan", "-T", "5", "-t", "ed25519", "-p", str(port), "--", host])
    for line in done.out.decode(errors="replace").splitlines():
        words = line.split()
        if len(words) == 3 and not line.startswith("#") and _is_key(words[2]):
            return f"{words[1]} {words[2]}"
    raise UnreachableError(f"the head gets no ed25519 host key from {host}")


def _is_key(word: str) -> bool:
    try:
        base64.b64decode(word, validate=True)
    except binascii.Error:
        return False
    return True


def _behind_head(node: Node) -> bool:
    return node.ssh is not None and node.ssh.via == "head"


def _judged(node: Node, known: Mapping[str, Sequence[str]], ask: Callable[[], str]) -> Shown:
    try:
        key = ask()
    except UnreachableError as error:
        return Shown(node, None, KeyState.SILENT, str(error))
    # a key of another type than the pinned one does not mean that it changed
    changed = any(before.split()[0] == key.split()[0] for before in known[node.name])
    return Shown(
        node, key, KeyState.PINNED if key in known[node.name] else KeyState.CHANGED if changed else KeyState.NEW
    )


def pinned(inventory: Inventory) -> dict[str, list[str]]:
    """The keys pinned for each node, by node name; none where there is no file yet. Raises Refusal."""
    path = _file(inventory)
    pins = Pins(path) if path.exists() else None
    known: dict[str, list[str]] = {}
    for node in inventory.nodes:
        found = {} if pins is None else pins.of(pinned_as(*reached_at(node)), node.address)
        known[node.name] = [f"{kind} {key}" for kind, key in found.items()]
    return known


def expected(shown: Sequence[Shown], fingerprints: Sequence[str]) -> None:
    """Compares with fingerprints read on the machines themselves. Raises Refusal naming each node that differs."""
    wrong = [
        f"{item.node.name} shows {item.fingerprint}" for item in unpinned(shown) if item.fingerprint not in fingerprints
    ]
    if wrong:
        raise Refusal(f"{'; '.join(wrong)}: not among the fingerprints that you gave, so nothing is pinned")


def unpinned(shown: Sequence[Shown]) -> list[Shown]:
    """The keys that a person has to compare: new ones and changed ones."""
    return [item for item in shown if item.state in (KeyState.NEW, KeyState.CHANGED)]


def pin(inventory: Inventory, shown: Sequence[Shown]) -> None:
    """Pins the keys shown; nodes that did not answer keep their old ones. Raises OSError, Refusal."""
    kept = {name: found[0] for name, found in pinned(inventory).items() if found}
    new = {item.node.name: item.key for item in shown if item.key is not None}
    _file(inventory).parent.mkdir(parents=True, exist_ok=True)
    write_whole(_file(inventory), keys.for_operator(inventory, kept | new))


def _file(inventory: Inventory) -> Path:
    if inventory.known_hosts is None:
        raise Refusal(f"the inventory of {inventory.cluster} names no known_hosts: add 'known_hosts': 'known_hosts'")
    return Path(inventory.known_hosts)
