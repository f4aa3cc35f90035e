"""What the tasks print: tables, lines, and paths as they are used from where the person stands."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console


MENU = "fabfile.py"  # what bin/convscale starts


class Tabular(Protocol):
    """A table of results, as results.table has it."""

    @property
    def title(self) -> str: ...

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def rows(self) -> Sequence[Sequence[str]]: ...

    @property
    def notes(self) -> Sequence[str]: ...


def console() -> Console:
    """Standard output; where it is no terminal, as wide as a table needs, so that nothing is cut."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=200)


def print_tables(tables: Sequence[Tabular], problems: Sequence[str]) -> None:
    """Prints tables with their notes, and what could not be read."""
    from rich.markup import escape
    from rich.table import Table

    out = console()
    for item in tables:
        table = Table(*item.columns, title=item.title, title_justify="left")
        for row in item.rows:
            table.add_row(*map(escape, row))  # names from nodes are text, never markup
        out.print(table)
        for note in item.notes:
            out.print(note, markup=False, highlight=False)
    for problem in problems:
        print(f"convscale: {problem}", file=sys.stderr)


def print_line(line: str) -> None:
    """Prints a line at once, also into a pipe."""
    print(as_typed(line), flush=True)


def as_typed(text: str) -> str:
    """The text with the commands in it as the person types them: `convscale` where bin/convscale was started."""
    return re.sub(r"(?<=['`])fab (?=[a-z])", "convscale ", text) if Path(sys.argv[0]).name == MENU else text


def short(path: Path) -> str:
    """The path from where the person stands: relative where it lies below, else absolute."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
