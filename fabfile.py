"""The menu: `fab --list`, and the program that bin/convscale starts. The tasks are in orchestration/tasks/."""

import sys

from orchestration.tasks.clusters import clusters, down, up
from orchestration.tasks.forecast import forecast, probe
from orchestration.tasks.inventory import inventory, trust
from orchestration.tasks.nodes import check, clean, push, ssh
from orchestration.tasks.program import begin
from orchestration.tasks.pull import pull, status
from orchestration.tasks.results import audit, compare, report
from orchestration.tasks.submit import submit
from orchestration.tasks.sweep import studies, sweep

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
    "submit",
    "sweep",
    "trust",
    "up",
]

begin(sys.argv)
if __name__ == "__main__":
    from orchestration.tasks.program import run

    run(__name__)
