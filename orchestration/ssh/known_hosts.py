"""The host keys that a known_hosts file pins, by name.

paramiko's own reader parses each line's key and compares it with all before it, which is slow for 64 nodes. Here the
file is read once, as text.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from orchestration.clusters.inventory import Node
from orchestration.errors import Refusal

HASHED = "|1|"


def reached_at(node: Node) -> tuple[str, int]:
    """The host and port at which the operator reaches the node."""
    ssh = node.ssh
    if ssh is None:
        return node.address, 22
    return (ssh.host or node.address) if ssh.via == "direct" else node.address, ssh.port or 22


def pinned_as(host: str, port: int) -> str:
    """The name under which OpenSSH pins what is reached at that host and port."""
    return host if port == 22 else f"[{host}]:{port}"


class Pins:
    """The keys that a file pins. Raises Refusal where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._plain: dict[str, list[tuple[int, str]]] = {}
        self._hashed: list[tuple[str, int, str]] = []
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            why = error.strerror or error
            raise Refusal(f"{path}, the pinned host keys, cannot be read ({why}): pin them with 'fab trust'") from error
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if len(words) >= 3 and words[0][0] not in "#@":  # a line with a marker, such as @revoked, does not pin
                self._keep(words[0], number, " ".join(words[1:3]))

    def of(self, *names: str) -> dict[str, str]:
        """The keys of the first name that has any: base64 by type; of two keys of a type the first.

        Raises Refusal where a line of that name is damaged.
        """
        for name in names:
            found: dict[str, str] = {}
            for number, line in self._lines(name):
                kind, key = line.split()
                self._check(number, kind, key)
                found.setdefault(kind, key)
            if found:
                return found
        return {}

    def _keep(self, names: str, number: int, key: str) -> None:
        for name in names.split(","):
            if name.startswith(HASHED):
                self._hashed.append((name, number, key))
            else:
                self._plain.setdefault(name, []).append((number, key))

    def _lines(self, name: str) -> list[tuple[int, str]]:
        return sorted([*self._plain.get(name, []), *self._hidden(name)])

    def _hidden(self, name: str) -> list[tuple[int, str]]:
        """The lines whose hashed name is this one."""
        if not self._hashed:
            return []
        from paramiko import HostKeys

        found = []
        for form, number, key in self._hashed:
            try:
                if HostKeys.hash_host(name, form) == form:
                    found.append((number, key))
            except (AssertionError, IndexError, ValueError):
                continue  # no valid salt: the line matches no name
        return found

    def _check(self, number: int, kind: str, key: str) -> None:
        """Raises Refusal where the text is not a key of that type: each begins with its type's length and name."""
        try:
            blob = base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            blob = b""
        if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
            raise Refusal(
                f"line {number} of {self._path}, the pinned host keys, is not a {kind[:40]!r} key: remove it, and pin "
                "that key again with 'fab trust'"
            )
