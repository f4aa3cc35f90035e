"""SSH keys as text: the operator's key pair, lines of known_hosts, and the authorized_keys line for the head."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestration.clusters.folder import ClusterFolder
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.ssh.known_hosts import pinned_as, reached_at
from workload.record.files import write_whole

PUBLIC = re.compile(r"(ssh-ed25519) ([A-Za-z0-9+/]+={0,2})(?: [^\r\n]*)?")


def make_pair(folder: ClusterFolder) -> str:
    """The operator's public key for a cluster, one line; the pair is made where there is none. Raises OSError."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if folder.key.exists():
        private = form.load_ssh_private_key(folder.key.read_bytes(), password=None)
    else:
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
        write_whole(folder.key, pem.decode("ascii"), mode=0o600)
    public = private.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    line = f"{public.decode('ascii')} operator"
    write_whole(folder.public_key, line + "\n")
    return line


def public_key(text: str, whose: str) -> str:
    """The line of a public key without its comment: `ssh-ed25519 KEY`. Raises Refusal."""
    found = PUBLIC.fullmatch(text.strip())
    if found is None:
        raise Refusal(f"{whose} gives {text[:80]!r}, which is not an ed25519 public key: make the node again")
    return f"{found[1]} {found[2]}"


def admission(head_key: str, subnet: str) -> str:
    """The authorized_keys line that lets the head run commands, from the cluster's own network only."""
    return f'from="{subnet}",restrict {head_key} head\n'


def between_nodes(inventory: Inventory, keys: Mapping[str, str]) -> str:
    """known_hosts for the nodes, by name and address; `keys` are the host keys by node name."""
    names = ((node, dict.fromkeys((node.name, node.address))) for node in inventory.nodes)
    return "".join(f"{','.join(words)} {keys[node.name]}\n" for node, words in names)


def for_operator(inventory: Inventory, keys: Mapping[str, str]) -> str:
    """known_hosts for the operator, by where each node is reached and its address; nodes without a key are left out."""
    lines: dict[str, None] = {}
    for node in inventory.nodes:
        if node.name in keys:
            host, port = reached_at(node)
            lines[f"{pinned_as(host, port)} {keys[node.name]}\n"] = None
            lines[f"{node.address} {keys[node.name]}\n"] = None
    return "".join(lines)
