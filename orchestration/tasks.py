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

if TYPE_CHECKING:
    from rich.console import Console

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
    from orchestration.resume import Flags
    from orchestration.study import Overrides
    from orchestration.sweep import Request, prepare

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
    with _terminable():
        prepared = prepare(request, surroundings())
        if dry_run:
            _list_runs(prepared)
        else:
            _carry_out(prepared)


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


@task(auto_shortflags=False)
@speaking
def clusters(_context: Context) -> None:
    """List the clusters that `fab sweep --cluster` takes."""
    from orchestration.clusters import LOCAL, local
    from workload.supervise import utc_now

    node = local(ROOT, utc_now()).nodes[0]
    print(f"{LOCAL:10} this machine: {node.slots} slots, {node.memory_bytes / 2**30:.1f} GiB")


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


def _carry_out(prepared: Sweep) -> None:
    """Carries the sweep out, reports, and ends with exit status 1 where a run failed."""
    from orchestration.sweep import carry_out

    paths = prepared.find()
    print("another sweep:" if paths is None else "going on with", end=" ")
    paths = paths or prepared.new_folder()
    print(_short(paths.folder), *prepared.plan.notes, sep="\n", flush=True)
    result = carry_out(prepared, paths, _progress())
    _report([paths.folder], None)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.counts.items()))
    print(f"{sum(result.counts.values())} runs: {counts}")
    if not result.as_planned:
        raise Exit(code=1)


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
    from rich.markup import escape
    from rich.table import Table

    from results.report import make
    from results.store import SweepError

    try:
        made = make(folders, out)
    except SweepError as error:
        raise Refusal(str(error)) from error
    console = _console()
    for item in made.tables:
        table = Table(*item.columns, title=item.title, title_justify="left")
        for row in item.rows:
            table.add_row(*map(escape, row))  # names from nodes are text, never markup
        console.print(table)
        for note in item.notes:
            console.print(note, markup=False, highlight=False)
    for problem in made.problems:
        print(f"convscale: {problem}", file=sys.stderr)
    print(f"report: {_short(made.path)}")


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
