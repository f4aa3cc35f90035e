"""Jobs in a Slurm allocation. The head is this machine, whose srun reaches the nodes: no SSH, and one shared folder."""

from __future__ import annotations

import datetime
import math
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

from orchestration.clusters.allocation import RUNNING, fields
from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal, Stopped
from orchestration.executors.folder_lease import FolderLease
from orchestration.executors.local import LocalExecutor
from orchestration.executors.remote.executor import traces_of
from orchestration.executors.remote.fanout import Answer
from orchestration.executors.remote.head import ENV
from orchestration.executors.remote.nodes import SurveyedNodes, object_of
from orchestration.folders import own_folder
from orchestration.jobs.executor import Site, Traces
from orchestration.jobs.job import TEMPORARY, folders_made
from orchestration.python import isolated

LIMIT_S = 30.0
SURVEY_S = 60.0
ASK_S = 120.0
NAME_LENGTH = 200  # of a cluster's name in a file's, which may have 255 characters
GO_ON = "records are kept, the run at work left none, and the same command in another job goes on"
# each node writes its answer into a folder that all are to share: $0
ANSWER = (
    'test -w "$0" || exit 0; "$@" >"$0/$SLURMD_NODENAME.out" 2>"$0/$SLURMD_NODENAME.err"; '
    'echo $? >"$0/$SLURMD_NODENAME.status"'
)
Result = TypeVar("Result")


