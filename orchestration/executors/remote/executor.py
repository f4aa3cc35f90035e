"""Jobs on the head of a cluster, over SSH. They go on running if the operator's side dies."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.executors.remote import protocol
from orchestration.executors.remote.fanout import Answer
from orchestration.executors.remote.files import JobFiles
from orchestration.executors.remote.head import ASK_S, Head
from orchestration.executors.remote.lease import HeadLease
from orchestration.executors.remote.nodes import SurveyedNodes
from orchestration.executors.remote.upload import push
from orchestration.jobs.executor import Site, State, Traces
from orchestration.jobs.job import HOSTFILE, folders_made
from orchestration.ssh.connection import UnreachableError
from workload.agent import supervise
from workload.record.token import check_token, is_token

WATCH_S = 7 * 86400  # whoever asked goes away sooner, and a watcher ends with its connection


class RemoteExecutor:
    """Jobs on the head of a cluster. Call `close` in the end; running jobs go on."""

    def __init__(self, inventory: Inventory) -> None:
        self.head = Head(inventory)
        self.nodes = SurveyedNodes(self.head)
        self.lease = HeadLease(self.head)
        self._files = JobFiles(self.head)
        self._watched: dict[Path, Any] = {}  # the channel on which a job's watcher beats
        self._brought: set[PurePosixPath] = set()
        self._restarted: set[Path] = set()  # jobs under which the head was started again

    @property
    def node(self) -> str:
        """The head's own name."""
        return self.nodes.hostname()

    @property
    def names(self) -> Mapping[str, str]:
        """Host names and addresses of the nodes, each mapped to the node's name in the inventory."""
        return self.nodes.names()

    @property
    def site(self) -> Site:
        """What the paths and the command of a job depend on."""
        return self.nodes.site()

    def close(self) -> None:
        """Closes the connection."""
        self.head.connection.close()

    def machines(self) -> list[dict[str, Any]]:
        """The descriptions of the nodes for the records. Raises Refusal that names every node without one."""
        return self.nodes.machines()

    def descriptions(self) -> list[dict[str, Any] | str] | None:
        """What each node says for the checks, or why it says nothing."""
        return self.nodes.descriptions()

    def unreached_pairs(self) -> list[list[str] | str]:
        """For each node the addresses of the others that it does not reach, or why it could not say."""
        return self.nodes.unreached_pairs()

    def ask(
        self, module: str, words: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> list[dict[str, Any] | str]:
        """The JSON object that a module of the workload prints on each node, or why it prints none."""
        return self.nodes.ask(module, words)

    def provide(self, root: Path, digest: str) -> None:
        """Pushes the workload under `root` where a node has another. Raises Refusal."""
        if self.nodes.lack(digest):
            push(self.head.inventory, root)
            self.nodes.forget()

    def bring(self, file: Path) -> PurePosixPath:
        """Copies a file to the head and from there to every node that lacks it. Raises Refusal."""
        path = self.head.workdir / "images" / file.name
        if path not in self._brought:
            self.head.insist(lambda: self.head.put(file, path))
            wrong = [answer for answer in self.head.insist(lambda: self.head.nodes.copy(path)) if answer.status != 0]
            if wrong:
                names = "; ".join(f"{answer.node.name}: {answer.why}" for answer in wrong)
                raise Refusal(f"{path} cannot be brought to every node ({names}): mend that")
            self._brought.add(path)
        return path

    def lost(self, nodes: int) -> list[str]:
        """Of the first `nodes` nodes those that fell silent and still are."""
        return self.head.still_silent(nodes)

    def tokens(self) -> list[str]:
        """Of the jobs that lie on the head; none where it does not answer."""
        argv = ["find", str(self.head.jobs), "-mindepth", "1", "-maxdepth", "1", "-printf", "%f\\n"]
        try:
            out = self.head.connection.run(argv, limit_s=ASK_S).out
        except (UnreachableError, Refusal):
            return []
        return sorted(line for line in out.decode(errors="replace").splitlines() if is_token(line))

    def folder(self, job: Path) -> PurePosixPath:
        """The job's folder on the head."""
        return self.head.jobs / job.name

    def start(self, job: Path) -> None:
        """Starts the supervisor of the job's folder on the head, detached. Raises OSError."""
        content = sorted(job.iterdir())
        document = {
            "files": {path.name: path.read_text(encoding="utf-8") for path in content if path.is_file()},
            "folders": [path.name for path in content if path.is_dir()],
        }
        self._files.forget(job)
        self._restarted.discard(job)
        asked = json.dumps(document).encode()
        channel, heard = self.head.insist(lambda: self._begin(job, asked))
        if not heard.isspace():
            protocol.last_object(heard, b"")
        self._watched[job] = channel

    def state(self, job: Path) -> State:
        """The state of the job."""
        answer = self.head.insist(lambda: self.head.answer(self._control("state", job)))
        return self._heard(job, answer)

    def restarted(self, job: Path) -> bool:
        """True if the job is gone because the head was rebooted while it ran."""
        return job in self._restarted

    def wait(self, job: Path, limit_s: float) -> State:
        """Waits for the job; if the connection breaks, it is opened again and the wait goes on."""
        deadline = time.monotonic() + limit_s
        return self._heard(job, self.head.insist(lambda: self._follow(job, deadline)))

    def fetch(self, job: Path, name: str, limit_bytes: int) -> bytes | None:
        """A file of a job that is over, proved by its checksum; None where there is none. Raises ValueError."""
        self._known(job)
        return self._files.fetch(job, name, limit_bytes)

    def fetch_tail(self, job: Path, name: str, limit_bytes: int) -> bytes:
        """The last bytes of a file of the job; empty if there is none."""
        return self._files.fetch_tail(job, name, limit_bytes)

    def fetch_file(self, job: Path, name: str, target: Path) -> None:
        """Brings a whole file of a job that is over. Raises OSError."""
        self._known(job)
        self._files.fetch_file(job, name, target)

    def stop(self, job: Path) -> None:
        """Ends the job on every node."""
        limit_s = 2 * supervise.GRACE_S + 30
        self.head.insist(lambda: self.head.answer(self._control("stop", job), limit_s=limit_s))
        self._watched.pop(job, None)
        self.end_leftovers(job)

    def end_leftovers(self, job: Path) -> Traces:
        """Ends every process with the job's token on the nodes that the job used; returns what was found there."""
        used = self._used(job)
        folders = [f"{folder}/" for folder in folders_made(self.site, job.name)]
        argv = self.head.control("end", *folders)
        limit_s = ASK_S + supervise.GRACE_S
        answers = self.head.insist(lambda: self.head.nodes.ask(argv, of=used, limit_s=limit_s))
        self.head.silent |= {answer.node.name for answer in answers if not answer.reached}
        return traces_of(answers)

    def clean(self, job: Path) -> None:
        """Removes the job's folder, there and here. Raises OSError."""
        check_token(job.name)
        self.head.insist(lambda: self.head.connection.run(["rm", "-rf", "--", str(self.folder(job))]))
        self._files.forget(job)
        if job.exists():
            shutil.rmtree(job)

    def _begin(self, job: Path, asked: bytes) -> tuple[Any, bytes]:
        """Starts the job's supervisor, which is watched from then on; its channel, and what came of it first."""
        connection = self.head.connection
        channel = connection.begin(self._control("start", job, str(WATCH_S)))
        with connection.explained():
            channel.settimeout(4 * protocol.SILENCE_S)
            channel.sendall(asked)
            channel.shutdown_write()
            beat = channel.recv(1)
            return channel, beat if beat.isspace() else beat + protocol.rest(channel)

    def _follow(self, job: Path, deadline: float) -> dict[str, Any]:
        """The answer of the job's watcher; at the deadline, that the job is still running."""
        connection = self.head.connection
        channel = self._watched.pop(job, None)
        if channel is None:
            left_s = max(0.0, deadline - time.monotonic())
            channel = connection.begin(self._control("watch", job, f"{left_s:.1f}"))
        with connection.explained():
            heard = protocol.follow(channel, deadline)
        return {"state": State.ALIVE.value} if heard is None else protocol.last_object(heard, b"")

    def _control(self, verb: str, job: Path, *rest: str) -> list[str]:
        # the slash: what ends in the token is taken for the job's own, and ended with it
        return self.head.control(verb, f"{self.folder(job)}/", *rest)

    def _heard(self, job: Path, answer: dict[str, Any]) -> State:
        state = State(answer["state"])
        if answer.get("restarted") is True:
            self._restarted.add(job)
        if state in (State.ENDED, State.GONE):
            self._files.over(job, answer.get("files"))
        return state

    def _known(self, job: Path) -> None:
        """Makes the files of a job that is over known."""
        if self._files.known(job) is None:
            self.state(job)

    def _used(self, job: Path) -> list[Node]:
        """The nodes of the job's hostfile; all where it is not there to say."""
        nodes = self.head.inventory.nodes
        try:
            count = len((job / HOSTFILE).read_text().splitlines())
        except OSError:
            count = len(nodes)
        return list(nodes[:count])


def traces_of(answers: Sequence[Answer]) -> Traces:
    """What the nodes answered to `workload.agent.control end`."""
    unreachable = [answer.node.name for answer in answers if not answer.reached]
    before, after = (
        {answer.node.name: _counters(answer.out, name) for answer in answers} for name in ("oom_before", "oom_after")
    )
    return Traces(unreachable, before, after)


def _counters(out: str, name: str) -> dict[str, int]:
    """Out-of-memory counters of a node's answer; empty where it gave none."""
    try:
        document = json.loads(out.strip().splitlines()[-1])[name]
        return {str(path): int(count) for path, count in document.items()}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return {}
