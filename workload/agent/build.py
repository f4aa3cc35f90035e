"""Builds a program on the head: `python -m workload.agent.build SOURCES FOLDER PRODUCTS REQUEST`.

Unpacks the archive of its sources, runs the request's `commands` one after the other, and packs all that lies there
then. What the commands print is the job's log; the exit status is that of the first that fails. The compilers of our
own MPI come last on their PATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from workload.agent.rank_parent import unpack
from workload.record.files import read_json


def build(sources: Path, folder: Path, products: Path, commands: Sequence[Sequence[str]]) -> int:
    """Carries the commands out; 0 where all went well. Raises OSError, TarError."""
    folder.mkdir(parents=True)
    unpack(sources, folder)
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:{Path(sys.executable).parent}"}
    for words in commands:
        print("+", *words, flush=True)
        try:
            done = subprocess.run(  # noqa: S603  the person's own
                list(words), cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=False
            )
        except OSError as error:
            print(f"{words[0]}: {error.strerror}", flush=True)
            return 127
        if done.returncode != 0:
            return done.returncode if done.returncode > 0 else 128 - done.returncode
    pack(folder, products)
    return 0


def pack(folder: Path, target: Path) -> None:
    """The folder's files, the same bytes for the same content."""
    partial = target.with_name(f".{target.name}")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*"), key=lambda item: item.relative_to(folder).as_posix()):
            if path.is_file() and not path.is_symlink():
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                member.size, member.mode = path.stat().st_size, 0o755 if path.stat().st_mode & 0o100 else 0o644
                with path.open("rb") as file:
                    tar.addfile(member, file)
    partial.rename(target)


if __name__ == "__main__":
    archive, where, made, request = map(Path, sys.argv[1:5])
    sys.exit(build(archive, where, made, read_json(request)["commands"]))
