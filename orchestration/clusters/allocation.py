"""A Slurm allocation: the nodes that a job was granted, as `scontrol` tells them. Only `read` runs programs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from orchestration.errors import Refusal

JOB, NODE = "SLURM_JOB_ID", "SLURMD_NODENAME"
LIMIT_S = 30.0
MIB = 2**20
RUNNING = "RUNNING"
_GRANT = re.compile(r"\bNodes=(\S+) CPU_IDs=(\S+) Mem=(\d+)")
_CLUSTER = re.compile(r"^ClusterName\s*=\s*(.*?)\s*$", re.MULTILINE)
_MPI = re.compile(r"^\s*([a-z]\w*)$", re.MULTILINE)  # one a line, below a heading
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")

Run = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class GrantedNode:
    """What a job was granted of a node. `address` is what Slurm itself reaches it by."""

    name: str
    address: str
    slots: int
    memory_bytes: int


@dataclass(frozen=True)
class Allocation:
    """A running job's nodes, in Slurm's order. `ends_at` is in UTC, None where the job has no time limit.

    `cluster` is Slurm's own name: job numbers of two clusters may be the same. `shared`: a node has CPUs that were not
    granted, on which other jobs may run. `mpi`: the ways in which srun starts ranks; empty where it does not say.
    `restarts`: how often Slurm put the job into the queue again.
    """

    cluster: str
    job: int
    partition: str
    ends_at: str | None
    nodes: tuple[GrantedNode, ...]
    shared: bool = False
    mpi: tuple[str, ...] = ()
    restarts: int = 0


def read(environment: Mapping[str, str]) -> Allocation | None:
    """The allocation that this process was started in; None outside of one. Raises Refusal."""
    if JOB not in environment:
        return None

    return told(environment, lambda words: run(words, {**environment, "TZ": "UTC0"}))  # times in UTC


def told(environment: Mapping[str, str], run: Run) -> Allocation:
    """The allocation that the environment names, where `run` gives what a command prints. Raises Refusal."""
    job = environment[JOB]
    if not job.isdecimal():
        raise Refusal(f"{JOB} = {job!r} is no job's number: unset it, or start anew with salloc or sbatch")
    line = run(["scontrol", "show", "job", "--details", "--oneliner", job])
    facts = fields(line)
    if facts.get("JobState") != RUNNING:
        raise Refusal(f"Slurm's job {job} is {facts.get('JobState', 'unknown')}: start another with salloc or sbatch")
    names = run(["scontrol", "show", "hostnames", facts["NodeList"]]).split()
    nodes = {item["NodeName"]: item for item in map(fields, _lines(run, facts["NodeList"]))}
    grants = {
        name: (len(_numbers(cpus)), int(mib))
        for group, cpus, mib in _GRANT.findall(line)
        for name in run(["scontrol", "show", "hostnames", group]).split()
    }
    tasks = tasks_of(environment)
    if set(names) - grants.keys() or set(names) - nodes.keys() or (tasks and len(tasks) != len(names)):
        raise Refusal(f"scontrol does not say what job {job} was granted of each node: is its Slurm older than 22?")
    granted = [_granted(nodes[name], *grants[name], tasks[i] if tasks else None) for i, name in enumerate(names)]
    ends_at = f"{facts['EndTime']}Z" if _TIME.fullmatch(facts.get("EndTime", "")) else None
    shared = any(grants[name][0] < _cpus(nodes[name]) for name in names)
    mpi = tuple(sorted(set(_MPI.findall(run(["srun", "--mpi=list"]))) - {"none"}))
    name = _CLUSTER.search(run(["scontrol", "show", "config"]))
    restarts = int(facts.get("Restarts", "0"))
    cluster = name[1] if name else ""
    return Allocation(cluster, int(job), facts["Partition"], ends_at, tuple(granted), shared, mpi, restarts)


def fields(line: str) -> dict[str, str]:
    """The NAME=VALUE words of a line of scontrol's; of a name that stands there twice, the first."""
    found: dict[str, str] = {}
    for word in line.split():
        name, separator, value = word.partition("=")
        if separator:
            found.setdefault(name, value)
    return found


def tasks_of(environment: Mapping[str, str]) -> list[int]:
    """The tasks that the job asked for on each of its nodes; none where it asked for CPUs or nodes.

    Inside a step, as an interactive shell may be one, Slurm's words are about the step's tasks.
    """
    asked = "SLURM_NTASKS" in environment or "SLURM_NTASKS_PER_NODE" in environment
    if not asked or "SLURM_STEP_ID" in environment:
        return []
    groups = re.findall(r"(\d+)(?:\(x(\d+)\))?", environment.get("SLURM_TASKS_PER_NODE", ""))
    return [int(count) for count, times in groups for _ in range(int(times or 1))]


def _granted(node: Mapping[str, str], cpus: int, mib: int, tasks: int | None) -> GrantedNode:
    """Without tasks a slot is a core. Where Slurm does not count memory, the node's own is granted."""
    cores = max(1, cpus // int(node.get("ThreadsPerCore", "1")))
    memory_bytes = (mib or int(node["RealMemory"])) * MIB
    return GrantedNode(node["NodeName"], node.get("NodeAddr", node["NodeName"]), tasks or cores, memory_bytes)


def _cpus(node: Mapping[str, str]) -> int:
    """Those that jobs may have of a node; what Slurm itself keeps for the system is not among them."""
    return int(node.get("CPUEfctv", node.get("CPUTot", "0")))


def _lines(run: Run, nodes: str) -> list[str]:
    return run(["scontrol", "show", "node", "--oneliner", nodes]).splitlines()


def _numbers(text: str) -> list[int]:
    """The numbers of a list as Slurm writes it, for example 0-3,8."""
    spans = [[int(number) for number in part.split("-")] for part in text.split(",")]
    return [number for span in spans for number in range(span[0], span[-1] + 1)]


def run(words: Sequence[str], environment: Mapping[str, str], into: IO[str] | None = None) -> str:
    """What the command prints, unless it is to print into a file. Raises Refusal with its own words where it fails."""
    try:
        done = subprocess.run(  # noqa: S603  Slurm's own
            list(words), env=dict(environment), stdout=into or subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise Refusal(f"there is no {words[0]} on the PATH: load Slurm's module") from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"{' '.join(words)} gave no answer within {LIMIT_S:.0f} s: is Slurm's controller up?") from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise Refusal(f"{words[0]} refuses: {said.removeprefix(f'{words[0]}: error: ')}")
    return done.stdout or ""
