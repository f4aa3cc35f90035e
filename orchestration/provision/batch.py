"""Sweeps as batch jobs of Slurm's: the script, its one submission, and the jobs that came of it.

A sweep's folder keeps them in `submitted/`: job.sh, command.json, and the jobs' numbers, a line each.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from infra.durations import duration_s
from orchestration.clusters import allocation, inventory
from orchestration.errors import Refusal
from orchestration.messages import unknown
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.sweep import resume
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.runner import CLEANUP
from workload.record.files import read_json, write_json, write_whole
from workload.record.schema import SCHEMA_VERSION, SchemaError

_DAYS = re.compile(r"(\d+)-(\d+)(?::(\d+))?(?::(\d+))?")
TIMES = "give for example 90m, 4h, 1:30:00 or 1-12:00"
ANEW = "--new or another --out for another sweep"
_CLOCK = re.compile(r"(?:(\d+):)?(\d+)(?::(\d+))?")


@dataclass(frozen=True)
class BatchRequest:
    """What is asked of Slurm: nodes, whole ones unless only so many tasks are to run on each, for so long."""

    nodes: int
    minutes: int
    partition: str = ""
    account: str = ""
    options: Sequence[str] = ()
    modules: Sequence[str] = ()
    tasks_per_node: int | None = None
    cpus_per_task: int = 1
    in_turn: bool = False  # one of the sweep's jobs, of which none begins before those submitted earlier are over


@dataclass(frozen=True)
class SubmittedCommand:
    """What says which sweep is submitted: where to, and the flags of `fab sweep`. Older sweeps name no cluster."""

    cluster: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Partition:
    """What sinfo says of one: `cpus` and `cores` of its smallest node, `minutes` None without a limit."""

    name: str
    is_default: bool
    cpus: int
    nodes: int
    minutes: int | None
    threads: int = 1  # of a core, as Slurm counts its CPUs

    @property
    def cores(self) -> int:
        return max(1, self.cpus // self.threads)


@dataclass(frozen=True)
class QueuedJob:
    """A job in Slurm's queue; `reason` says why it waits."""

    number: str
    state: str
    reason: str


@dataclass(frozen=True)
class EndedJob:
    """A job that has left the queue; `state` is Slurm's word for how, with the signal or status where there is one."""

    number: str
    state: str