class Steps:
    """Commands on the nodes of an allocation, each a step of the job; answers come through a shared folder."""

    known_hosts = ""

    def __init__(self, inventory: Inventory, environment: Mapping[str, str], folder: Path) -> None:
        self.inventory = inventory
        self.environment = environment
        self.folder = folder
        if inventory.slurm is None:
            raise Refusal(f"the inventory of {inventory.cluster} names no job: executor 'slurm' is for fab in a job")
        self.job = inventory.slurm.job
        self.slurm_name = inventory.slurm.cluster
        self.down: set[str] = set()  # nodes that Slurm has taken from the job, for they failed

    @property
    def name(self) -> str:
        """The inventory's name of the first node."""
        return self.inventory.nodes[0].name

    @property
    def nodes(self) -> Steps:
        """What asks the nodes."""
        return self

    def reach(self, action: Callable[[], Result]) -> Result:
        """Runs the action once: steps start or fail."""
        return action()

    def module(self, module: str, *words: str) -> list[str]:
        """The command that runs a module of the workload on a node."""
        return [ENV, "-C", self.inventory.workdir, *isolated(self.inventory.python, "-m", module, *words)]

    def survey(self) -> list[Answer]:
        """Asks every node for its description, with a folder that shows whether they share it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="shared-", dir=self.folder) as marker:
            words = self.module("workload.agent.standalone.survey", self.inventory.workdir, marker)
            return self.ask(words, limit_s=SURVEY_S)

    def ask(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        limit_s: float = LIMIT_S,
        through: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> list[Answer]:
        """The command on the nodes, in an environment, which answer through a folder; the usual where none is given."""
        began = time.time()
        with tempfile.TemporaryDirectory(prefix=".answers-", dir=through or self.folder) as folder:
            Path(folder).chmod(0o700)
            words = ["sh", "-c", ANSWER, folder, *argv]
            why = self.start(words, limit_s, stdin, self.environment if environment is None else environment)
            return [
                Answer(node, None, "", "Slurm has taken it from the job", began, time.time())
                if node.name in self.down
                else _answer(node, Path(folder), why, began)
                for node in self.inventory.nodes
            ]

    def start(self, argv: Sequence[str], limit_s: float, stdin: str, environment: Mapping[str, str]) -> str:
        """One task on each node, waited for; what srun says of it last, empty where all went well."""
        nodes = [node for node in self.inventory.nodes if node.name not in self.down]
        words = [
            "srun", f"--jobid={self.job}", "--job-name=convscale", "--quiet", "--overlap", "--mem=0", "--mpi=none",
            f"--nodes={len(nodes)}", f"--ntasks={len(nodes)}", "--ntasks-per-node=1",
            f"--nodelist={','.join(node.name for node in nodes)}", "--kill-on-bad-exit=0",
            f"--time={math.ceil(limit_s / 60)}", *argv,
        ]  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603  a list of arguments
                words, env=dict(environment), input=stdin.encode(), capture_output=True,
                timeout=limit_s + LIMIT_S, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            return "there is no srun on the PATH"
        except subprocess.TimeoutExpired:
            return f"srun gave no answer within {limit_s + LIMIT_S:.0f} s"
        if done.returncode == 0:
            return ""
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return said[-1][:300] if said else f"srun ended with status {done.returncode}"

    def cancel(self, name: str) -> None:
        """Ends the steps of that name."""
        if steps := [step for step, its in self._steps() if its == name]:
            self._slurm("scancel", *steps)

    def at_work(self, lease: Mapping[str, Any]) -> bool:
        """Whether a run of the lease's sweep is a step of the job."""
        return any(name.endswith(f"-{lease.get('sweep')}") for _, name in self._steps())

    def _steps(self) -> list[tuple[str, str]]:
        """The job's steps, each with its name."""
        listed = self._slurm("squeue", f"--jobs={self.job}", "--steps", "--noheader", "--format=%i %j")
        return [(step, name) for step, _, name in (line.partition(" ") for line in listed.splitlines())]

    def look(self) -> str:
        """The job's state in Slurm's word, empty where the controller does not say; finds out which nodes it lost."""
        found = fields(self._slurm("scontrol", "show", "job", "--oneliner", str(self.job)))
        left = self._slurm("scontrol", "show", "hostnames", found.get("NodeList", "")).split()
        if found.get("JobState") == RUNNING:
            if _passed(found.get("EndTime", "")):
                return "TIMEOUT"  # steps are refused from then on, a while before the state says so
            self.down = {node.name for node in self.inventory.nodes} - set(left)
        return found.get("JobState", "")

    def _slurm(self, *words: str) -> str:
        """What a command of Slurm's prints."""
        done = subprocess.run(  # noqa: S603  Slurm's own
            words, env={**self.environment, "TZ": "UTC0"}, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        return done.stdout


class SlurmExecutor(LocalExecutor):
    """Jobs in an allocation; their folders, the workload and its Python lie where all nodes see them."""

    def __init__(self, inventory: Inventory, environment: Mapping[str, str]) -> None:
        root = Path(inventory.workdir)
        runs = own_folder(root / "results" / "runs", "runs", environment)
        self.steps = Steps(inventory, environment, runs / ".slurm")
        self.nodes = SurveyedNodes(self.steps)
        self._shared: set[Path] = set()  # folders that all nodes were seen to share
        # two clusters that share the checkout have jobs of the same number
        lease = f"job-{self.steps.job}-{quote(self.steps.slurm_name, safe='')[:NAME_LENGTH]}"
        super().__init__(root, Path(inventory.python), environment)
        self.lease = FolderLease(self.steps.folder / lease, self.steps.at_work)

    @property
    def node(self) -> str:
        """The host name of this machine, where the supervisor runs."""
        return socket.gethostname()

    @property
    def names(self) -> Mapping[str, str]:
        """Host names and addresses of the nodes, each mapped to the node's name in the inventory."""
        return self.nodes.names()

    @property
    def site(self) -> Site:
        """Session files lie in the shared folder: no socket is among them, for srun makes its own elsewhere."""
        return Site(os.getuid(), PurePosixPath(self.steps.folder), self.environment)

    def provide(self, root: Path, digest: str) -> None:
        """Makes sure that every node sees this very workload. Raises Refusal."""
        self.steps.folder.mkdir(parents=True, exist_ok=True)
        self._share(self.steps.folder)
        if self.nodes.lack(digest):
            raise Refusal(f"not every node sees this {root / 'workload'}: put the checkout where all nodes share it")

    def bring(self, file: Path) -> PurePosixPath:
        """The file, which lies where all nodes see it. Raises Refusal."""
        self._share(file.parent)
        return PurePosixPath(file)

    def machines(self) -> list[dict[str, Any]]:
        """The descriptions of the nodes for the records. Raises Refusal."""
        return self.nodes.machines()

    def descriptions(self) -> list[dict[str, Any] | str] | None:
        """What each node says for the checks, or why it says nothing."""
        return self.nodes.descriptions()

    def unreached_pairs(self) -> list[list[str] | str] | None:
        """None: no node is to log in to another."""
        return None

    def ask(
        self, module: str, words: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> list[dict[str, Any] | str]:
        """The JSON object that a module of the workload prints on each node, or why it prints none."""
        answers = self.steps.ask(self.steps.module(module, *words), limit_s=ASK_S, environment=environment)
        return [object_of(answer) for answer in answers]

    def start(self, job: Path) -> None:
        """Starts the supervisor of the job's folder, detached. Raises OSError, Refusal."""
        self._share(job.parent)
        super().start(job)

    def lost(self, nodes: int) -> list[str]:
        """Those of the first `nodes` nodes that the job lost; it gets none of them back."""
        return [node.name for node in self.steps.inventory.nodes[:nodes] if node.name in self.steps.down]

    def stop(self, job: Path) -> None:
        """Ends the job, also where the allocation is gone."""
        with suppress(Stopped):
            super().stop(job)

    def end_leftovers(self, job: Path) -> Traces:
        """Ends the job's steps and whatever carries its token, on every node; removes the folders that it made.

        Raises Stopped where the allocation is over, whatever ended it: its end is no run's outcome.
        """
        if (state := self.steps.look()) not in (RUNNING, ""):
            super().end_leftovers(job)
            raise Stopped(f"Slurm's job {self.steps.job} is over ({state}): {GO_ON}")
        self.steps.cancel(job.name)
        super().end_leftovers(job)
        local = replace(self.site, temporary=TEMPORARY)  # where mpirun started the ranks
        folders = [f"{folder}/" for site in (self.site, local) for folder in folders_made(site, job.name)]
        return traces_of(self.steps.ask(self.steps.module("workload.agent.control", "end", *folders)))

    def _share(self, folder: Path) -> None:
        """Raises Refusal where a node does not write what this machine reads in the folder."""
        if folder in self._shared:
            return
        answers = self.steps.ask(["true"], through=folder)
        if wrong := {answer.node.name: answer.why for answer in answers if answer.status != 0}:
            words = "; ".join(f"{name}: {why}" for name, why in wrong.items())
            raise Refusal(f"not all nodes share {folder} ({words}): put it where they do, or give another --out")
        self._shared.add(folder)


def _passed(end: str) -> bool:
    """Whether a time of scontrol's, in UTC, is over; False of a word in its place."""
    try:
        return datetime.datetime.fromisoformat(f"{end}+00:00").timestamp() <= time.time()
    except ValueError:
        return False


def _answer(node: Node, folder: Path, why: str, began: float) -> Answer:
    """What a node wrote into the folder."""

    def text(kind: str) -> str:
        path = folder / f"{node.name}.{kind}"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    status = text("status").strip()
    if not status.isdecimal():
        return Answer(node, None, "", why or "it does not write there", began, time.time())
    return Answer(node, int(status), text("out"), text("err"), began, time.time())
