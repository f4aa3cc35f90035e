"""What of a person's environment a job on this machine is started with, and what of the rest would have mattered."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from workload.agent import environment as job_environment

SLURM_SETTINGS = (Path("/etc/slurm/slurm.conf"), Path("/etc/slurm-llnl/slurm.conf"), Path("/run/slurm/conf/slurm.conf"))
PARAMETER_FILES = (".openmpi/mca-params.conf", ".prte/mca-params.conf", ".pmix/mca-params.conf")
SETTINGS = ("OMPI_MCA_", "PRTE_MCA_", "PMIX_MCA_", "OPAL_PREFIX")
PYTHON_SETTINGS = ("PYTHONPATH", "PYTHONHOME")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def kept_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a job on this machine inherits."""
    return job_environment.kept_environment(environment, PurePosixPath(sys.prefix))


def outside_slurm(environment: Mapping[str, str]) -> dict[str, str]:
    """A person's environment without the words of Slurm on a job and its steps: launchers get these only when asked."""
    theirs = ("SLURM_", "SLURMD_", "PMI_", "PMIX_")
    return {name: value for name, value in environment.items() if name == "SLURM_CONF" or not name.startswith(theirs)}


def of_slurm(environment: Mapping[str, str], configured: bool) -> tuple[str, ...]:
    """A line where a sweep of this machine may measure a login node; `configured`: Slurm's commands work here."""
    if not configured or "SLURMD_NODENAME" in environment:
        return ()
    if job := environment.get("SLURM_JOB_ID"):
        return (f"this machine is no node of Slurm's job {job}: --cluster slurm measures the job's nodes",)
    return ("is this a login node of Slurm's? then others work on it, too: 'fab submit' measures nodes of its own",)


def slurm_is_configured(environment: Mapping[str, str]) -> bool:
    """Whether Slurm's commands are here, and a cluster that they are for."""
    named = "SLURM_CONF" in environment or any(path.exists() for path in SLURM_SETTINGS)
    return named and shutil.which("sbatch", path=environment.get("PATH")) is not None


def unused(environment: Mapping[str, str]) -> tuple[str, ...]:
    """A line on each thing of a person's own that would have changed the runs, and does not."""
    folders = environment.get(job_environment.LIBRARY_PATH, "").split(":")
    libraries = [folder for folder in folders if folder and _holds_mpi(Path(folder))]
    names = sorted(name for name in environment if name.startswith(SETTINGS) or name in (*PYTHON_SETTINGS, *THREADS))
    home = Path(environment.get("HOME") or job_environment.NO_HOME)
    files = [f"~/{name}" for name in PARAMETER_FILES if _says_something(home / name)]
    lines = [f"LD_LIBRARY_PATH names another MPI ({folder}): not used" for folder in libraries]
    lines += [f"settings of your own, not used: {', '.join([*names, *files])}"] if names or files else []
    return tuple(lines)


def _holds_mpi(folder: Path) -> bool:
    if folder.resolve().is_relative_to(Path(sys.prefix).resolve()):
        return False
    try:
        return any(next(folder.glob(f"{name}.so*"), None) for name in ("libmpi", "libpmix"))
    except OSError:
        return False


def _says_something(file: Path) -> bool:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)
