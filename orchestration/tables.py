"""Tables of text on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.layout import folded, lay_out

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class TextTable:
    """`note` stands below the rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""


def print_table(table: TextTable, out: Console) -> None:
    """Prints a table; in parts, or as a block for each row, where the terminal is too narrow for it."""
    from rich.markup import escape
    from rich.table import Table

    layout, title = lay_out(table.columns, table.rows, out.width), table.title
    for part in layout.parts:
        drawn = Table(title=escape(title) or None, title_justify="left")
        for name, width in zip(part.columns, part.widths, strict=True):
            drawn.add_column(escape(name), width=width, overflow="fold")
        for row in part.rows:
            cells = [folded(text, width) for text, width in zip(row, part.widths, strict=True)]
            drawn.add_row(*map(escape, cells))  # names from nodes are text, never markup
        out.print(drawn)
        title = ""
    for line in filter(None, [title if layout.lines else "", layout.same]):
        out.print(line, markup=False, highlight=False)
    for line in layout.lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if table.note:
        out.print(table.note, markup=False, highlight=False)
