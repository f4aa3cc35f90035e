"""Inventories for tests."""

import os
import sys
from pathlib import Path

from orchestration.clusters.inventory import Inventory, parse

ROOT = Path(__file__).resolve().parents[2]


def make_inventory(slots: int, nodes: int = 1, memory_bytes: int = 2**34, profile: str = "local") -> Inventory:
    document = {
        "schema_version": 1,
        "cluster": "test",
        "profile": profile,
        "default_study": "quick",
        "python": sys.executable,
        "workdir": str(ROOT),
        "launcher": "local",
        "transport": "auto",
        "created_at": "2026-01-01T00:00:00Z",
        "nodes": [
            {"name": f"node{n + 1}", "address": _address(n), "slots": slots, "memory_bytes": memory_bytes}
            for n in range(nodes)
        ],
    }
    return parse(document, "test")


def _address(index: int) -> str:
    """The first node is this machine."""
    return f"10.0.0.{index + 1}" if index else os.uname().nodename
