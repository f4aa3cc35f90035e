"""Carries out a study's commands on the head: `python -m workload.agent.commands ARCHIVE FOLDER JOB_FOLDER`.

Unpacks the archive of the program's files and runs the `commands` of the job's run.json there, one after the other.
What they print is the job's log; the exit status is that of the first that fails. Where `products` is true, all that
lies there then is packed into the job's folder. The compilers of our own MPI come last on the commands' PATH.
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

PRODUCTS, RUN = "products.tar", "run.json"


def carry_out(archive: Path, folder: Path, commands: Sequence[Sequence[str]]) -> int:
    """Runs the commands among the archive's files; 0 where all went well. Raises OSError, TarError."""
    folder.mkdir(parents=True)
    unpack(archive, folder)
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
    given, where, job = map(Path, sys.argv[1:4])
    request = read_json(job / RUN)
    status = carry_out(given, where, request["commands"])
    if status == 0 and request["products"]:
        pack(where, job / PRODUCTS)
    sys.exit(status)
