"""The menu: `fab --list`. The tasks themselves are in orchestration/tasks.py."""

from orchestration.tasks import clusters, report, studies, sweep

__all__ = ["clusters", "report", "studies", "sweep"]
