"""What all fab tasks share. Here, and nowhere below, the clock, the environment and the terminal are read."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol

from invoke.exceptions import Exit

from orchestration.errors import Refusal, Stopped

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.provision.cloud.service import Cloud
    from orchestration.sweep.prepare import Surroundings

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "results" / "runs"
P = ParamSpec("P")


class Table(Protocol):
    """As results.table has it."""

    @property
    def title(self) -> str: ...

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def rows(self) -> Sequence[Sequence[str]]: ...

    @property
    def notes(self) -> Sequence[str]: ...


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


def surroundings() -> Surroundings:
    """What a sweep uses of the world outside."""
    from orchestration.jobs.mpirun import kept_environment
    from orchestration.paths import RunsFolder
    from orchestration.sweep.prepare import Surroundings
    from workload.agent.supervise import utc_now

    return Surroundings(ROOT, RunsFolder(RUNS), utc_now, kept_environment(dict(os.environ)))


def cloud(yes: bool) -> Cloud:
    """What cloud tasks use of the world outside; `yes` agrees to everything."""
    import time

    from orchestration.provision.cloud.service import Cloud
    from orchestration.provision.operator import Person, WallClock
    from workload.agent.supervise import utc_now

    person = Person(console(), yes, input if sys.stdin.isatty() else None)
    return Cloud(ROOT, dict(os.environ), person, WallClock(time.monotonic, utc_now, time.sleep))


def print_tables(tables: Sequence[Table], problems: Sequence[str]) -> None:
    """Prints tables with their notes, and what could not be read."""
    from rich import table as rich_table
    from rich.markup import escape

    out = console()
    for item in tables:
        table = rich_table.Table(*item.columns, title=item.title, title_justify="left")
        for row in item.rows:
            table.add_row(*map(escape, row))  # names from nodes are text, never markup
        out.print(table)
        for note in item.notes:
            out.print(note, markup=False, highlight=False)
    for problem in problems:
        print(f"convscale: {problem}", file=sys.stderr)


def sweep_folder(name: str) -> Path:
    folder = Path(name)
    if not (folder / "records").is_dir():
        raise Refusal(f"--sweep {name} is no sweep's folder (it has no records/): give one under results/runs")
    return folder.resolve()


def console() -> Console:
    """Standard output; as wide as a table needs where it is no terminal, so that nothing is cut."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=200)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends a sweep as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(flag: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words(text))
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no list of whole numbers: give for example {flag} 1,2,4") from None


def number(flag: str, text: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no whole number: give for example {flag} 3") from None
