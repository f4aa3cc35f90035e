"""Checks the description that a node gives of itself, because data from nodes is not trusted. Pure."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from typing import Any

from orchestration.clusters.inventory import Inventory, Node
from orchestration.executors.remote.fanout import Answer
from workload.record.schema import check_shape

OPTIONAL_NUMBER = (int, type(None))
SURVEY_SHAPE = {
    "hostname": str,
    "uid": int,
    "boot_id": str,
    "time": float,
    "environment": dict,
    "python": str,
    "packages": dict,
    "mpirun": bool,
    "workload": (str, type(None)),
    "machine": (dict, str),
    "shared": bool,
    "writable": bool,
    "disk_free_bytes": OPTIONAL_NUMBER,
    "temporary_free_bytes": OPTIONAL_NUMBER,
    "shared_memory_free_bytes": OPTIONAL_NUMBER,
    "addresses": (list, type(None)),
    "fabrics": [str],
    "strays": [{"pid": int, "token": str}],
    "lease": (dict, type(None)),
}
LEASE_SHAPE = {"sweep": str, "folder": str, "who": str}
MACHINE_SHAPE = {
    "node": str,
    "boot_id": str,
    "cpu_model": str,
    "cores": int,
    "threads": int,
    "memory_bytes": int,
    "cgroup_memory_bytes": OPTIONAL_NUMBER,
}
OPTIONAL_TEXT = (str, type(None))
GPU_SHAPE = {
    "name": OPTIONAL_TEXT,
    "driver": OPTIONAL_TEXT,
    "memory_bytes": OPTIONAL_NUMBER,
    "memory_free_bytes": OPTIONAL_NUMBER,
    "processes": OPTIONAL_NUMBER,
}


def parse(answer: Answer) -> dict[str, Any] | Answer:
    """A node's description, its shape proved; the answer itself where it is none."""
    try:
        document: dict[str, Any] = printable(json.loads(answer.out)) if answer.status == 0 else {}
        check_shape(document, SURVEY_SHAPE, "the description")
        if isinstance(document["machine"], dict):
            check_shape(document["machine"], MACHINE_SHAPE, "the description's machine")
            check_shape(document["machine"].get("idle_gpus") or [], [GPU_SHAPE], "the description's idle_gpus")
        if document["lease"] is not None:
            check_shape(document["lease"], LEASE_SHAPE, "the description's lease")
        for address in document["addresses"] or []:
            ipaddress.ip_address(address)
    except (ValueError, RecursionError) as error:
        return answer if answer.status != 0 else replace(answer, err=f"no description: {printable(str(error))}")
    return {**document, "began": answer.began, "ended": answer.ended}


def printable(value: Any) -> Any:
    """The value without characters that would control a terminal."""
    if isinstance(value, str):
        return "".join(character if character.isprintable() else " " for character in value[:4000])
    if isinstance(value, list):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {printable(name): printable(item) for name, item in value.items()}
    return value


def unreached(inventory: Inventory, node: Node, why: str) -> str:
    """Why a node gave no answer, and what to do."""
    if inventory.slurm is not None:
        return f"{node.name}: {why}: 'scontrol show node {node.name}' says more"
    head = inventory.nodes[0].name
    place = f"{node.name} ({node.address}) from {head}"
    if "Host key verification failed" in why or "REMOTE HOST IDENTIFICATION" in why:
        return f"{place}: its host key is not the pinned one: if it was made anew, pin it with 'fab trust'"
    if "Permission denied" in why:
        return f"{place}: it refuses the head's key: put the head's ~/.ssh/id_*.pub into its authorized_keys"
    if "No such file" in why or "not found" in why:
        return f"{place}: {why}: install the pinned packages there, at {inventory.python}"
    return f"{place}: {why}: is it up, and its address right?"
