"""The register of launchers. To add one: a file with a class that follows launcher.Launcher, and an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.errors import Refusal
from orchestration.jobs.launchers.direct import Direct
from orchestration.jobs.launchers.launcher import Launcher
from orchestration.jobs.launchers.mpich import Mpich
from orchestration.jobs.launchers.openmpi4 import OpenMpi4
from orchestration.jobs.launchers.openmpi5 import OpenMpi5
from orchestration.jobs.launchers.srun import Srun
from orchestration.messages import unknown

DEFAULT = OpenMpi5.name
LAUNCHERS: Mapping[str, Launcher] = {
    launcher.name: launcher for launcher in (OpenMpi5(), OpenMpi4(), Mpich(), Direct())
}
OF_RANKS = tuple(name for name in LAUNCHERS if name != Direct.name)  # what a study may name as its program's MPI


def find(name: str, slurm: bool = False) -> Launcher:
    """The launcher of that name; in a Slurm job srun, in that one's place. Raises Refusal naming the nearest one."""
    if name not in LAUNCHERS:
        raise Refusal(unknown("launcher", name, tuple(LAUNCHERS)))
    found = LAUNCHERS[name]
    return Srun(found) if slurm and found.pmi != "none" else found
