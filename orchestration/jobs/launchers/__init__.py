"""The register of launchers. To add one: a file with a class that follows launcher.Launcher, and an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.clusters.inventory import SlurmJob
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
SRUN = Srun.name
MPIRUN = "mpirun"  # the launcher of an MPI itself, where a Slurm job could have srun in its place
REMEDY = "leave launcher out of cluster.toml for what works, or choose mpirun"
OF_RANKS = tuple(name for name in LAUNCHERS if name != Direct.name)  # what a study may name as its program's MPI


def find(name: str, job: SlurmJob | None = None) -> Launcher:
    """The launcher of that name, or in a Slurm job srun in its place. Raises Refusal naming the nearest one.

    The job's cluster may choose srun or the MPI's own launcher. Else srun starts the ranks, unless the ways in which it
    does are known, and that of the MPI is not among them. Raises Refusal where srun is chosen all the same.
    """
    if name not in LAUNCHERS:
        raise Refusal(unknown("launcher", name, tuple(LAUNCHERS)))
    found = LAUNCHERS[name]
    if job is None or name not in OF_RANKS:
        return found
    chosen, lacking = job.launchers.get(name), bool(job.mpi) and found.pmi not in job.mpi
    if chosen == SRUN and lacking:
        raise Refusal(f"srun is chosen for {name}, but offers no {found.pmi} ({', '.join(job.mpi)}): {REMEDY}")
    return found if chosen == MPIRUN or lacking else Srun(found)


def told(name: str, job: SlurmJob | None) -> str:
    """In words, what starts ranks. Raises Refusal."""
    found = find(name, job)
    if job is None:
        return found.name
    if found.name == SRUN:
        return f"srun --mpi={found.pmi}"
    if job.launchers.get(name) == MPIRUN:
        return "mpirun, as cluster.toml chooses"
    return f"mpirun, for srun offers no {found.pmi} ({', '.join(job.mpi)})"
