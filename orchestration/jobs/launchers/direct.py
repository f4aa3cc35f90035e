"""No launcher: one process on the head, for what is done once and without MPI, as building a program."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestration.jobs.launchers.launcher import Command, Hosts, LaunchEvidence, Scratch
from orchestration.jobs.launchers.placement import Placement


class Direct:
    """The command itself."""

    name = "direct"
    library = re.compile(r"(?!)")
    version = re.compile(r"(?!)")
    pmi = "none"

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """The program's own argument list."""
        return Command(list(program), {})

    def rank_environment(self, placement: Placement, hosts: Hosts, scratch: Scratch) -> dict[str, str]:
        """Nothing."""
        return {}

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """Nothing but whether it was started."""
        return LaunchEvidence("the command", not_started="the command could not start" if exit_status is None else None)