@dataclass(frozen=True)
class SlurmQueue:
    """Slurm's commands here, in the environment of whoever asks. Every method may raise Refusal."""

    environment: Mapping[str, str]

    def run(self, *words: str) -> str:
        """What the command prints."""
        return allocation.run(words, self.environment)

    def partitions(self) -> list[Partition]:
        """All of them; nodes of several kinds in one are added up."""
        found: dict[str, Partition] = {}
        for line in self.run("sinfo", "--noheader", "--format=%P|%c|%Z|%D|%l").splitlines():
            name, cpus, threads, nodes, limit = line.strip().split("|")
            item = Partition(
                name.rstrip("*"), name.endswith("*"), int(cpus.rstrip("+")), int(nodes),
                minutes_of(limit), int(threads.rstrip("+")),
            )  # fmt: skip
            if (before := found.get(item.name)) is not None:
                smallest = min(before, item, key=lambda one: one.cores)
                item = replace(smallest, nodes=before.nodes + item.nodes)
            found[item.name] = item
        return list(found.values())

    def submit(self, paths: SweepPaths, script: Path) -> str:
        """Submits the script, of the sweep's, once, and keeps the job's number, which it returns.

        sbatch itself writes the number, so that it is kept if this process is killed meanwhile. If sbatch is killed
        too, the file `begun` stays: by that the sweep's jobs are known by their name alone.
        """
        write_whole(_begun(paths), script.name)
        with _numbers(paths).open("a", encoding="utf-8") as file:
            allocation.run(["sbatch", "--parsable", str(script)], self.environment, file)
        _begun(paths).unlink()
        return _kept_numbers(paths)[-1]

    def recover(self, paths: SweepPaths) -> None:
        """Keeps the numbers of jobs that a `fab submit` brought into the queue before it was killed."""
        if not _begun(paths).exists():
            return
        known = _kept_numbers(paths)
        found = [job.number for _, job in self.jobs([paths]) if job.number not in known]
        with _numbers(paths).open("a", encoding="utf-8") as file:
            file.write("".join(f"{number}\n" for number in found))
        _begun(paths).unlink()

    def jobs(self, sweeps: Sequence[SweepPaths]) -> list[tuple[SweepPaths, QueuedJob]]:
        """The jobs of the sweeps that wait or run: of the numbers that each kept, those whose name carries its mark.

        Where a `fab submit` was killed before it kept the number, the name alone says it.
        """
        listed = self.run("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%T|%r|%j") if sweeps else ""
        queued = [line.strip().split("|", 3) for line in listed.splitlines() if line.strip()]
        return [
            (paths, QueuedJob(number, state, reason))
            for paths in sweeps
            for number, state, reason, name in queued
            if name == name_of(paths) and (number in _kept_numbers(paths) or _begun(paths).exists())
        ]

    def last_ended(self, paths: SweepPaths) -> EndedJob | None:
        """How the sweep's last job ended; None where it has none, or Slurm does not know any more.

        The controller forgets a job some minutes after its end; then Slurm's accounts know it, where it has any.
        """
        numbers = _kept_numbers(paths)
        if not numbers:
            return None
        job = numbers[-1]
        with suppress(Refusal):
            found = allocation.fields(self.run("scontrol", "show", "job", "--oneliner", job))
            return EndedJob(job, _with_cause(found.get("JobState", ""), found.get("ExitCode", "")))
        with suppress(Refusal):
            asked = [f"--jobs={job}", "--allocations", "--noheader", "--parsable2", "--format=State,ExitCode"]
            for line in self.run("sacct", *asked).splitlines()[-1:]:  # a requeued job has a line for each time
                return EndedJob(job, _with_cause(*line.split("|", 1)))
        return None

    def cancel(self, jobs: Sequence[QueuedJob]) -> None:
        """Ends the jobs."""
        self.run("scancel", *(job.number for job in jobs))


def name_of(paths: SweepPaths) -> str:
    """What the jobs of a sweep are called; no two sweep folders share one."""
    return f"convscale-{paths.mark}"


def submitted(paths: SweepPaths) -> Path:
    return paths.folder / "submitted"


def script_of(paths: SweepPaths, asked: BatchRequest) -> Path:
    """The script of the sweep's one job, or of one of several, each with its number of nodes."""
    return submitted(paths) / (f"job-{asked.nodes}-nodes.sh" if asked.in_turn else "job.sh")


def _numbers(paths: SweepPaths) -> Path:
    return submitted(paths) / "jobs"


def _begun(paths: SweepPaths) -> Path:
    """There while sbatch is asked, and after a `fab submit` that was killed meanwhile."""
    return submitted(paths) / "begun"


def _kept_numbers(paths: SweepPaths) -> list[str]:
    """Job numbers, of which sbatch says NUMBER, or NUMBER;CLUSTER where there are several clusters."""
    lines = _numbers(paths).read_text(encoding="utf-8").split() if _numbers(paths).exists() else []
    return [line.partition(";")[0] for line in lines]


def _with_cause(state: str, exit_code: str) -> str:
    """Slurm's state and its STATUS:SIGNAL in words; `state` may be CANCELLED by USER."""
    status, _, number = exit_code.partition(":")
    if number.strip("0"):
        return f"{state} (signal {number})"
    return f"{state} (exit status {status})" if status.strip("0") else state


def minutes_of(text: str) -> int | None:
    """Whole minutes of a time as Slurm takes it (30, 30:00, 1:30:00, 1-0, 1-12:00), or as 90m or 1.5h; else None."""
    if (seconds := duration_s(text)) is not None:
        minutes = seconds / 60
    elif (found := _DAYS.fullmatch(text)) is not None:
        days, hours, rest, more_s = (int(part or 0) for part in found.groups())
        minutes = (days * 24 + hours) * 60 + rest + more_s / 60
    elif (found := _CLOCK.fullmatch(text)) is not None:
        first, second, third = found.groups()
        if first is not None and third is not None:
            minutes = int(first) * 60 + int(second) + int(third) / 60
        elif first is not None:
            minutes = int(first) + int(second) / 60
        else:
            minutes = int(second) + int(third or 0) / 60
    else:
        return None
    return math.ceil(minutes) or None


