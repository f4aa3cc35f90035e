"""mpiexec, the other name of mpirun: the launcher that the test of the recipe adds to a copy of the tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestration.jobs.launchers.launcher import Command, Hosts, LaunchEvidence, Scratch
from orchestration.jobs.launchers.openmpi5 import OpenMpi5
from orchestration.jobs.launchers.placement import Placement


class Mpiexec:
    """mpirun by the name that the MPI standard recommends."""

    name = "mpiexec"
    library = OpenMpi5.library
    version = OpenMpi5.version
    pmi = OpenMpi5.pmi
    rank_environment = OpenMpi5.rank_environment

    def command(self, placement: Placement, hosts: Hosts, scratch: Scratch, program: Sequence[str]) -> Command:
        """mpirun's arguments, with the other program in front."""
        made = OpenMpi5().command(placement, hosts, scratch, program)
        return replace(made, argv=[str(hosts.python.parent / "mpiexec"), *made.argv[1:]])

    def evidence(self, exit_status: int | None, log: str) -> LaunchEvidence:
        """What its log proves: the words are mpirun's."""
        return replace(OpenMpi5().evidence(exit_status, log), program="mpiexec")
