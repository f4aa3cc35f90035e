"""Brings the workload from the head to every node by MPI broadcast, one rank a node, and switches all to it at once.

Goes, bundled, to nodes that have no workload yet: `python -m mpi4py -c <text> <arguments>`.
Arguments: the work folder, the release's digest, and the SHA-256 of its archive, releases/<digest>.tar on the head.
Rank 0 prints {"nodes": [{"node", "received", "error"}]}, one for each rank.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mpi4py import MPI

from workload.record.digest import code_digest, file_digest

RELEASES = "releases"
LINK = "workload"
DIGEST = re.compile(r"[0-9a-f]{64}")
YOUNG_S = 3600.0


@dataclass(frozen=True)
class Release:
    """What every node is to have at releases/<digest> in its work folder `root`."""

    root: Path
    digest: str
    sha256: str

    @property
    def folder(self) -> Path:
        return self.root / RELEASES / self.digest

    @property
    def archive(self) -> Path:
        """The archive, on the head only."""
        return self.root / RELEASES / f"{self.digest}.tar"

    def is_there(self) -> bool:
        """Whether the node has it. Reads its files again, since somebody may have edited them."""
        return code_digest(self.folder) == self.digest

    def put(self, archive: Path) -> None:
        """Unpacks the archive that was received. Raises OSError, ValueError, tarfile.TarError."""
        if (found := file_digest(archive)) != self.sha256:
            raise ValueError(f"the archive arrived with digest {found[:16]}, not {self.sha256[:16]}: push again")
        partial = archive.with_name(f"{archive.name}.d")
        try:
            unpack(archive, partial)
            self.folder.parent.mkdir(exist_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            partial.replace(self.folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def switch(self) -> None:
        """Points the link at it. Raises OSError, ValueError if a folder is in the link's place."""
        link, wanted = self.root / LINK, f"{RELEASES}/{self.digest}"
        if link.exists() and not link.is_symlink():
            if code_digest(link) != self.digest:
                raise ValueError(f"{link} is a folder, not a link to a release: move it away")
        elif not link.is_symlink() or str(link.readlink()) != wanted:
            before = link.readlink().name if link.is_symlink() else None
            partial = link.with_name(f".{LINK}-{unique()}")
            partial.symlink_to(wanted)
            partial.replace(link)
            self._prune(before)

    def _prune(self, before: str | None) -> None:
        """Removes old releases except this one and the previous one. A young one may belong to a push under way."""
        for path in self.folder.parent.iterdir():
            name = path.name.removesuffix(".tar")
            if name in (self.digest, before) or not DIGEST.fullmatch(name) or path.is_symlink():
                continue
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime < YOUNG_S:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.suffix == ".tar":
                    path.unlink()


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks regular files below the folder. Raises OSError, ValueError for anything else in the archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isreg() or path.is_absolute() or ".." in path.parts:
                raise ValueError(f"the archive holds {member.name!r}, which is not a regular file below its root")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            target.write_bytes(content.read() if content is not None else b"")


def unique() -> str:
    """A part of the names of partial files: all nodes may share the folder."""
    return f"{socket.gethostname()}-{os.getpid()}"


class Receiver:
    """This rank's node. After an error it still takes part in what all ranks do together, and keeps the error."""

    def __init__(self, comm: MPI.Intracomm, release: Release) -> None:
        self.comm = comm
        self.release = release
        self.received = False
        self.error: str | None = None
        self.partial = release.root / f".receiving-{unique()}"

    def take(self) -> None:
        """Brings the release to this node; the head goes first, so that a folder that all share is written once."""
        if self.comm.rank == 0 and not self._guarded(self.release.is_there):
            self._guarded(self._put, self.release.archive)
        self.comm.Barrier()
        lacking = not self._guarded(self.release.is_there)
        if self.comm.allreduce(lacking, op=MPI.LOR):
            self._broadcast(lacking)

    def switch(self) -> None:
        """Points the link at the release once every node has it: all nodes switch, or none."""
        if not self.comm.allreduce(self.error is not None, op=MPI.LOR):
            self._guarded(self.release.switch)

    def _broadcast(self, lacking: bool) -> None:
        content = self._guarded(self.release.archive.read_bytes) if self.comm.rank == 0 else None
        content = self.comm.bcast(content)
        if lacking and content is not None:
            self._guarded(self._write, content)

    def _write(self, content: bytes) -> None:
        try:
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            self.partial.write_bytes(content)
            self._put(self.partial)
        finally:
            self.partial.unlink(missing_ok=True)

    def _put(self, archive: Path) -> None:
        self.release.put(archive)
        self.received = True

    def _guarded(self, action: Callable[..., Any], *arguments: Any) -> Any:
        """The action's answer, None if it fails. The error is kept, since the other ranks wait for this one."""
        try:
            return action(*arguments)
        except (OSError, ValueError, tarfile.TarError) as error:
            self.error = self.error or f"{type(error).__name__}: {error}"
            return None


def receive(comm: MPI.Intracomm, release: Release) -> list[dict[str, Any]] | None:
    """Takes the release and switches to it. Returns what became of each node at rank 0, None elsewhere."""
    node = Receiver(comm, release)
    node.take()
    node.switch()
    return comm.gather({"node": socket.gethostname(), "received": node.received, "error": node.error})


if __name__ == "__main__":
    told = receive(MPI.COMM_WORLD, Release(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
    if told is not None:
        print(json.dumps({"nodes": told}), flush=True)
