"""The fab tasks of sweeps and their results: short bodies."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks.common import (
    ROOT,
    RUNS,
    cloud,
    console,
    number,
    numbers,
    print_tables,
    short,
    speaking,
    surroundings,
    sweep_folder,
    terminable,
    words,
)

if TYPE_CHECKING:
    from orchestration.sweep.prepare import Sweep
    from orchestration.sweep.progress import Progress


SWEEP_HELP = {
    "cluster": "where to run: a name that `fab clusters` lists, or the path of an inventory.json (default: local)",
    "study": "what to run: a name that `fab studies` lists, or the path of a study (default: the cluster's own)",
    "out": "folder of the sweep (default: results/runs/<study>-<cluster>-<UTC time>, or the unfinished one)",
    "new": "start another sweep, even where an unfinished one could go on",
    "retry": "run again what did not end ok",
    "force": "run also what would be skipped: too large for the memory, or more ranks than asked for",
    "dry-run": "list the runs in order, and run none",
    "down-after": "take the cluster down when every record is here",
    "series": "only these series of the study, comma-separated; holds for any cluster profile",
    "ranks": "these rank counts in every series, comma-separated",
    "batch": "this batch in every strong series, a rank in every weak one; several, comma-separated, for size series",
    "repeats": "timed repeats inside each launch",
    "launches": "launches (separate mpiruns) of each point",
    "images": "sample, synthetic, or a folder of pictures",
    "backend": "code that convolves a block, comma-separated",
    "movement": "how blocks travel, comma-separated",
}


@task(help=SWEEP_HELP, auto_shortflags=False)
@speaking
def sweep(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    cluster: str = "local",
    study: str = "",
    out: str = "",
    new: bool = False,
    retry: bool = False,
    force: bool = False,
    dry_run: bool = False,
    down_after: bool = False,
    series: str = "",
    ranks: str = "",
    batch: str = "",
    repeats: str = "",
    launches: str = "",
    images: str = "",
    backend: str = "",
    movement: str = "",
) -> None:
    """Measure how the convolution scales: carry out a study on a cluster, or go on with an unfinished sweep."""
    from orchestration.clusters.registry import find, living
    from orchestration.planning.study import Overrides
    from orchestration.sweep.prepare import Request, prepare
    from orchestration.sweep.resume import Flags
    from workload.agent.supervise import utc_now

    living(find(cluster, ROOT, utc_now()), utc_now())
    overrides = Overrides(
        series=words(series),
        ranks=numbers("--ranks", ranks),
        batch=numbers("--batch", batch),
        repeats=number("--repeats", repeats),
        launches=number("--launches", launches),
        images=_images(images),
        backend=words(backend),
        movement=words(movement),
    )
    request = Request(cluster, study or None, Path(out) if out else None, new, Flags(retry, force), overrides)
    # looked for first: what cannot be taken down is refused before the runs, not after
    down = _down(cluster) if down_after else None
    with terminable():
        prepared = prepare(request, surroundings())
        if dry_run:
            _list_runs(prepared)
        else:
            _carry_out(prepared, down)


@task(
    help={
        "sweep": "folder of a sweep; given twice and more it makes a joint report (default: the latest)",
        "cluster": "the newest sweep on this cluster, which need not be up",
        "out": "folder of the report",
    },
    iterable=["sweep"],
    auto_shortflags=False,
)
@speaking
def report(_context: Context, sweep: Sequence[str], cluster: str = "", out: str = "") -> None:
    """Make the report of a sweep again, from its records alone; of several sweeps, a joint report."""
    folders = [sweep_folder(name) for name in sweep] or [_newest(cluster)]
    _report(folders, Path(out) if out else None)


@task(
    help={
        "sweep": "folder of a sweep, more than once for several (default: the latest); a finding is exit status 1",
        "published": "audit the paper's published tables; sweeps then serve as replays of them",
        "out": "folder for the tables as Markdown and CSV (default: print them alone)",
    },
    iterable=["sweep"],
    auto_shortflags=False,
)
@speaking
def audit(_context: Context, sweep: Sequence[str], published: bool = False, out: str = "") -> None:
    """Name what cannot be true of a sweep's numbers, or of the published ones, and why."""
    from results.records.sweep import SweepError
    from results.report.audit import make

    folders = [sweep_folder(name) for name in sweep] or ([] if published else [sweep_folder(str(RUNS / "latest"))])
    try:
        made = make(folders, published=published, out=Path(out) if out else None)
    except SweepError as error:
        raise Refusal(str(error)) from error
    print_tables(made.tables, made.problems)
    print(f"findings: {made.findings}")
    if made.findings and not published:
        raise Exit(code=1)


@task(help={"first": "folder of a sweep, A", "second": "folder of another, B"}, auto_shortflags=False)
@speaking
def compare(_context: Context, first: str, second: str) -> None:
    """Compare two sweeps point by point, and say where no difference can be claimed."""
    from results.records.sweep import SweepError
    from results.report.compare import make

    try:
        made = make(sweep_folder(first), sweep_folder(second))
    except SweepError as error:
        raise Refusal(str(error)) from error
    print_tables([made.table], made.problems)


