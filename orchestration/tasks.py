"""The fab tasks: short bodies. Here, and nowhere below, the clock, the environment and the terminal are read."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.refusal import Refusal, Stopped
from workload.record import SchemaError

if TYPE_CHECKING:
    from rich.console import Console

    import results.table
    from orchestration.progress import Progress
    from orchestration.sweep import Surroundings, Sweep

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "results" / "runs"
P = ParamSpec("P")


def speaking(body: Callable[P, None]) -> Callable[P, None]:
    """Turns the two ways in which a task ends early into one line and an exit status."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            body(*args, **kwargs)
        except Refusal as refusal:
            raise Exit(f"convscale: {refusal}", code=2) from refusal
        except Stopped as stopped:
            raise Exit(f"convscale: {stopped}", code=1) from stopped
        except KeyboardInterrupt:
            raise Exit("convscale: interrupted: what is recorded is kept", code=1) from None
        except BrokenPipeError:  # the reader of our output went away, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=1) from None

    return wrapped


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
    from orchestration.clusters import find, living
    from orchestration.resume import Flags
    from orchestration.study import Overrides
    from orchestration.sweep import Request, prepare
    from workload.supervise import utc_now

    living(find(cluster, ROOT, utc_now()), utc_now())
    overrides = Overrides(
        series=_words(series),
        ranks=_numbers("--ranks", ranks),
        batch=_numbers("--batch", batch),
        repeats=_number("--repeats", repeats),
        launches=_number("--launches", launches),
        images=_images(images),
        backend=_words(backend),
        movement=_words(movement),
    )
    request = Request(cluster, study or None, Path(out) if out else None, new, Flags(retry, force), overrides)
    # looked for first: what cannot be taken down is refused before the runs, not after
    down = _down(cluster) if down_after else None
    with _terminable():
        prepared = prepare(request, surroundings())
        if dry_run:
            _list_runs(prepared)
        else:
            _carry_out(prepared, down)


@task(
    help={"sweep": "folder of a sweep; given twice and more it makes a joint report", "out": "folder of the report"},
    iterable=["sweep"],
    auto_shortflags=False,
)
@speaking
def report(_context: Context, sweep: Sequence[str], out: str = "") -> None:
    """Make the report of a sweep again, from its records alone; of several sweeps, a joint report."""
    folders = [_sweep_folder(name) for name in sweep] or [_sweep_folder(str(RUNS / "latest"))]
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
    from results.auditing import make
    from results.store import SweepError

    folders = [_sweep_folder(name) for name in sweep] or ([] if published else [_sweep_folder(str(RUNS / "latest"))])
    try:
        made = make(folders, published=published, out=Path(out) if out else None)
    except SweepError as error:
        raise Refusal(str(error)) from error
    _print(made.tables, made.problems)
    print(f"findings: {made.findings}")
    if made.findings and not published:
        raise Exit(code=1)


@task(help={"first": "folder of a sweep, A", "second": "folder of another, B"}, auto_shortflags=False)
@speaking
def compare(_context: Context, first: str, second: str) -> None:
    """Compare two sweeps point by point, and say where no difference can be claimed."""
    from results.comparing import make
    from results.store import SweepError

    try:
        made = make(_sweep_folder(first), _sweep_folder(second))
    except SweepError as error:
        raise Refusal(str(error)) from error
    _print([made.table], made.problems)


@task(
    help={"cluster": "a name that `fab clusters` lists, or the path of an inventory.json (default: local)"},
    auto_shortflags=False,
)
@speaking
def probe(_context: Context, cluster: str = "local") -> None:
    """Measure what a cluster can do: messages, memory, multiply-adds and each backend."""
    from orchestration.clusters import find, living
    from orchestration.probe import measure
    from results.tables.probe import tables
    from workload.supervise import utc_now

    living(find(cluster, ROOT, utc_now()), utc_now())
    path, document = measure(cluster, surroundings())
    _print(tables(document), ())
    print(f"probe: {_short(path)}")


@task(
    help={
        "cluster": "a cluster that was probed (default: local)",
        "study": "whose runs to forecast (default: the cluster's own)",
        "ranks": "rank counts: 1..64 for powers of two, or a comma-separated list",
        "series": "only these series of the study, comma-separated",
        "movement": "how blocks travel, comma-separated",
        "backend": "code that convolves a block, comma-separated",
        "extrapolate": "forecast also beyond 8 times the ranks that were probed",
        "sweep": "folder of a sweep whose measured times stand beside the forecast",
    },
    auto_shortflags=False,
)
@speaking
def forecast(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    cluster: str = "local",
    study: str = "",
    ranks: str = "1..16",
    series: str = "",
    movement: str = "",
    backend: str = "",
    extrapolate: bool = False,
    sweep: str = "",
) -> None:
    """Forecast a study's runs from the cluster's probe: time by phase, memory, price, and where scaling stops."""
    from orchestration import forecast as planned
    from orchestration.clusters import find
    from orchestration.probe import read
    from orchestration.study import Overrides, load
    from results import forecasting, probe
    from results.model import Case, ForecastError
    from results.store import SweepError, read_sweep
    from results.versus import Price
    from workload.supervise import utc_now

    inventory = find(cluster, ROOT, utc_now())
    loaded = load(
        study or inventory.default_study,
        Overrides(series=_words(series), movement=_words(movement), backend=_words(backend)),
    )
    document = read(cluster, ROOT)
    points, notes = planned.points(loaded, inventory, planned.counts(ranks))
    asked = [
        forecasting.Asked(
            point.series,
            Case(point.problem, point.grid, point.movement, point.backend, per_node),
            nodes,
        )
        for point in points
        for nodes, per_node in [planned.placement(point.ranks, inventory)]
    ]
    price = Price(inventory.price.amount_per_hour, inventory.price.currency) if inventory.price else None
    try:
        beside = read_sweep(_sweep_folder(sweep)) if sweep else None
        found = probe.parse(document, f"the probe of {cluster}")
        terms = forecasting.Terms(found, document["ranks"], price, len(inventory.nodes), extrapolate, beside)
        _print([forecasting.table(asked, terms)], ())
    except (ForecastError, SweepError, SchemaError) as error:
        raise Refusal(str(error)) from error
    print(*notes, sep="\n")


