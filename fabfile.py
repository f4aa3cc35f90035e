"""The menu: `fab --list`. The tasks themselves are in orchestration/*tasks.py."""

from orchestration.cluster_tasks import clean, down, inventory, push, ssh, trust, up
from orchestration.forecast_tasks import forecast, probe
from orchestration.node_tasks import check, pull, status
from orchestration.tasks import audit, clusters, compare, report, studies, sweep

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
