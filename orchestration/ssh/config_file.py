"""A configuration file for `ssh -F`, with which ssh, scp and rsync reach a cluster's nodes by their names."""

from __future__ import annotations

from pathlib import Path

from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.ssh.known_hosts import reached_at


def text(inventory: Inventory, key: Path | None, known_hosts: Path) -> str:
    """The file: one `Host` a node; only pinned keys are accepted. Raises Refusal for a path that ssh cannot read."""
    common = {
        "User": inventory.user or "",
        "UserKnownHostsFile": _quoted(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "ServerAliveInterval": "5",
    }
    if key is not None:
        common |= {"IdentityFile": _quoted(key), "IdentitiesOnly": "yes"}
    hosts = [_block(node.name, _reach(inventory, node)) for node in inventory.nodes]
    return "\n".join([*hosts, _block("*", {name: value for name, value in common.items() if value})])


def _block(host: str, settings: dict[str, str]) -> str:
    return f"Host {host}\n" + "".join(f"  {name} {value}\n" for name, value in settings.items())


def _reach(inventory: Inventory, node: Node) -> dict[str, str]:
    host, port = reached_at(node)
    reach = {"HostName": host, "Port": str(port)}
    ssh = node.ssh
    if ssh is not None and ssh.via == "head":
        reach["ProxyJump"] = inventory.nodes[0].name
    if ssh is not None and ssh.via == "iap":
        # every word is a Name, without characters that a shell or ssh's % would interpret
        tunnel = f"gcloud compute start-iap-tunnel {ssh.instance} 22 --project={ssh.project} --zone={ssh.zone}"
        reach["ProxyCommand"] = f"{tunnel} --listen-on-stdin"
    return reach


def _quoted(path: Path) -> str:
    word = str(path)
    if any(letter in word for letter in '"%\n\r'):
        raise Refusal(
            f"{word!r} cannot be written in ssh's configuration: move the checkout to a path without quotes and %"
        )
    return f'"{word}"'
