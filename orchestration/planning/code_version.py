"""Which code is run: the digest of workload/, and the commit it came from."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from workload.record.run import Workload


def digest(folder: Path) -> str:
    """SHA-256 over the sorted relative paths and the contents of the folder's .py files."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()


def describe(root: Path) -> Workload:
    """The workload under `root`; commit and dirtiness are None where there is no git or no repository."""
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--", "workload") if commit else None
    return Workload(
        digest=digest(root / "workload"), git_commit=commit, git_dirty=None if status is None else bool(status)
    )


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  a fixed program with fixed arguments
            ["git", "-C", str(root), *arguments],  # noqa: S607  wherever the person's git lies
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