def partition_of(name: str, partitions: Sequence[Partition]) -> Partition:
    """The partition of that name, of no name the default. Raises Refusal."""
    for item in partitions:
        if item.name == name if name else item.is_default:
            return item
    names = [item.name for item in partitions]
    words = unknown("partition", name, names) if name else f"name one of {', '.join(names)}"
    raise Refusal(f"--partition: {words}")


def check(asked: BatchRequest, partitions: Sequence[Partition]) -> Partition:
    """The partition that the job goes to. Raises Refusal where it is unknown, too small, or ends jobs earlier."""
    found = partition_of(asked.partition, partitions)
    if asked.nodes > found.nodes:
        raise Refusal(f"--nodes {asked.nodes}: partition {found.name} has {found.nodes}")
    if found.minutes is not None and asked.minutes > found.minutes:
        raise Refusal(f"--time {asked.minutes} min: partition {found.name} ends jobs after {found.minutes} min")
    return found


def of_shared_nodes(asked: BatchRequest, cpus: int, largest: int | None, threads: int) -> BatchRequest:
    """The request for no more of each node than so many ranks take, spread over all; for all its CPUs where None."""
    most = max(1, cpus // threads)
    tasks = most if largest is None else min(most, -(-largest // asked.nodes))
    return replace(asked, tasks_per_node=tasks, cpus_per_task=threads)


def cpus_taken(asked: BatchRequest, cpus: int) -> int:
    """How many CPUs of each node the job has."""
    return cpus if asked.tasks_per_node is None else min(cpus, asked.tasks_per_node * asked.cpus_per_task)


def nodes_needed(nodes: int, slots: int, counts: Iterable[int]) -> list[int]:
    """How many of the nodes each point needs; `slots` are those of each node, `counts` the ranks of every point."""
    return [min(nodes, -(-count // slots)) for count in counts]


def idle_share(nodes: int, needed: Sequence[int]) -> float:
    """The share of the nodes that idles if all points take equally long: small counts use the first nodes alone."""
    return 1.0 - sum(needed) / (len(needed) * nodes) if needed else 0.0


def left(paths: SweepPaths, counts: Iterable[int], further: bool) -> list[int]:
    """The numbers of nodes whose jobs have work left, the most first: that job begins the sweep.

    `counts` are those that the study seems to need; once the sweep is begun, the ledger says which and for what. Where
    no run is left, but the ledger does not say that the sweep is finished, it is the most.
    """
    planned = Ledger(paths.ledger).last("planned") if paths.ledger.exists() else None
    if planned is None:
        return sorted(set(counts), reverse=True)
    done = {run_id for run_id, record in resume.records(paths).items() if not resume.left_over(record)}
    runs = {int(nodes): set(ids) for nodes, ids in planned.get("jobs", {}).items()}
    return sorted((nodes for nodes in runs if further or runs[nodes] - done), reverse=True) or [max(runs)]


def script(asked: BatchRequest, paths: SweepPaths, where: Path, argv: Sequence[str]) -> str:
    """The batch script: the nodes, and one sweep that goes on in its folder however often the job is begun."""
    shared = [f"--ntasks-per-node={asked.tasks_per_node}", f"--cpus-per-task={asked.cpus_per_task}"]
    options = [
        f"--job-name={name_of(paths)}", f"--nodes={asked.nodes}", f"--time={asked.minutes}",
        *(["--exclusive", "--mem=0"] if asked.tasks_per_node is None else shared),
        f"--output={submitted(paths)}/%j.log", "--open-mode=append",
        *(["--dependency=singleton"] if asked.in_turn else []),  # of all jobs of that name and account
        *([f"--partition={asked.partition}"] if asked.partition else []),
        *([f"--account={asked.account}"] if asked.account else []),
        *(option if option.startswith("-") else f"--{option}" for option in asked.options),
    ]  # fmt: skip
    if strange := [option for option in options if "\n" in option]:
        raise Refusal(f"--sbatch-option {strange[0]!r} has more than one line: give one option each time")
    lines = ["#!/bin/bash", *(f"#SBATCH {option}" for option in options)]
    lines += [f"module load {shlex.quote(module)}" for module in asked.modules]
    # replaced by the sweep, so that Slurm's signal before the end reaches it
    return "\n".join([*lines, f"cd {shlex.quote(str(where))} || exit 2", f"exec {shlex.join(argv)}", ""])


def prepare(runs: RunsFolder, paths: SweepPaths, scripts: Mapping[Path, str], command: SubmittedCommand) -> None:
    """Writes scripts and what was typed into the sweep's folder, which results/runs remembers. Raises Refusal."""
    document = {"schema_version": SCHEMA_VERSION, "cluster": command.cluster, "words": list(command.words)}
    try:
        submitted(paths).mkdir(parents=True, exist_ok=True)
        for path, text in scripts.items():
            write_whole(path, text)
        write_json(submitted(paths) / "command.json", document)
        if paths.folder.parent != runs.folder.resolve():
            _remember(runs, paths)
    except OSError as error:
        raise Refusal(f"{error.filename or paths.folder}: {error.strerror}: give another --out") from error


def _remember(runs: RunsFolder, paths: SweepPaths) -> None:
    """Links to a sweep that lies elsewhere; links to those that are gone are removed. Raises OSError."""
    runs.submitted.mkdir(parents=True, exist_ok=True)
    for link in runs.submitted.iterdir():
        if not link.exists():
            link.unlink(missing_ok=True)
    with suppress(FileExistsError):
        (runs.submitted / paths.mark).symlink_to(paths.folder)


def submitted_sweeps(runs: RunsFolder, cluster: str) -> list[SweepPaths]:
    """The sweeps that were submitted to the cluster, wherever they lie, the newest first."""
    here = [path for path in runs.folder.glob("*/submitted/command.json") if not path.parents[1].is_symlink()]
    found = [*here, *runs.submitted.glob("*/submitted/command.json")]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    every = [SweepPaths(path.parents[1].resolve()) for path in found]
    return [paths for paths in every if (given := command_of(paths)) is not None and given.cluster == cluster]


def going_on(runs: RunsFolder, command: SubmittedCommand, further: bool) -> SweepPaths | None:
    """The newest sweep in results/runs that was submitted by the same command and is not finished.

    Where there is `further` work even for a finished one, the newest of all.
    """
    for paths in submitted_sweeps(runs, command.cluster):
        same = paths.folder.parent == runs.folder.resolve() and command_of(paths) == command
        if same and (further or not finished(paths)):
            return paths
    return None


def check_same_nodes(paths: SweepPaths, asked: BatchRequest, partition: Partition) -> None:
    """Raises Refusal where the sweep was begun on another number of nodes, in another partition, or shared or not."""
    if not paths.ledger.exists():
        return
    begun = inventory.read(paths.inventory)
    if len(begun.nodes) != asked.nodes:
        raise Refusal(f"--nodes {asked.nodes}: {paths.folder} was begun on {len(begun.nodes)}; give as many, or {ANEW}")
    if begun.slurm is None:
        return
    if begun.slurm.partition != partition.name:
        words = f"was begun in {begun.slurm.partition}; give that, or {ANEW}"
        raise Refusal(f"--partition {partition.name}: {paths.folder} {words}")
    if begun.slurm.shared != (cpus_taken(asked, partition.cpus) < partition.cpus):
        had, lacks = ("shared", "without") if begun.slurm.shared else ("whole", "with")
        raise Refusal(f"{lacks} --shared: {paths.folder} was begun on {had} nodes; go on with such, or give {ANEW}")


def command_of(paths: SweepPaths) -> SubmittedCommand | None:
    """What was typed when the sweep was submitted; None where it never was."""
    try:
        document = read_json(submitted(paths) / "command.json")
        return SubmittedCommand(str(document.get("cluster", "slurm")), tuple(map(str, document.get("words", []))))
    except (OSError, SchemaError, json.JSONDecodeError):
        return None


def finished(paths: SweepPaths) -> bool:
    """Whether the sweep was carried through, and another job would make no run that was skipped."""
    events = [event["event"] for event in Ledger(paths.ledger).events()] if paths.ledger.exists() else []
    ends = [event for event in events if event != CLEANUP]
    if not ends or ends[-1] != "finished":
        return False
    return not any(map(resume.left_over, resume.records(paths).values()))
