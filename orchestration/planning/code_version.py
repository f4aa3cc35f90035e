"""Which code is run: the digest of workload/ and its git commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from workload.record.digest import code_digest
from workload.record.run import Workload


def describe(root: Path) -> Workload:
    """The workload under `root`; commit and dirtiness are None where there is no git or no repository."""
    commit, dirty = git_state(root, "workload")
    return Workload(digest=code_digest(root / "workload") or "", git_commit=commit, git_dirty=dirty)


def git_state(folder: Path, below: str = ".") -> tuple[str | None, bool | None]:
    """The commit of a folder, and whether what lies `below` it differs from that; None where git knows neither."""
    commit = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain", "--", below) if commit else None
    return commit, None if status is None else bool(status)


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
