"""`fab push`: what the ranks run, one copy to the head, and from there to every node by one mpirun that broadcasts.

The operator's connections, bytes and work do not depend on the number of nodes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from infra.hostfile import hostfile
from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.executors.remote.lease import taken
from orchestration.jobs import launchers
from orchestration.jobs.launchers.launcher import Hosts, RemoteShell, Scratch
from orchestration.jobs.launchers.placement import NodeCpus, Placement
from orchestration.python import isolated
from orchestration.ssh.connection import Connection, Done, UnreachableError, node_known_hosts, target
from workload.agent.environment import LIBRARY_PATH, library_path
from workload.agent.standalone.bundle import bundle
from workload.record.digest import code_digest

LIMIT_S = 300.0
FOLDERS = ("releases", "images", "jobs")
SCRATCH = Scratch(session=PurePosixPath("/tmp"), shared_memory=PurePosixPath("/dev/shm"))  # noqa: S108  seconds long


@dataclass(frozen=True)
class Pushed:
    """What a push did: the workload's digest, bytes sent to the head, and which nodes lacked something."""

    digest: str
    sent_bytes: int
    changed: Sequence[str]


def archive(folder: Path) -> bytes:
    """The folder's Python files as a tar, the same bytes for the same content."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            content = path.read_bytes()
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def command(inventory: Inventory, folder: PurePosixPath, program: Sequence[str]) -> list[str]:
    """The command on the head: one rank a node; `folder` holds hostfile and known_hosts, `program` follows mpi4py."""
    python = PurePosixPath(inventory.python)
    hosts = Hosts(
        python=python,
        cpus=NodeCpus(0, 0),  # a node may have none to spare: its rank yields
        transport="tcp",
        interface_subnet=inventory.interface_subnet,
        hostfile=folder / "hostfile",
        shell=RemoteShell(folder / "known_hosts", inventory.user or "", PurePosixPath(inventory.workdir)),
    )
    placement = Placement(len(inventory.nodes), len(inventory.nodes), ranks_per_node=1)
    ranks = isolated(python, "-m", "mpi4py", *program)
    made = launchers.find(launchers.DEFAULT).command(placement, hosts, SCRATCH, ranks)
    environment = {**made.environment, LIBRARY_PATH: library_path(python.parents[1])}
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ["timeout", "--kill-after", "5", f"{LIMIT_S:.0f}", "env", *variables, *made.argv]


def push(inventory: Inventory, root: Path) -> Pushed:
    """Makes the workload under `root` lie on every node, and every node's link point to it.

    Raises Refusal where a node cannot be reached or cannot take it.
    """
    head = Connection(target(inventory, inventory.nodes[0]))
    try:
        return _push(inventory, root, head)
    except UnreachableError as error:
        raise Refusal(f"the workload cannot be pushed ({error}): 'fab check' says what is wrong") from error
    finally:
        head.close()


def _push(inventory: Inventory, root: Path, head: Connection) -> Pushed:
    release, content = code_digest(root / "workload") or "", archive(root / "workload")
    _refuse_held(inventory, root, release, head)
    sha256 = hashlib.sha256(content).hexdigest()
    workdir = PurePosixPath(inventory.workdir)
    folder = workdir / f".push-{uuid4().hex}"
    made = head.run(["mkdir", "-p", *(str(workdir / name) for name in FOLDERS), str(folder)])
    if made.status != 0:
        raise Refusal(f"{head.target.label}: {_last(made)}: make {workdir} a folder that {inventory.user} may write to")
    nodes = [{**node.model_dump(), "slots": 1} for node in inventory.nodes]  # a rank a node
    own = {"hostfile": hostfile(nodes).encode(), "known_hosts": node_known_hosts(inventory).encode()}
    try:
        sent = _put_archive(head, workdir / "releases" / f"{release}.tar", content, sha256)
        sent += sum(_put(head, folder / name, item) for name, item in own.items())
        program = ["-c", bundle("receive"), inventory.workdir, release, sha256]
        done = head.run(command(inventory, folder, program), limit_s=LIMIT_S + 10)
    finally:
        head.run(["rm", "-rf", str(folder)])
    return Pushed(release, sent, _changed(done))


def _refuse_held(inventory: Inventory, root: Path, release: str, head: Connection) -> None:
    """Raises Refusal where a sweep is at work on another workload: its next runs would be of ours."""
    text = (root / "workload" / "agent" / "lease.py").read_text(encoding="utf-8")
    done = head.run(isolated(inventory.python, "-c", text, inventory.workdir))
    try:
        document = json.loads(done.out)
        other, there = document["holder"], document["release"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return  # no Python there, or none that answers: what follows says so
    if isinstance(other, dict) and there != release:
        raise Refusal(f"cluster {inventory.cluster} {taken(other)}")


def _put_archive(head: Connection, path: PurePosixPath, content: bytes, sha256: str) -> int:
    """Brings the archive to the head unless it lies there, whole; the bytes that were sent."""
    if head.run(["sha256sum", str(path)]).out.decode(errors="replace").split()[:1] == [sha256]:
        return 0
    return _put(head, path, content)


def _put(head: Connection, path: PurePosixPath, content: bytes) -> int:
    """Writes a file on the head, whole or not at all; the bytes that were sent."""
    files = head.files()
    partial = f"{path}.partial-{uuid4().hex}"
    with head.explained():
        with files.open(partial, "wb") as file:
            file.set_pipelined(True)
            file.write(content)
        files.posix_rename(partial, str(path))
    return len(content)


def _changed(done: Done) -> list[str]:
    """The nodes that received something. Raises Refusal: the nodes that could not take it, or why mpirun failed."""
    answers = _answers(done)
    if answers is None:
        raise Refusal(f"the workload cannot be pushed from the head to the nodes: {_last(done)}")
    if wrong := [f"{item['node']} ({item['error']})" for item in answers if item["error"]]:
        raise Refusal(f"the workload cannot be put on {', '.join(wrong)}: the old one stays in use; mend that")
    return [item["node"] for item in answers if item["received"]]


def _answers(done: Done) -> list[dict[str, Any]] | None:
    """What rank 0 printed; None where mpirun failed, or printed something else."""
    if done.status != 0:
        return None
    for line in done.out.decode(errors="replace").splitlines():
        try:
            return [_answer(item) for item in json.loads(line)["nodes"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return None


def _answer(item: dict[str, Any]) -> dict[str, Any]:
    """One node's, cut to what a line can hold, whatever came. Raises KeyError, TypeError."""
    error = item["error"]
    return {
        "node": str(item["node"])[:80],
        "received": bool(item["received"]),
        "error": None if error is None else str(error)[:300],
    }


def _last(done: Done) -> str:
    """The last line that says something."""
    lines = (done.err or done.out).decode(errors="replace").splitlines()
    words = [line.strip() for line in lines if any(letter.isalnum() for letter in line)]
    return (words[-1] if words else f"status {done.status}")[:300]
