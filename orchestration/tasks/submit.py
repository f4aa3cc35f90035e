"""The task `submit`: a sweep as a batch job of Slurm's, from a login node."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks import sweep as sweep_task
from orchestration.tasks.arguments import number, words
from orchestration.tasks.common import ROOT, RUNS, reports_errors, utc_now
from orchestration.tasks.printing import print_line, short

if TYPE_CHECKING:
    from orchestration.paths import SweepPaths
    from orchestration.planning.study import LoadedStudy, Series
    from orchestration.provision.batch import BatchRequest, Partition, SlurmQueue, SubmittedCommand
    from orchestration.provision.slurm_cluster import SlurmCluster

OWN_HELP = {
    "cluster": "a cluster that 'fab inventory --slurm' described; its file says what is not given (default: slurm)",
    "nodes": "how many nodes, whole ones unless --shared",
    "time": "how long, as Slurm takes it (30, 1:30:00, 1-12:00), or as 90m, 4h, 1d",
    "partition": "Slurm's partition (default: the cluster's, else Slurm's default)",
    "account": "what the time is charged to",
    "sbatch-option": "an option of sbatch's own, as --qos=high; may be repeated",
    "module": "modules to load before, comma-separated",
    "job-per": "'nodes': a job for each number of nodes that runs need, one after the other; none then idles",
    "shared": "of each node no more than the largest count takes: other jobs may disturb the runs, which are marked",
    "new": "another sweep, even where an unfinished one could go on",
    "dry-run": "print the script and what it costs, and submit nothing",
    "out": "folder of the sweep, which all nodes share (default: under results/runs)",
}
# what is the job's, or makes no sense in one
NOT_PASSED = (
    *("cluster", "clusters", "parallel", "yes", "out", "new", "dry_run"),
    *("wait", "concurrent", "down_after", "planned_nodes"),
)
# with other ones of these it is the same sweep; the first three find work in a finished one, too
FURTHER = ("retry", "force", "within")
LIMITS = ("max_launches", "max_time", "max_cost")


def _with_flags_of_sweep(body: Any) -> Any:
    """The body with the flags of `fab sweep` beside its own."""
    own = list(inspect.signature(body).parameters.values())[:-1]
    sweeps = list(inspect.signature(sweep_task.sweep.body).parameters.values())[1:]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    passed = [item.replace(kind=kind) for item in sweeps if item.name not in NOT_PASSED]
    required = [item for item in (*own, *passed) if item.default is inspect.Parameter.empty]
    optional = [item for item in (*own, *passed) if item.default is not inspect.Parameter.empty]
    body.__signature__ = inspect.Signature([*required, *optional])
    return body


HELP = {key: text for key, text in sweep_task.SWEEP_HELP.items() if key.replace("-", "_") not in NOT_PASSED} | OWN_HELP


@task(help=HELP, iterable=["parameter", "metric", "sbatch_option"], auto_shortflags=False)
@reports_errors
@_with_flags_of_sweep
def submit(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    sbatch_option: Sequence[str],
    cluster: str = "slurm",
    nodes: str = "",
    time: str = "",
    partition: str = "",
    account: str = "",
    module: str = "",
    shared: bool = False,
    job_per: str = "",
    new: bool = False,
    dry_run: bool = False,
    out: str = "",
    **flags: Any,
) -> None:
    """Submit a sweep as one batch job of Slurm's; the same command again goes on where a job ended."""
    from orchestration.provision import batch, slurm_cluster
    from orchestration.provision.slurm import description

    described = description(cluster, ROOT)
    asked = _request(described, cluster, nodes, time, partition, account, module, sbatch_option)
    _check_job_per(job_per, shared, flags)
    loaded = _loaded(flags)
    slurm = batch.SlurmQueue(os.environ)
    found = batch.check(asked, slurm.partitions())
    if shared:
        asked = _shared(asked, found.cpus, loaded)
    needed = _nodes_needed(asked, found, loaded)
    largest = replace(asked, nodes=max(needed), in_turn=True) if job_per else asked
    further = any(flags[name] for name in FURTHER)
    command = batch.SubmittedCommand(cluster, tuple(_typed({"job_per": job_per} | flags, (*FURTHER, *LIMITS))))
    with _in_turn(dry_run):
        paths = _paths(out, new, loaded, command, further)
        batch.check_same_nodes(paths, largest, found)
        slurm_cluster.check_shared(described, cluster, ROOT, [ROOT, paths.folder])
        counts = batch.left(paths, needed, further) if job_per else [asked.nodes]
        jobs = [replace(largest, nodes=count) for count in counts]
        words = _sweep(cluster, paths, flags, largest)
        scripts = {batch.script_of(paths, job): batch.script(job, paths, Path.cwd(), words) for job in jobs}
        if dry_run:
            print(*scripts.values(), sep="\n", end="")
        for line in _costs(asked, needed, found, job_per, dry_run):
            print_line(line)
        if not dry_run:
            _submit(slurm, paths, scripts, command)


