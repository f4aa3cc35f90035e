"""Carries out a study's commands on the head: `python -m workload.agent.commands ARCHIVE FOLDER JOB_FOLDER`.

Unpacks the archive of the program's files and runs the `commands` of the job's run.json there, one after the other.
What they print is the job's log, cut as a run's; the exit status is that of the first that fails. Where `products` is
true, all that lies there then is packed into the job's folder. The compilers of our own MPI come last on the commands'
PATH.
"""

from __future__ import annotations

import os
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from workload.agent.output import BoundedLog, OutputPipe
from workload.agent.rank_parent import MARK, unpack
from workload.record.files import read_json

LOG, PRODUCTS, RUN = "log", "products.tar", "run.json"


def carry_out(archive: Path, folder: Path, commands: Sequence[Sequence[str]], log: BoundedLog) -> int:
    """Runs the commands among the archive's files; 0 where all went well. Raises OSError, TarError."""
    folder.mkdir(parents=True)
    unpack(archive, folder)
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:{Path(sys.executable).parent}"}
    pipe = OutputPipe(log)
    try:
        for words in commands:
            log.write(f"+ {' '.join(words)}\n".encode())
            try:
                status = pipe.run(words, folder, environment)
            except OSError as error:
                log.write(f"{words[0]}: {error.strerror}\n".encode())
                return 127
            if status != 0:
                return status
    finally:
        pipe.close()
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
    kept = BoundedLog(job / LOG, f"{MARK} {job.name}")
    status = carry_out(given, where, request["commands"], kept)
    kept.close()
    if status == 0 and request["products"]:
        pack(where, job / PRODUCTS)
    sys.exit(status)
