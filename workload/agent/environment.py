"""What of a node's environment a job's processes are started with. Nothing else decides that, on any machine.

Standard library only: `survey` is sent to nodes as text, with this in front of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

# SLURM_CONF names a file, and nothing of a job
KEPT_VARIABLES = (
    "CONVSCALE_LOCK", "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SLURM_CONF", "TMPDIR", "USER", "XDG_CACHE_HOME",
)  # fmt: skip
LIBRARY_PATH = "LD_LIBRARY_PATH"
# Open MPI, PRRTE, PMIx and UCX read settings of a person's own under it
NO_HOME = "/dev/null"
PREFIXES = ("PRTE_PREFIX", "PMIX_PREFIX")  # mpirun tells its daemons by these where its files lie


def kept_environment(environment: Mapping[str, str], prefix: PurePosixPath) -> dict[str, str]:
    """The variables that a job inherits, where `prefix` is the folder that holds the nodes' Python and Open MPI.

    Never PYTHONPATH, thread counts or MPI settings of a person's own; of several MPI libraries always ours.
    """
    kept = {name: environment[name] for name in KEPT_VARIABLES if environment.get(name)}
    if "HOME" in kept:  # mpirun gets another HOME, and compiled kernels are still to be found again
        kept.setdefault("XDG_CACHE_HOME", f"{kept['HOME']}/.cache")
    kept[LIBRARY_PATH] = library_path(prefix, environment.get(LIBRARY_PATH, ""))
    return kept


def daemon_environment(environment: Mapping[str, str], prefix: PurePosixPath) -> dict[str, str]:
    """The variables of Open MPI's daemon on a node that is not the head, and so of its ranks."""
    told = {name: environment[name] for name in PREFIXES if name in environment}
    return {**kept_environment(environment, prefix), **told, "HOME": NO_HOME}


def library_path(prefix: PurePosixPath, given: str = "") -> str:
    """Where libraries are looked for: in our own folders first, then in the given ones."""
    own = [str(prefix / "lib"), str(prefix / "lib" / "openmpi")]
    return ":".join([*own, *(folder for folder in given.split(":") if folder and folder not in own)])
