"""Where this account keeps what it makes: in the project's folder where it may write there, else in one of its own.

A shared installation, a read-only tree and one that another account ran in are all of the second kind.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

NAME = "convscale"


def own_folder(preferred: Path, name: str, environment: Mapping[str, str], inside: Sequence[str] = ()) -> Path:
    """The preferred folder where it can be written, else the folder `name` of this account's state.

    `inside` are names of folders in it that must be writable too where they exist.
    """
    if all(can_write(path) for path in (preferred, *(preferred / each for each in inside))):
        return preferred
    return state_folder(environment) / name


def state_folder(environment: Mapping[str, str]) -> Path:
    """The account's folder for states (XDG), or one of its own in the temporary folder, which it alone can enter."""
    home = environment.get("HOME")
    given = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    if given.startswith("/") and can_write(Path(given) / NAME):
        return Path(given) / NAME
    return _private(Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}")


def can_write(folder: Path) -> bool:
    """True where this account can write in the folder, or make it."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _private(folder: Path) -> Path:
    """The folder, made for this account alone; another one where somebody else's, or a link, is in its place."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
            folder.chmod(0o700)
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
