"""The tasks `sweep` and `studies`: carry out a study on a cluster, and list the studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks.arguments import LOCAL_CLUSTER, TURN, YES, images_of, number, numbers, words
from orchestration.tasks.carried_out import carry_out_sweep
from orchestration.tasks.common import find_living, known_clusters, operator, reports_errors, surroundings, terminable
from orchestration.tasks.printing import print_line, print_table, short
from orchestration.tasks.within import goal_of

if TYPE_CHECKING:
    from orchestration.planning.study import Overrides
    from orchestration.sweep.prepare import Sweep


SWEEP_HELP = {
    "cluster": f"where to run: {LOCAL_CLUSTER}",
    "clusters": "several instead, comma-separated: each is brought up, swept and taken down, one after the other",
    "parallel": "with --clusters: how many are at work at once, those on this machine alone (default: 1)",
    "study": "what to run: a name that the task `studies` lists, or the path of a study (default: the cluster's own)",
    "out": "folder of the sweep (default: results/runs/<study>-<cluster>-<UTC time>, or the unfinished one)",
    "new": "start another sweep, even where an unfinished one could continue",
    "retry": "repeat the runs that did not end ok",
    "force": "also make the runs that would be skipped: too large for the memory, or with too many ranks",
    "dry-run": "list the runs in order, without running any",
    **TURN,
    "down-after": "take the cluster down once every record is here",
    "series": "only these series of the study, comma-separated; holds for any cluster profile",
    "ranks": "these rank counts in every series, comma-separated",
    "batch": "this batch in every strong series, a rank in every weak one; several, comma-separated, for size series",
    "repeats": "timed repeats inside each launch",
    "launches": "launches (separate mpiruns) of each point: 5 make intervals 1.8 times narrower than 3",
    "within": "go on in blocks of launches until each point's 95 % interval lies this close around its time, as 5%",
    "max-launches": "with --within: the most launches of a point (default: 30)",
    "max-time": "with --within: the longest time at work on this sweep, as 90s, 30m or 2h",
    "max-cost": "with --within: the same limit by the cluster's price; with --clusters: what all may cost together",
    "images": "sample, synthetic, or a folder of pictures",
    "backend": "code that convolves a block, comma-separated",
    "movement": "how blocks travel, comma-separated",
    "stores": "how simd writes: ordinary, non-temporal, or the faster of them, found out first at each point (default)",
    "command": "a program of your own, with its arguments, in which {n} is a parameter: './heat {n} 100'",
    "parameter": "NAME=VALUE of the command: a value, several with commas, or arithmetic of ranks; may be repeated",
    "metric": "NAME=TEXT {number} of the program's output; the first is the headline; higher:NAME= if more is better",
    "scaling": "strong (the default) or weak, of the program",
    "size": "the program's work, as arithmetic of its parameters: 'n*n'",
    "mpi": "the program's MPI: openmpi5, openmpi4 or mpich (default: told by its libraries)",
    "threads": "threads of each of the program's ranks",
    "yes": f"with --clusters: {YES}",
    "planned-nodes": "in a Slurm job that makes the runs of its number of nodes alone: how many the largest job has",
}


@task(help=SWEEP_HELP, iterable=["parameter", "metric"], auto_shortflags=False)
@reports_errors
def sweep(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    parameter: Sequence[str],
    metric: Sequence[str],
    cluster: str = "local",
    clusters: str = "",
    parallel: str = "",
    study: str = "",
    out: str = "",
    new: bool = False,
    retry: bool = False,
    force: bool = False,
    dry_run: bool = False,
    wait: bool = False,
    concurrent: bool = False,
    down_after: bool = False,
    series: str = "",
    ranks: str = "",
    batch: str = "",
    repeats: str = "",
    launches: str = "",
    within: str = "",
    max_launches: str = "",
    max_time: str = "",
    max_cost: str = "",
    images: str = "",
    backend: str = "",
    movement: str = "",
    stores: str = "",
    command: str = "",
    scaling: str = "",
    size: str = "",
    mpi: str = "",
    threads: str = "",
    planned_nodes: str = "",
    yes: bool = False,
) -> None:
    """Measure how a program scales, ours or your own: carry out a study, or go on with an unfinished sweep."""
    from orchestration.sweep.locks import Turn
    from orchestration.sweep.prepare import Request, prepare
    from orchestration.sweep.resume import Flags

    if clusters:
        _campaign(locals())
        return
    if parallel:
        raise Refusal("--parallel is of several clusters: give --clusters too")
    goal = goal_of(find_living(cluster), within, max_launches, max_time, max_cost)
    count = number("--planned-nodes", planned_nodes)
    if count is not None and goal is not None:
        raise Refusal("--within looks at all points at once, and --planned-nodes leaves them to several jobs: give one")
    overrides = overrides_of(locals())  # the flags, by their names
    folder = Path(out).expanduser() if out else None
    turn = Turn(wait, concurrent, print_line)
    request = Request(cluster, study or None, folder, new, Flags(retry, force), overrides, turn, goal, count)
    if down_after:  # refuse before the runs, not after them
        known_clusters().provider(cluster).check_down(cluster, operator())
    with terminable():
        prepared = prepare(request, surroundings())
        if dry_run:
            _list_runs(prepared)
        else:
            _carry_out(prepared, down_after)


def _campaign(flags: Mapping[str, Any]) -> None:
    """`fab sweep --clusters`. Raises Refusal, Exit with status 1 where something is left to do or failed."""
    from orchestration.sweep.locks import Turn
    from orchestration.sweep.prepare import Request
    from orchestration.sweep.resume import Flags
    from orchestration.tasks.campaign import DEFAULT_STUDY, CampaignQuestion, carry_out_campaign

    of_one = {
        "--cluster": flags["cluster"] != "local",
        "--out": flags["out"],
        "--down-after": flags["down_after"],
        "--planned-nodes": flags["planned_nodes"],
    }
    if others := [flag for flag, given in of_one.items() if given]:
        raise Refusal(f"{others[0]} is of one cluster, and --clusters of several: give the one or the other")
    here = find_living("local")  # the limits but --max-cost are the same everywhere
    goal = goal_of(here, flags["within"], flags["max_launches"], flags["max_time"], "")
    request = Request(
        study=flags["study"] or (None if flags["command"] else DEFAULT_STUDY),
        flags=Flags(flags["retry"], flags["force"]),
        overrides=overrides_of(flags),
        turn=Turn(flags["wait"], flags["concurrent"], print_line),
        goal=goal,
    )
    request.turn.check(here)
    question = CampaignQuestion(flags["clusters"], flags["max_cost"], request, flags["new"], flags["parallel"])
    if not carry_out_campaign(question, operator(flags["yes"]), dry_run=flags["dry_run"]):
        raise Exit(code=1)


def overrides_of(flags: Mapping[str, Any]) -> Overrides:
    """What the flags change of the study; a task need not have all of them. Raises Refusal."""
    from orchestration.planning.study import Overrides

    given = {**dict.fromkeys(("ranks", "launches", "batch", "repeats", "images", "stores"), ""), **flags}
    return Overrides(
        series=words(given["series"]),
        ranks=numbers("--ranks", given["ranks"]),
        launches=number("--launches", given["launches"]),
        values={
            "batch": numbers("--batch", given["batch"]),
            "repeats": number("--repeats", given["repeats"]),
            "images": images_of(given["images"]),
            "backend": words(given["backend"]),
            "movement": words(given["movement"]),
            "stores": given["stores"] or None,
            "parameter": tuple(given["parameter"]),
            "metric": tuple(given["metric"]),
            "threads": number("--threads", given["threads"]),
            **{name: given[name] for name in ("command", "scaling", "size", "mpi")},
        },
    )


@task(auto_shortflags=False)
@reports_errors
def studies(_context: Context) -> None:
    """List the studies that `--study` takes."""
    from orchestration.experiments import load
    from orchestration.planning import study

    names = study.names()
    for name in names:
        _, loaded = load(name, study.Overrides())
        series = ", ".join(f"{item.name} ({item.scaling})" for item in study.series_of(loaded.study))
        print(f"{name:{max(map(len, names))}}  {series}")


def _carry_out(prepared: Sweep, down_after: bool) -> None:
    """Carries the sweep out, reports, takes the cluster down if asked to; exit status 1 where a run failed."""
    _, result = carry_out_sweep(prepared)
    if down_after:
        cluster = prepared.request.cluster
        known_clusters().provider(cluster).down(cluster, False, operator())
        print(f"{prepared.inventory.cluster} is down")
    if not result.as_planned:
        raise Exit(code=1)


def _list_runs(prepared: Sweep) -> None:
    """Prints the runs in order, and which of them would be skipped or are done."""
    from orchestration.forecast.precision import outlook
    from orchestration.forecast.sweep import forecast_sweep

    paths = prepared.find()
    planned = list(filter(prepared.is_own, prepared.plan.runs))
    pending = planned if paths is None else prepared.pending(paths)
    forecast = forecast_sweep(prepared)
    columns = prepared.experiment.columns
    rows, waiting = [], {item.run.run_id for item in pending}
    every = planned if paths is None else prepared.runs(paths)
    for item in every:
        run = item.run
        mib = "" if item.peak_bytes is None else f"{sum(item.peak_bytes) / 2**20:.0f}"
        fate = f"skipped: {reason}" if (reason := prepared.skip_reason(item)) else ""
        fate = fate if run.run_id in waiting else "done"
        cells = [item.sequence, "+".join(item.series), run.ranks, *item.cells]
        rows.append([*map(str, [*cells, run.launch + 1, mib, forecast.told(run.run_id), fate])])
    print_table(["#", "series", "ranks", *columns, "launch", "predicted MiB", "forecast", "becomes"], rows)
    print(*prepared.plan.notes, sep="\n")
    where = "another sweep" if paths is None else f"going on with {short(paths.folder)}"
    print(f"{where}: {len(pending)} of {len(every)} runs to do")
    if forecast.why:
        print_line(forecast.why)
    if goal := prepared.request.goal:
        print_line(outlook(prepared, goal, pending, every))
