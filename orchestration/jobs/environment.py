"""What of a person's environment a job is started with. Nothing else decides that."""

from __future__ import annotations

from collections.abc import Mapping

KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TMPDIR", "USER")


def kept_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a job inherits: never PYTHONPATH, thread counts or MPI settings of the person's own."""
    return {name: environment[name] for name in KEPT_VARIABLES if name in environment}
