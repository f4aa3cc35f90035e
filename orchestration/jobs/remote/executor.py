"""A cluster's head, over SSH, as the place where mpirun runs. What dies over here changes nothing over there.

Every request may be made again: where the connection breaks it is opened anew and the request repeated, for at most
PATIENCE_S seconds; then the head counts as lost.
"""

from __future__ import annotations

import json
import shutil
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from uuid import uuid4

from orchestration.checks.nodes import unreached
from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.jobs.executor import HeadLostError, Site, State, Traces
from orchestration.jobs.job import HOSTFILE, made
from orchestration.jobs.remote import protocol
from orchestration.jobs.remote import survey as surveys
from orchestration.jobs.remote.download import Entry, Puller, entries
from orchestration.jobs.remote.fanout import Answer, Nodes
from orchestration.ssh.connection import Connection, Done, UnreachableError, node_known_hosts, target
from workload.agent import supervise
from workload.agent.standalone.bundle import bundle
from workload.record.token import check_token, is_token

PATIENCE_S = 25.0
WATCH_S = 7 * 86400  # whoever asked goes away sooner, and a watcher ends with its connection
ASK_S = 5.0  # for a node to say that it is there
TEMPORARY = PurePosixPath("/tmp")  # noqa: S108  of the nodes: short, because sockets lie in it
ENV = "env"
Result = TypeVar("Result")