@task(auto_shortflags=False)
@speaking
def clusters(_context: Context) -> None:
    """List the clusters that `fab sweep --cluster` takes."""
    from orchestration.clusters.registry import find, names
    from workload.agent.supervise import utc_now

    known = names(ROOT)
    for name in known:
        try:
            nodes = find(name, ROOT, utc_now()).nodes
            memory = sum(node.memory_bytes for node in nodes) / 2**30
            words = f"{len(nodes)} nodes" if len(nodes) > 1 else "this machine" if name == "local" else "1 node"
            text = f"{words}: {sum(node.slots for node in nodes)} slots, {memory:.1f} GiB"
        except Refusal as refusal:
            text = str(refusal)
        print(f"{name:{max(map(len, known))}}  {text}")


@task(auto_shortflags=False)
@speaking
def studies(_context: Context) -> None:
    """List the studies that `fab sweep --study` takes."""
    from orchestration.planning import study

    names = study.names()
    for name in names:
        loaded = study.load(name, study.Overrides()).study
        series = ", ".join(f"{item.name} ({item.scaling})" for item in loaded.series)
        print(f"{name:{max(map(len, names))}}  {series}")


def _carry_out(prepared: Sweep, down: Callable[[], None] | None) -> None:
    """Carries the sweep out, reports, takes the cluster `down`; ends with exit status 1 where a run failed."""
    from orchestration.forecast.sweep import foretell
    from orchestration.sweep.runner import carry_out

    foretelling = foretell(prepared)
    paths = prepared.find()
    print("another sweep:" if paths is None else "going on with", end=" ")
    again = [] if paths is None else prepared.rebooted(paths)
    paths = paths or prepared.new_folder()
    notes = (*again, *prepared.plan.notes, *filter(None, [foretelling.why]), *foretelling.lifetime())
    print(short(paths.folder), *notes, sep="\n", flush=True)
    result = carry_out(prepared, paths, _progress(), foretelling.aside())
    _report([paths.folder], None)
    if unkept := foretelling.keep(paths.folder):
        print(unkept)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.counts.items()))
    print(f"{sum(result.counts.values())} runs: {counts}")
    if down is not None:
        down()
        print(f"{prepared.inventory.cluster} is down")
    if not result.as_planned:
        raise Exit(code=1)


def _down(cluster: str) -> Callable[[], None]:
    """What takes the cluster down. Raises Refusal where `fab` did not bring it up."""
    from orchestration.paths import RunsFolder
    from orchestration.tasks.takedown import taker

    return taker(cloud(yes=False), cluster, RunsFolder(RUNS))


def _newest(cluster: str) -> Path:
    """The folder of the newest sweep, on that cluster where one is named. Raises Refusal."""
    from orchestration.clusters.registry import called
    from orchestration.paths import RunsFolder
    from orchestration.sweep.status import newest
    from workload.agent.supervise import utc_now

    if not cluster:
        return sweep_folder(str(RUNS / "latest"))
    return newest(RunsFolder(RUNS), called(cluster, ROOT, utc_now())).folder


def _list_runs(prepared: Sweep) -> None:
    """The runs in order, and what is to become of each."""
    from rich.table import Table

    from orchestration.forecast.sweep import foretell

    paths = prepared.find()
    pending = prepared.plan.runs if paths is None else prepared.pending(paths)
    foretelling = foretell(prepared)
    table = Table("#", "series", "ranks", "batch", "movement", "backend", "launch", "predicted MiB", "forecast s", "")
    for item in prepared.plan.runs:
        run = item.run
        mib = sum(item.footprint.peak_bytes) / 2**20
        fate = f"skipped: {reason}" if (reason := prepared.skip_reason(item)) else ""
        fate = fate if item in pending else "done"
        cells = [item.sequence, "+".join(item.series), run.ranks, run.problem.batch, run.movement, run.backend]
        seconds = foretelling.forward_s(run.run_id)
        told = "" if seconds is None else f"{seconds:.3g}"
        table.add_row(*map(str, [*cells, run.launch + 1, f"{mib:.0f}", told, fate]))
    console().print(table)
    print(*prepared.plan.notes, sep="\n")
    where = "another sweep" if paths is None else f"going on with {short(paths.folder)}"
    print(f"{where}: {len(pending)} of {len(prepared.plan.runs)} runs to do")
    if foretelling.why:
        print(foretelling.why)


def _report(folders: list[Path], out: Path | None) -> None:
    """Makes the report, prints its tables and what it could not read."""
    from results.records.sweep import SweepError
    from results.report.page import make

    try:
        made = make(folders, out)
    except SweepError as error:
        raise Refusal(str(error)) from error
    print_tables(made.tables, made.problems)
    print(f"report: {short(made.path)}")


def _progress() -> Progress:
    from orchestration.sweep.progress import Lines, Terminal

    return Terminal() if sys.stdout.isatty() else Lines(sys.stdout)


def _images(text: str) -> str | None:
    """A folder of the command line lies under the folder that the person stands in."""
    return text if text in ("sample", "synthetic") else str(Path(text).expanduser().absolute()) if text else None