@task(auto_shortflags=False)
@speaking
def clusters(_context: Context) -> None:
    """List the clusters that `fab sweep --cluster` takes."""
    from orchestration.clusters import find, names
    from workload.supervise import utc_now

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
    from orchestration import study

    names = study.names()
    for name in names:
        loaded = study.load(name, study.Overrides()).study
        series = ", ".join(f"{item.name} ({item.scaling})" for item in loaded.series)
        print(f"{name:{max(map(len, names))}}  {series}")


def surroundings() -> Surroundings:
    """What a sweep uses of the world outside."""
    from orchestration.launch import kept_environment
    from orchestration.paths import RunsFolder
    from orchestration.sweep import Surroundings
    from workload.supervise import utc_now

    return Surroundings(ROOT, RunsFolder(RUNS), utc_now, kept_environment(dict(os.environ)))


def _carry_out(prepared: Sweep, down: Callable[[], None] | None) -> None:
    """Carries the sweep out, reports, takes the cluster `down`; ends with exit status 1 where a run failed."""
    from orchestration.sweep import carry_out

    paths = prepared.find()
    print("another sweep:" if paths is None else "going on with", end=" ")
    again = [] if paths is None else prepared.rebooted(paths)
    paths = paths or prepared.new_folder()
    print(_short(paths.folder), *again, *prepared.plan.notes, sep="\n", flush=True)
    result = carry_out(prepared, paths, _progress())
    _report([paths.folder], None)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.counts.items()))
    print(f"{sum(result.counts.values())} runs: {counts}")
    if down is not None:
        down()
        print(f"{prepared.inventory.cluster} is down")
    if not result.as_planned:
        raise Exit(code=1)


def _down(cluster: str) -> Callable[[], None]:
    """What takes the cluster down. Raises Refusal where `fab` did not bring it up."""
    from orchestration.cluster_tasks import taker

    return taker(cluster)


def _list_runs(prepared: Sweep) -> None:
    """The runs in order, and what is to become of each."""
    from rich.table import Table

    paths = prepared.find()
    pending = prepared.plan.runs if paths is None else prepared.pending(paths)
    table = Table("#", "series", "ranks", "batch", "movement", "backend", "launch", "predicted MiB", "")
    for item in prepared.plan.runs:
        run = item.run
        mib = sum(item.footprint.peak_bytes) / 2**20
        fate = f"skipped: {reason}" if (reason := prepared.skip_reason(item)) else ""
        fate = fate if item in pending else "done"
        cells = [item.sequence, "+".join(item.series), run.ranks, run.problem.batch, run.movement, run.backend]
        table.add_row(*map(str, [*cells, run.launch + 1, f"{mib:.0f}", fate]))
    _console().print(table)
    print(*prepared.plan.notes, sep="\n")
    where = "another sweep" if paths is None else f"going on with {_short(paths.folder)}"
    print(f"{where}: {len(pending)} of {len(prepared.plan.runs)} runs to do")


def _report(folders: list[Path], out: Path | None) -> None:
    """Makes the report, prints its tables and what it could not read."""
    from results.report import make
    from results.store import SweepError

    try:
        made = make(folders, out)
    except SweepError as error:
        raise Refusal(str(error)) from error
    _print(made.tables, made.problems)
    print(f"report: {_short(made.path)}")


def _print(tables: Sequence[results.table.Table], problems: Sequence[str]) -> None:
    """Prints tables with their notes, and what could not be read."""
    from rich.markup import escape
    from rich.table import Table

    console = _console()
    for item in tables:
        table = Table(*item.columns, title=item.title, title_justify="left")
        for row in item.rows:
            table.add_row(*map(escape, row))  # names from nodes are text, never markup
        console.print(table)
        for note in item.notes:
            console.print(note, markup=False, highlight=False)
    for problem in problems:
        print(f"convscale: {problem}", file=sys.stderr)


def _sweep_folder(name: str) -> Path:
    folder = Path(name)
    if not (folder / "records").is_dir():
        raise Refusal(f"--sweep {name} is no sweep's folder (it has no records/): give one under results/runs")
    return folder.resolve()


def _progress() -> Progress:
    from orchestration.progress import Lines, Terminal

    return Terminal() if sys.stdout.isatty() else Lines(sys.stdout)


def _console() -> Console:
    """Standard output; as wide as a table needs where it is no terminal, so that nothing is cut."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=200)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a sweep as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in _words(text))
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no list of whole numbers: give for example {flag} 1,2,4") from None


def _number(flag: str, text: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no whole number: give for example {flag} 3") from None


def _images(text: str) -> str | None:
    """A folder of the command line lies under the folder that the person stands in."""
    return text if text in ("sample", "synthetic") else str(Path(text).expanduser().absolute()) if text else None