def _in_turn(dry_run: bool) -> AbstractContextManager[None]:
    """Two at one instant would otherwise both find no sweep of their command, or both give a new one the same name."""
    from orchestration.paths import SweepPaths
    from orchestration.sweep.locks import in_turn

    return nullcontext() if dry_run else in_turn(SweepPaths(RUNS.resolve()), RUNS / ".submitting")


def _submit(slurm: SlurmQueue, paths: SweepPaths, scripts: Mapping[Path, str], command: SubmittedCommand) -> None:
    """Brings the scripts into the queue, in their order, unless a job of the sweep is there. Raises Refusal."""
    from orchestration.paths import RunsFolder
    from orchestration.provision import batch
    from orchestration.sweep.locks import in_turn

    with in_turn(paths, batch.submitted(paths) / ".lease"):  # with `--out` from other checkouts, too
        slurm.recover(paths)
        for _, job in slurm.jobs([paths]):
            raise Refusal(
                f"job {job.number} of {short(paths.folder)} is {job.state}: "
                f"wait for it, or 'scancel {job.number}' ends it"
            )
        batch.prepare(RunsFolder(RUNS), paths, scripts, command)
        for script in scripts:
            print_line(f"job {slurm.submit(paths, script)}: {short(script)}")
    print_line(f"'fab status --sweep {short(paths.folder)}' says how far it is")


def _check_job_per(job_per: str, shared: bool, flags: Mapping[str, Any]) -> None:
    """Raises Refusal where a sweep cannot have a job for each number of nodes."""
    if job_per not in ("", "nodes"):
        raise Refusal(f"--job-per {job_per!r}: give nodes, for a job for each number of nodes, or leave it out")
    if job_per and shared:
        raise Refusal("--job-per nodes and --shared: on shared nodes each job has other CPUs; give one of them")
    if job_per and flags["within"]:
        raise Refusal("--job-per nodes and --within, which looks at all points at once: give one of them")


def _sweep(cluster: str, paths: SweepPaths, flags: Mapping[str, Any], largest: BatchRequest) -> list[str]:
    """The command that the job becomes."""
    ours = [str(Path(sys.prefix) / "bin" / "python"), "-E", "-s", str(ROOT / "fabfile.py")]
    planned = ["--planned-nodes", str(largest.nodes)] if largest.in_turn else []
    return [*ours, "sweep", "--cluster", cluster, "--out", str(paths.folder), *planned, *_typed(flags)]


def _request(  # noqa: PLR0913, PLR0917  one argument a flag
    described: SlurmCluster,
    cluster: str,
    nodes: str,
    time: str,
    partition: str,
    account: str,
    module: str,
    options: Sequence[str],
) -> BatchRequest:
    """What is asked of Slurm: what is typed, else what the cluster's description says. Raises Refusal."""
    from orchestration.messages import unknown
    from orchestration.provision import batch

    if partition and described.partitions and partition not in described.partitions:
        raise Refusal(unknown(f"partition of {cluster}", partition, described.partitions))
    if not nodes or not (time or described.time):
        raise Refusal("--nodes and --time are needed: give for example --nodes 4 --time 1h")
    count = number("--nodes", nodes) or 0
    if count < 1:
        raise Refusal(f"--nodes {nodes}: give a whole number of at least 1")
    minutes = batch.minutes_of(time or described.time)
    if minutes is None:
        raise Refusal(f"--time {time!r} is no time: {batch.TIMES}")
    return batch.BatchRequest(
        count,
        minutes,
        partition or next(iter(described.partitions), ""),
        account or described.account,
        (*described.sbatch_options, *options),
        words(module) or described.modules,
    )


def _shared(asked: BatchRequest, cpus: int, loaded: LoadedStudy) -> BatchRequest:
    """The request for what the study's largest count takes; all CPUs where it takes all slots."""
    from orchestration.planning.study import SLOTS, series_of
    from orchestration.provision import batch

    series = series_of(loaded.study)
    listed = all(item.ranks != SLOTS for item in series)
    threads = max([loaded.study.threads, *(item.threads or 1 for item in series)])
    return batch.of_shared_nodes(asked, cpus, max(max(item.ranks) for item in series) if listed else None, threads)


