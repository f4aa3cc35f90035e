"""What the engine says of a small cluster, for the program in fake_pulumi.py."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

SUBNET = "10.0.0.0/24"
HOST_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIGm6dZ4aXUpsMQfIPLq1EEXsTSjbKEjrRxDUa1KgJxQm"


def outputs(nodes: int = 2, lifetime_s: int = 14400, expires: str = "2099-01-01T04:00:00Z") -> dict[str, Any]:
    """As docs/formats.md has them."""
    found = [
        {
            "name": f"node{n}",
            "address": f"10.0.0.{n + 1}",
            "slots": 1,
            "memory_bytes": 2**32,
            "machine_type": "e2-medium",
            "ssh": {"via": "direct", "host": "127.0.0.1", "port": 9} if n == 1 else {"via": "head"},
        }
        for n in range(1, nodes + 1)
    ]
    item = {"count": nodes, "unit": "machine", "source": "Google's price list", "date": "2026-07-30"}
    return {
        "hostfile": "".join(f"10.0.0.{n + 1} slots=1\n" for n in range(1, nodes + 1)),
        "lifetime_s": lifetime_s,
        "price": {
            "currency": "USD",
            "amount_per_hour": 0.5,
            "amount_for_lifetime": 0.5 * lifetime_s / 3600,
            "items": [{"item": "machine e2-medium", "amount_per_hour": 0.5, **item}],
        },
        "quota": [{"metric": "CPUS", "needed": 2 * nodes}, {"metric": "IN_USE_ADDRESSES", "needed": 1}],
        "access": {
            "project": "lab",
            "region": "us-central1",
            "zone": "us-central1-a",
            "ssh_from": ["203.0.113.0/24"],
            "open_ports": [{"protocol": "tcp", "ports": ["22"], "from": ["203.0.113.0/24"], "to": "node1"}],
        },
        "instances": [
            {"node": f"node{n}", "name": f"convscale-fat-node{n}", "zone": "us-central1-a"} for n in range(1, nodes + 1)
        ],
        "inventory": {
            "schema_version": 1,
            "cluster": "fat",
            "profile": "fat",
            "default_study": "paper",
            "python": "/opt/convscale/venv/bin/python",
            "workdir": "/opt/convscale",
            "user": "convscale",
            "key_file": "id_ed25519",
            "known_hosts": "known_hosts",
            "interface_subnet": SUBNET,
            "executor": "ssh",
            "transport": "tcp",
            "created_at": "2026-01-01T00:00:00Z",
            "expires_at": expires,
            "price": {"amount_per_hour": 0.5, "currency": "USD", "date": "2026-07-30"},
            "nodes": found,
        },
    }


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:fat::convscale::{kind}::{name}"


def step(op: str, kind: str, name: str, **new: Any) -> dict[str, Any]:
    state = {"type": kind, "urn": urn(kind, name), "id": "", "parent": "", "provider": "", **new}
    return {"op": op, "urn": urn(kind, name), "type": kind, "provider": "", "old": None, "new": state}


def begins(op: str, name: str, kind: str = "gcp:compute/instance:Instance") -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": step(op, kind, name)}}


def differs(op: str, name: str, path: str, old: Any, new: Any, replaces: bool = True) -> dict[str, Any]:
    """A planned step for a property, at the top of a node's inputs."""
    metadata = step(op, "gcp:compute/instance:Instance", name, inputs={path: new})
    metadata["old"] = metadata["new"] | {"inputs": {path: old}}
    kind = "update-replace" if replaces else "update"
    return {
        "resourcePreEvent": {"metadata": metadata | {"detailedDiff": {path: {"diffKind": kind, "inputDiff": True}}}}
    }


def ends(op: str, name: str, kind: str = "gcp:compute/instance:Instance") -> dict[str, Any]:
    return {"resOutputsEvent": {"metadata": step(op, kind, name)}}


def puts_out(values: dict[str, Any]) -> dict[str, Any]:
    stack = step("create", "pulumi:pulumi:Stack", "convscale-fat", outputs=values)
    return {"resOutputsEvent": {"metadata": stack}}


def says(message: str, severity: str = "error", name: str = "") -> dict[str, Any]:
    event = {"message": message, "color": "raw", "severity": severity}
    return {"diagnosticEvent": event | ({"urn": urn("gcp:compute/instance:Instance", name)} if name else {})}


def breaks_policy(message: str, level: str = "mandatory") -> dict[str, Any]:
    event = {"message": message, "color": "raw", "policyName": "no-open-ssh", "policyPackName": "convscale",
             "policyPackVersion": "1", "policyPackVersionTag": "1", "enforcementLevel": level,
             "resourceUrn": urn("gcp:compute/firewall:Firewall", "convscale-fat-ssh")}  # fmt: skip
    return {"policyEvent": event}


SUMMARY = {"summaryEvent": {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": {}, "PolicyPacks": {}}}


def deployment(resources: int, pending: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An exported state."""
    kind = "gcp:compute/instance:Instance"
    held = [{"urn": urn(kind, f"node{n}"), "type": kind} for n in range(resources)]
    manifest = {"time": "2026-01-01T00:00:00Z"}
    found = {"manifest": manifest, "resources": held, "pending_operations": pending or []}
    return {"version": 3, "deployment": found}


def new_cluster(nodes: int = 2) -> dict[str, Any]:
    """Nothing is there; up makes the nodes; destroy takes them away."""
    names = [f"convscale-fat-node{n}" for n in range(1, nodes + 1)]
    made = outputs(nodes)
    return {
        "deployment": deployment(0),
        "outputs": {},
        "preview": {"events": [*(begins("create", name) for name in names), puts_out(made), SUMMARY]},
        "up": {
            "events": [*(ends("create", name) for name in names), puts_out(made), SUMMARY],
            "then": {"deployment": deployment(nodes), "outputs": made},
        },
        "destroy": {
            "events": [*(ends("delete", name) for name in names), SUMMARY],
            "then": {"deployment": deployment(0), "outputs": {}},
        },
    }


def living_cluster(**changes: Any) -> dict[str, Any]:
    """It stands, and nothing changes."""
    made = outputs(**changes)
    quiet = {"events": [puts_out(outputs()), SUMMARY]}
    return {"deployment": deployment(2), "outputs": made, "preview": quiet, "refresh": {"events": [SUMMARY]}}


class Engine:
    """The program, installed in a folder of its own for PATH."""

    def __init__(self, folder: Path, plays: dict[str, Any]) -> None:
        self.folder = folder
        folder.mkdir()
        program = Path(__file__).with_name("fake_pulumi.py")
        shutil.copy(program, folder / "fake_pulumi.py")
        start = folder / "pulumi"
        start.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{folder}/fake_pulumi.py" "$@"\n')
        start.chmod(0o755)
        self.play(plays)

    def play(self, plays: dict[str, Any]) -> None:
        (self.folder / "plays.json").write_text(json.dumps(plays))

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def called(self, name: str) -> int:
        """How often a command was given."""
        return sum(call == name or call.startswith(f"{name} ") for call in self.calls)
