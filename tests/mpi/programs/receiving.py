"""Three nodes, three folders, receive a release; arguments: answer, folder of them, digest, SHA-256, broken rank."""

import json
import sys
from pathlib import Path

from mpi4py import MPI

from workload.agent.standalone.receive import Release, receive

comm = MPI.COMM_WORLD
answer, folder, digest, sha256, broken = sys.argv[1:]
root = Path(folder) / f"node{comm.rank}"
if comm.rank == int(broken):  # its releases/ is a file, so that nothing can be put there
    root.mkdir()
    (root / "releases").write_text("")
told = receive(comm, Release(root, digest, sha256))
if told is not None:
    Path(answer).write_text(json.dumps(told))
