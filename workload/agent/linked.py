"""What a program is on this node: `python -m workload.agent.linked ARCHIVE.. -- ARGV0 [ARGV1]`, as one JSON object.

Whether it can be started, for which processor it is made, which libraries the loader finds for it, and which MPI is
among them; and which launchers there are. Nothing of it is run but the loader and, for a Python, its mpi4py.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workload.agent.rank_parent import unpack

LAUNCHER_NAMES = (
    "mpirun", "mpiexec", "mpirun.openmpi", "mpiexec.hydra", "mpiexec.mpich", "mpirun.mpich",
)  # fmt: skip
MPI_LIBRARY = re.compile(r"^lib(?:mpi|mpich|mpi_cray|mpi_mt)\.so")
ELF_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64", 0x15: "ppc64le", 0xF3: "riscv64"}
_LIBRARY_VERSION = (
    "import ctypes, sys; library = ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL); "
    "text = ctypes.create_string_buffer(8192); length = ctypes.c_int(); "
    "library.MPI_Get_library_version(text, ctypes.byref(length)); print(text.value.decode())"
)
_MPI4PY_VERSION = (
    "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
)


def describe(archives: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """The answer. Raises OSError, TarError where an archive cannot be unpacked."""
    with tempfile.TemporaryDirectory(prefix="convscale-") as folder:
        for archive in archives:
            unpack(Path(archive), Path(folder))
        os.chdir(folder)
        path = shutil.which(words[0]) if words else None
        found: dict[str, Any] = {
            "node": platform.node(), "machine": platform.machine(), "path": path, "problem": _problem(words, path),
            "made_for": None, "libraries": {}, "missing": [], "mpi": None, "mpi_version": None,
            "launchers": launchers(),
        }  # fmt: skip
        if path is not None:
            found |= _of_file(Path(path), words)
        os.chdir("/")
    return found


def _problem(words: Sequence[str], path: str | None) -> str:
    if path is not None or not words:
        return ""
    there = Path(words[0])
    if there.is_file() and there.stat().st_mode & 0o100:
        return f"{words[0]} cannot be executed in {Path.cwd().parent}, which is mounted noexec: mount it with exec"
    if there.is_file():
        return f"{words[0]} is not executable: chmod +x {words[0]}"
    return f"{words[0]} is not there: name it in files, or install it"


def _of_file(path: Path, words: Sequence[str]) -> dict[str, Any]:
    head = path.read_bytes()[:20] if path.is_file() else b""
    if head[:4] != b"\x7fELF":
        return {}
    made_for = ELF_MACHINES.get(int.from_bytes(head[18:20], "little"), "another processor")
    libraries, missing = loaded(path)
    mpi = next((item for name, item in libraries.items() if MPI_LIBRARY.match(name)), None)
    version = _said(sys.executable, "-c", _LIBRARY_VERSION, mpi) if mpi else None
    if mpi is None and re.match(r"python[\d.]*$", path.name) and len(words) > 1:
        version = _said(words[0], "-c", _MPI4PY_VERSION)
        mpi = "mpi4py" if version else None
    return {"made_for": made_for, "libraries": libraries, "missing": missing, "mpi": mpi, "mpi_version": version}


def loaded(path: Path) -> tuple[dict[str, str], list[str]]:
    """Libraries by name with the file that the loader takes, and those that it does not find."""
    text = _said("ldd", str(path)) or ""
    found, missing = {}, []
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" => ")
        if rest.startswith("not found"):
            missing.append(name)
        elif rest:
            found[name] = rest.split(" (")[0]
    return found, missing


def launchers() -> list[dict[str, str]]:
    """Every launcher on the path and beside this Python, with what it says of its version."""
    folders = [*os.environ.get("PATH", os.defpath).split(":"), str(Path(sys.executable).parent)]
    # of /bin and /usr/bin, which are one folder, the latter: Open MPI 4 takes a path's folders for its prefix
    paths = {str(Path(folder).resolve() / name) for folder in folders if folder for name in LAUNCHER_NAMES}
    real: dict[str, str] = {}
    for path in sorted(paths, key=lambda item: (len(item), item)):
        if os.access(path, os.X_OK):
            real.setdefault(os.path.realpath(path), path)
    return [{"path": path, "says": (_said(path, "--version") or "")[:400]} for path in real.values()]


def _said(*argv: str) -> str | None:
    """What a command prints; None where it fails."""
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    try:
        done = subprocess.run(  # noqa: S603  fixed programs and the person's own Python
            argv, capture_output=True, text=True, errors="replace", timeout=30, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    end = sys.argv.index("--")
    print(json.dumps(describe(sys.argv[1:end], sys.argv[end + 1 :])))
