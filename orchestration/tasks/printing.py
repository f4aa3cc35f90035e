"""Prints for the person: tables, lines, and paths relative to the current folder."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from orchestration import tables
from orchestration.tables import TextTable

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
    """Standard output; 200 columns wide where it is not a terminal, so that no table is cut."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=200)


def print_tables(found: Sequence[Tabular], problems: Sequence[str], answer: Sequence[str] = ()) -> None:
    """Prints what they answer, the tables with their notes, and what could not be read."""
    out = console()
    for line in answer:
        out.print(line, markup=False, highlight=False, style="bold")
    for item in found:
        print_table(item.columns, item.rows, item.title, out)
        for note in item.notes:
            out.print(note, markup=False, highlight=False)
    for problem in problems:
        print(f"convscale: {problem}", file=sys.stderr)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", out: Console | None = None
) -> None:
    """Prints a table as wide as the terminal has room for."""
    tables.print_table(TextTable(columns, rows, title), out or console())


def print_line(line: str) -> None:
    """Prints a line at once, also into a pipe."""
    print(as_typed(line), flush=True)


def as_typed(text: str) -> str:
    """The text with its `fab ...` commands as the person types them: `convscale ...` under bin/convscale."""
    return re.sub(r"(?<=['`])fab (?=[a-z])", "convscale ", text) if Path(sys.argv[0]).name == MENU else text


def short(path: Path) -> str:
    """The path relative to the current folder where it lies below it, else absolute."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
