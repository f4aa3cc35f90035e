"""The register of launchers. To add one: a file with a class that follows launcher.Launcher, and an entry here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def find(name: str, offered: Sequence[str] | None = None) -> Launcher:
    """The launcher of that name, or in a Slurm job srun in its place. Raises Refusal naming the nearest one.

    `offered`: in a Slurm job, the ways in which its srun starts ranks; where those of the MPI are not among them, its
    own launcher does. Empty where srun does not say.
    """
    if name not in LAUNCHERS:
        raise Refusal(unknown("launcher", name, tuple(LAUNCHERS)))
    found = LAUNCHERS[name]
    if offered is None or found.pmi == "none" or (offered and found.pmi not in offered):
        return found
    return Srun(found)


def told(name: str, offered: Sequence[str] | None) -> str:
    """In words, what starts ranks. Raises Refusal."""
    found = find(name, offered)
    if offered is None:
        return found.name
    if found.name == Srun.name:
        return f"srun --mpi={found.pmi}"
    return f"mpirun, for srun offers no {found.pmi} ({', '.join(offered)})"
