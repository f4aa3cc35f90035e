"""How our own Python programs are started, here and on nodes."""

from __future__ import annotations

from pathlib import PurePath

# neither PYTHON* variables nor packages of the user's own; not -I, which would not find the workload either
ISOLATED = ("-E", "-s")


def isolated(python: str | PurePath, *words: str) -> list[str]:
    """The command that runs `python` with those arguments, for example `-m`, `mpi4py`."""
    return [str(python), *ISOLATED, *words]
