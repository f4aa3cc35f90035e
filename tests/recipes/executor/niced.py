"""Jobs on this machine at a lower priority: the executor that the test of the recipe adds to a copy of the tree."""

from __future__ import annotations

import json
import os
from pathlib import Path

from orchestration.executors.local import LocalExecutor

NICE = 5


class NicedExecutor(LocalExecutor):
    """This machine, its jobs nicer to other programs than the operator is. `niced.jsonl` lists the jobs."""

    def start(self, job: Path) -> None:
        """Starts the supervisor of the job's folder, detached. Raises OSError."""
        super().start(job)
        who = self._children[job].pid
        os.setpriority(os.PRIO_PROCESS, who, NICE)
        with (self.root / "niced.jsonl").open("a") as file:
            file.write(json.dumps({"job": job.name, "nice": os.getpriority(os.PRIO_PROCESS, who)}) + "\n")