class Remote:
    """The head of a cluster. `close` it in the end."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.head = inventory.nodes[0]
        self.workdir = PurePosixPath(inventory.workdir)
        self.jobs = self.workdir / "jobs"
        self.connection = Connection(target(inventory, self.head))
        self.nodes = Nodes(inventory, node_known_hosts(inventory), self._run)
        self._surveys: list[dict[str, Any] | Answer] | None = None
        self._watched: dict[Path, Any] = {}  # the channel on which a job's watcher beats
        self._over: dict[Path, dict[str, Entry]] = {}  # the files of jobs that are over
        self._brought: set[PurePosixPath] = set()
        self._suspects: set[str] = set()
        self._restarted: set[Path] = set()  # jobs under which the head was started again

    def close(self) -> None:
        """Closes the connection; what runs over there goes on."""
        self.connection.close()

    # What the nodes are

    def surveys(self) -> list[dict[str, Any] | Answer]:
        """Each node's description of itself, once; the answer itself where it gave none."""
        if self._surveys is None:
            marker = f".shared-{uuid4().hex}"
            path = str(self.workdir / marker)

            def ask() -> list[Answer]:
                files = self.connection.files()
                with self.connection.explained(), suppress(PermissionError, FileNotFoundError):
                    files.open(path, "w").close()
                try:
                    return self.nodes.survey(marker)
                finally:
                    with suppress(OSError):
                        files.remove(path)

            self._surveys = [surveys.parse(answer) for answer in self._reach(ask)]
        return self._surveys

    def forget(self) -> None:
        """The next survey is a new one."""
        self._surveys = None

    def descriptions(self) -> list[dict[str, Any] | str]:
        """The surveys, with the reason in words where a node gave none."""
        return [item.why if isinstance(item, Answer) else item for item in self.surveys()]

    def lack(self, digest: str) -> bool:
        """True where a node that can be asked has another workload than that."""
        return any(not isinstance(item, Answer) and item["workload"] != digest for item in self.surveys())

    def neighbours(self) -> list[Answer]:
        """Which of the others each node does not reach, as JSON in `out`."""
        program = bundle("neighbours")
        addresses = [node.address for node in self.inventory.nodes]
        return self._reach(lambda: self.nodes.ask([self.inventory.python, "-", *addresses], stdin=program, limit_s=60))

    def machines(self) -> list[dict[str, Any]]:
        """As the records will describe the nodes. Raises Refusal naming every node that cannot."""
        found, wrong = [], []
        for node, item in zip(self.inventory.nodes, self.surveys(), strict=True):
            if isinstance(item, Answer):
                wrong.append(unreached(self.inventory, node, item.why))
            elif not isinstance(item["machine"], dict):
                wrong.append(f"{node.name} cannot run the workload ({item['machine']}): 'fab check' says more")
            else:
                found.append(item["machine"])
        if wrong:
            raise Refusal("\nconvscale: ".join(wrong))
        return found

    @property
    def node(self) -> str:
        """The head's own name."""
        return str(self._of_head("hostname"))

    @property
    def names(self) -> Mapping[str, str]:
        """What mpirun may call a node, to the inventory's name of it."""
        found = {node.address: node.name for node in self.inventory.nodes}
        for node, item in zip(self.inventory.nodes, self.surveys(), strict=True):
            if not isinstance(item, Answer):
                found[str(item["hostname"])] = node.name
        return found

    @property
    def site(self) -> Site:
        hosts = [node.address for node in self.inventory.nodes]
        environment = {str(name): str(value) for name, value in dict(self._of_head("environment")).items()}
        return Site(int(self._of_head("uid")), TEMPORARY, environment, hosts, self.nodes.known_hosts)

    def lost(self, nodes: int) -> list[str]:
        """Of the first `nodes` nodes those that fell silent and still are; asks only those again."""
        asked = [node for node in self.inventory.nodes[:nodes] if node.name in self._suspects]
        if not asked:
            return []
        try:
            if self.head in asked:
                self.connection.run(["true"], limit_s=ASK_S)
            answers = self.nodes.ask(["true"], of=asked, limit_s=ASK_S)
        except (UnreachableError, Refusal):
            self.connection.close()
            return [self.head.name]
        self._suspects -= {answer.node.name for answer in answers if answer.status == 0}
        return [answer.node.name for answer in answers if answer.status != 0]

    def take(self, document: Mapping[str, Any], *dead: str) -> Mapping[str, Any] | None:
        """Takes the cluster for a sweep; the lease of another sweep where that holds. Raises OSError.

        `dead`: the mark of a sweep whose `fab` is known to be dead.
        """
        argv = [*self._python("workload.agent.control"), "take", str(self.jobs), *dead]
        asked = json.dumps(document).encode()
        other = self._insist(lambda: self._answer(argv, stdin=asked)).get("other")
        return other if isinstance(other, dict) else None

    def release(self, mark: str) -> None:
        """Gives a sweep's lease back. A head that does not answer is not waited for: the lease ends by itself."""
        if self.head.name in self._suspects:
            return
        with suppress(UnreachableError, Refusal, OSError):
            self._answer([*self._python("workload.agent.control"), "release", str(self.jobs), mark], limit_s=ASK_S)

    def tokens(self) -> list[str]:
        """Of the jobs that lie on the head; none where it does not answer."""
        argv = ["find", str(self.jobs), "-mindepth", "1", "-maxdepth", "1", "-printf", "%f\\n"]
        try:
            out = self.connection.run(argv, limit_s=ASK_S).out
        except (UnreachableError, Refusal):
            return []
        return sorted(line for line in out.decode(errors="replace").splitlines() if is_token(line))

    # A job

    def folder(self, job: Path) -> PurePosixPath:
        """The job's folder on the head."""
        return self.jobs / job.name

    def bring(self, pool: Path) -> PurePosixPath:
        """Copies a pool of pictures to the head, from there to every node; nothing where it lies there."""
        path = self.workdir / "images" / pool.name
        if path not in self._brought:
            self._insist(lambda: self._put(pool, path))
            wrong = [answer for answer in self._insist(lambda: self.nodes.copy(path)) if answer.status != 0]
            if wrong:
                names = "; ".join(f"{answer.node.name}: {answer.why}" for answer in wrong)
                raise Refusal(f"the pictures {path} cannot be brought to every node ({names}): mend that")
            self._brought.add(path)
        return path

    def start(self, job: Path) -> None:
        """Starts the supervisor of the job's folder on the head, detached. Raises OSError."""
        content = sorted(job.iterdir())
        document = {
            "files": {path.name: path.read_text(encoding="utf-8") for path in content if path.is_file()},
            "folders": [path.name for path in content if path.is_dir()],
        }
        self._over.pop(job, None)
        self._restarted.discard(job)

        def begin() -> tuple[Any, bytes]:
            channel = self.connection.begin(self._control("start", job, str(WATCH_S)))
            with self.connection.explained():
                channel.settimeout(4 * protocol.SILENCE_S)
                channel.sendall(json.dumps(document).encode())
                channel.shutdown_write()
                beat = channel.recv(1)
                return channel, beat if beat.isspace() else beat + protocol.rest(channel)

        channel, heard = self._insist(begin)
        if not heard.isspace():
            protocol.last_object(heard, b"")
        self._watched[job] = channel

    def state(self, job: Path) -> State:
        """What became of the job."""
        answer = self._insist(lambda: self._answer(self._control("state", job)))
        return self._heard(job, answer)

    def restarted(self, job: Path) -> bool:
        """True where the job is gone because the head was started again under it."""
        return job in self._restarted

    def wait(self, job: Path, limit_s: float) -> State:
        """Follows the job; a connection that breaks is opened anew, and the job followed again."""
        deadline = time.monotonic() + limit_s

        def follow() -> dict[str, Any]:
            channel = self._watched.pop(job, None)
            if channel is None:
                left = max(0.0, deadline - time.monotonic())
                channel = self.connection.begin(self._control("watch", job, f"{left:.1f}"))
            with self.connection.explained():
                heard = protocol.follow(channel, deadline)
            return {"state": State.ALIVE.value} if heard is None else protocol.last_object(heard, b"")

        return self._heard(job, self._insist(follow))

    def fetch(self, job: Path, name: str, limit_bytes: int) -> bytes | None:
        """A file of a job that is over, proved by its checksum; None where there is none. Raises ValueError."""
        entry = self._entries(job).get(name)
        if entry is None:
            return None
        return self._insist(
            lambda: self._pull(lambda puller: puller.content(self._path(job, name), entry, limit_bytes))
        )

    def fetch_tail(self, job: Path, name: str, limit_bytes: int) -> bytes:
        """The end of a file of the job; nothing where there is none."""
        return self._insist(lambda: self._pull(lambda puller: puller.tail(self._path(job, name), limit_bytes)))

    def fetch_file(self, job: Path, name: str, target: Path) -> None:
        """Brings a whole file of a job that is over. Raises OSError."""
        entry = self._entries(job).get(name)
        if entry is None:
            return
        try:
            self._insist(lambda: self._pull(lambda puller: puller.file(self._path(job, name), entry, target)))
        except ValueError as error:
            raise OSError(5, str(error), str(target)) from error

    def stop(self, job: Path) -> None:
        """Ends the job on every node."""
        self._insist(lambda: self._answer(self._control("stop", job), limit_s=2 * supervise.GRACE_S + 30))
        self._watched.pop(job, None)
        self.end_leftovers(job)

    def end_leftovers(self, job: Path) -> Traces:
        """Ends what carries the job's token on every node that its run used; says what was found there."""
        used = self._used(job)
        folders = [f"{folder}/" for folder in made(self.site, job.name)]
        argv = [ENV, "-C", str(self.workdir), self.inventory.python, "-m", "workload.agent.control", "end", *folders]
        answers = self._insist(lambda: self.nodes.ask(argv, of=used, limit_s=ASK_S + supervise.GRACE_S))
        counters: dict[str, dict[str, dict[str, int]]] = {"oom_before": {}, "oom_after": {}}
        unreachable = [answer.node.name for answer in answers if not answer.reached]
        for answer in answers:
            for name, kept in counters.items():
                kept[answer.node.name] = _counters(answer.out, name)
        self._suspects |= set(unreachable)
        return Traces(unreachable, counters["oom_before"], counters["oom_after"])

    def clean(self, job: Path) -> None:
        """Removes the job's folder, there and here. Raises OSError."""
        check_token(job.name)
        self._insist(lambda: self.connection.run(["rm", "-rf", "--", str(self.folder(job))]))
        self._over.pop(job, None)
        if job.exists():
            shutil.rmtree(job)

    # How it is asked

    def _insist(self, action: Callable[[], Result]) -> Result:
        """The action, again and again while the connection breaks. Raises HeadLostError in the end."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return action()
            except UnreachableError as error:
                self.connection.close()
                if time.monotonic() >= deadline:
                    self._suspects.add(self.head.name)
                    raise HeadLostError(self.head.name, str(error)) from error
            time.sleep(0.5)

    def _reach(self, action: Callable[[], Result]) -> Result:
        """The action, once: at first contact a node that does not answer is a person's to mend. Raises Refusal."""
        try:
            return action()
        except UnreachableError as error:
            self.connection.close()
            raise Refusal(f"{error}: is the cluster up, and its address right?") from error

    def _run(self, argv: Sequence[str], stdin: bytes, limit_s: float) -> Done:
        return self.connection.run(argv, stdin, limit_s)

    def _control(self, verb: str, job: Path, *rest: str) -> list[str]:
        # the slash: what ends in the token is taken for the job's own, and ended with it
        return [*self._python("workload.agent.control"), verb, f"{self.folder(job)}/", *rest]

    def _python(self, module: str) -> list[str]:
        return [ENV, "-C", str(self.workdir), self.inventory.python, "-m", module]

    def _answer(self, argv: Sequence[str], limit_s: float = 30.0, stdin: bytes = b"") -> dict[str, Any]:
        done = self.connection.run(argv, stdin, limit_s)
        return protocol.last_object(done.out, done.err)

    def _heard(self, job: Path, answer: dict[str, Any]) -> State:
        state = State(answer["state"])
        if answer.get("restarted") is True:
            self._restarted.add(job)
        if state in (State.ENDED, State.GONE):
            self._over[job] = entries(answer.get("files"))
        return state

    def _entries(self, job: Path) -> dict[str, Entry]:
        if job not in self._over:
            self.state(job)
        return self._over.get(job, {})

    def _path(self, job: Path, name: str) -> PurePosixPath:
        return self.folder(job) / name

    def _pull(self, action: Callable[[Puller], Result]) -> Result:
        puller = Puller(self.connection.files())
        with self.connection.explained():
            try:
                return action(puller)
            except ValueError:
                raise
            except FileNotFoundError as error:
                raise ValueError("a file of the job is gone from the head") from error

    def _put(self, local: Path, path: PurePosixPath) -> None:
        """Copies a file to the head, where it appears whole or not at all; nothing where it lies there."""
        files = self.connection.files()
        with self.connection.explained():
            with suppress(FileNotFoundError):
                status = files.stat(str(path))
                if stat.S_ISREG(status.st_mode) and status.st_size == local.stat().st_size:
                    return
            with suppress(OSError):
                files.mkdir(str(path.parent))
            partial = f"{path}.{uuid4().hex}.partial"
            try:
                files.put(str(local), partial, confirm=True)
                files.posix_rename(partial, str(path))
            except BaseException:
                with suppress(Exception):
                    files.remove(partial)
                raise

    def _used(self, job: Path) -> list[Node]:
        """The nodes of the job's hostfile; all where it is not there to say."""
        try:
            count = len((job / HOSTFILE).read_text().splitlines())
        except OSError:
            count = len(self.inventory.nodes)
        return list(self.inventory.nodes[:count])

    def _of_head(self, key: str) -> Any:
        head = self.surveys()[0]
        if isinstance(head, Answer):
            raise Refusal(f"{self.head.name} cannot describe itself: {head.why}")
        return head[key]


def _counters(out: str, name: str) -> dict[str, int]:
    """Out-of-memory counters of a node's answer; empty where it gave none."""
    try:
        document = json.loads(out.strip().splitlines()[-1])[name]
        return {str(path): int(count) for path, count in document.items()}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return {}
