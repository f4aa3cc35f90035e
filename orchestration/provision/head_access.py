"""How a cluster's head gets SSH access to its nodes: the commands that set it up and the one that checks it.

Three files are written to every node; none of them is secret. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra import hostfile
from orchestration.clusters.inventory import Inventory
from orchestration.ssh import keys

# each file whole or not at all; their contents are not secret, so they may be arguments
WRITE = (
    'umask 077; while [ $# -gt 0 ]; do printf %s "$2" >"$1.partial" && mv "$1.partial" "$1" || exit 1; shift 2; done'
)
REACH = 'for node; do ssh -o ConnectionAttempts=10 "$node" true || echo "$node"; done'


def head_key(user: str) -> list[str]:
    """The command that prints, on the head, the public key with which it logs in to the nodes."""
    return ["cat", f"/home/{user}/.ssh/id_ed25519.pub"]


def write(found: Inventory, head_key: str, host_keys: Mapping[str, str]) -> list[str]:
    """The command that writes the three files, the same on every node; `host_keys` are keyed by node name."""
    home = f"/home/{found.user}/.ssh"
    files = {
        f"{home}/authorized_keys": keys.admission(head_key, str(found.interface_subnet)),
        f"{home}/known_hosts": keys.between_nodes(found, host_keys),
        f"{found.workdir}/hostfile": hostfile.hostfile([node.model_dump() for node in found.nodes]),
    }
    return ["sh", "-c", WRITE, "sh", *(word for pair in files.items() for word in pair)]


def reach(found: Inventory) -> list[str]:
    """The command that prints, on the head, the addresses of the nodes that it cannot reach."""
    return ["sh", "-c", REACH, "sh", *(node.address for node in found.nodes)]


def silent(found: Inventory, printed: str) -> str:
    """The names of the nodes whose addresses `reach` printed; empty where it reached all of them."""
    names = {node.address: node.name for node in found.nodes}
    return ", ".join(names.get(word, word) for word in printed.split())