def _loaded(flags: Mapping[str, Any]) -> LoadedStudy:
    """The study, so that what is wrong with it is said before the job waits for hours. Raises Refusal."""
    from orchestration.experiments import EXPERIMENTS, load

    return load(flags["study"] or None, sweep_task.overrides_of(flags), EXPERIMENTS, "quick")[1]


def _typed(flags: Mapping[str, Any], without: Sequence[str] = ()) -> list[str]:
    """The flags of `fab sweep` as they were typed."""
    typed: list[str] = []
    for name, value in flags.items():
        if name in without:
            continue
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            typed.append(flag)
        elif isinstance(value, list):
            typed += [word for item in value for word in (flag, str(item))]
        elif value:
            typed += [flag, str(value)]
    return typed


def _paths(out: str, new: bool, loaded: LoadedStudy, command: SubmittedCommand, further: bool) -> SweepPaths:
    """The folder of the sweep: the one given, that of the sweep of the same command that goes on, or a new one."""
    from orchestration.paths import RunsFolder, SweepPaths
    from orchestration.provision import batch

    runs = RunsFolder(RUNS)
    if out:
        paths = SweepPaths(Path(out).expanduser().resolve())
        if new and paths.folder.exists():
            raise Refusal(f"--new, but {out} is there: give another --out")
        if batch.command_of(paths) not in (None, command):
            raise Refusal(f"{out} was submitted with other flags: give another --out, or the same flags")
        if batch.finished(paths) and not further:
            raise Refusal(f"{out} is finished: give another --out, or --retry for what did not end ok")
        return paths
    if not new and (found := batch.going_on(runs, command, further)) is not None:
        return found
    utc = utc_now()[:19].replace("-", "").replace(":", "")
    folder = RUNS.resolve() / f"{loaded.study.name}-{command.cluster}-{utc}Z"
    numbered = (folder, *(folder.with_name(f"{folder.name}-{n}") for n in range(2, 1000)))
    return SweepPaths(next(path for path in numbered if not path.exists()))


def _nodes_needed(asked: BatchRequest, found: Partition, loaded: LoadedStudy) -> list[int]:
    """How many of the nodes each point of the study needs."""
    from orchestration.planning.study import series_of
    from orchestration.provision import batch
    from orchestration.provision.slurm import NAME

    slots = found.cores if asked.tasks_per_node is None else asked.tasks_per_node
    series = [item for item in series_of(loaded.study) if item.profiles is None or NAME in item.profiles]
    return batch.nodes_needed(asked.nodes, slots, _points(series, asked.nodes, slots)) or [asked.nodes]


def _points(series: Sequence[Series], nodes: int, slots: int) -> list[int]:
    """The rank counts of the series' points on nodes of so many slots."""
    from orchestration.planning.plan import rank_counts

    found = []
    for item in series:
        if whole := getattr(item, "nodes", None):  # a program's, which names nodes in place of ranks
            found += [count * slots for count in whole]
        else:
            counts = rank_counts(item, nodes * slots)
            found += [count for count in counts if item.max_ranks is None or count <= item.max_ranks]
        found += item.ranks_beside
    return found


def _costs(asked: BatchRequest, needed: Sequence[int], found: Partition, job_per: str, both: bool) -> Iterator[str]:
    """What the sweep may cost as it is submitted; `both`: in one job, and in one for each number of nodes."""
    from orchestration.provision import batch

    taken = batch.cpus_taken(asked, found.cpus)
    idle, hours = batch.idle_share(asked.nodes, needed), taken * asked.minutes / 60
    whole = f"{asked.nodes} nodes of {found.cpus} CPUs"
    nodes = whole if asked.tasks_per_node is None else f"{taken} CPUs of each of {whole}, shared with other jobs,"
    if both or not job_per:
        yield (
            f"{'one job: ' if both else ''}at most {asked.nodes * hours:.3g} core-hours: {nodes} for {asked.minutes} "
            f"min; {idle:.0%} of it idles if all runs take equally long, for small counts use the first nodes alone"
        )
    if job_per or (both and asked.tasks_per_node is None):
        counts = sorted(set(needed), reverse=True)
        yield (
            f"{'--job-per nodes: ' if both else ''}at most {sum(counts) * hours:.3g} core-hours: a job of each of "
            f"{', '.join(map(str, counts))} nodes of {found.cpus} CPUs for {asked.minutes} min; 0% of it idles, so "
            f"that the same runs take {1 - idle:.0%} of the core-hours of one job"
        )
