"""The environment of a person's program: what it keeps of theirs, and what records say of it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from workload.agent.environment import LIBRARY_PATH, library_path

OUR_LAUNCHER = "openmpi5"
# values of these are told, of others only that they are the same: they may hold secrets
TOLD = re.compile(
    r"^(OMPI_|PMIX_|PMI_|PRTE_|MPICH_|MPIR_|HYDRA_|I_MPI_|UCX_|FI_|OMP_|KMP_|GOMP_|MKL_|OPENBLAS_|BLIS_|LC_|LANG)"
    r"|PATH$|THREADS$|^LOADEDMODULES$"
)
HIDDEN = re.compile(r"TOKEN|SECRET|KEY|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)


def job_environment(person: Mapping[str, str], launcher: str, prefix: PurePosixPath) -> dict[str, str]:
    """What the launcher of a program is started with on this machine: the person's own, loaded modules included.

    Our library path comes first for our own Open MPI alone; `prefix` is the folder that holds it.
    """
    kept = dict(person)
    if launcher == OUR_LAUNCHER:
        kept[LIBRARY_PATH] = library_path(prefix, kept.get(LIBRARY_PATH, ""))
    return kept


def node_environment(given: Mapping[str, str], launcher: str, prefix: PurePosixPath) -> dict[str, str]:
    """The same on a cluster, whose nodes have their own: without our library path where the launcher is another's."""
    kept = dict(given)
    if launcher != OUR_LAUNCHER:
        ours = library_path(prefix).split(":")
        rest = [folder for folder in kept.pop(LIBRARY_PATH, "").split(":") if folder and folder not in ours]
        if rest:
            kept[LIBRARY_PATH] = ":".join(rest)
    return kept


def recorded(environment: Mapping[str, str]) -> dict[str, str]:
    """What a record says of it: values that concern MPI, threads, paths and locale; of others a digest."""
    return {
        name: value
        if TOLD.search(name) and not HIDDEN.search(name)
        else f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"
        for name, value in sorted(environment.items())
    }
