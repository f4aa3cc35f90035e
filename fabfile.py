"""The menu: `fab --list`. The tasks themselves are in orchestration/*tasks.py."""

from orchestration.tasks.clusters import clean, down, inventory, push, ssh, trust, up
from orchestration.tasks.forecast import forecast, probe
from orchestration.tasks.nodes import check, pull, status
from orchestration.tasks.sweep import audit, clusters, compare, report, studies, sweep

__all__ = [
    "audit",
    "check",
    "clean",
    "clusters",
    "compare",
    "down",
    "forecast",
    "inventory",
    "probe",
    "pull",
    "push",
    "report",
    "ssh",
    "status",
    "studies",
    "sweep",
    "trust",
    "up",
]
