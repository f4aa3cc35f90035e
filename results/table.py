"""Tables: rows of text for people, and the same rows as plain values for programs."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from results.estimates import Estimate
from results.formats import estimate, number

CSV_END = "\r\n"
TEXT_ROWS = 1000  # of a table as text, which nobody reads to its end; its records are all there
WORDS_AMONG_NUMBERS = ("—", "not finite", "-killed process-", "not possible")
ESCAPES = str.maketrans(
    {mark: f"\\{mark}" for mark in "\\`*_[]"} | {mark: html.escape(mark) for mark in "&<>"} | {"|": "&#124;"}
)
Item = TypeVar("Item")
Value = TypeVar("Value")
Values = Mapping[str, object]


@dataclass(frozen=True)
class Table:
    """`name` is the stem of its files. `records` are the rows of the CSV, with units in their keys.

    Of more than TEXT_ROWS rows `rows` are the first, and `records` all.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    records: tuple[Values, ...] = ()


@dataclass(frozen=True)
class Column(Generic[Item]):
    """A column: header, text of a row, and values of a row for the CSV. Without a header it is in the CSV alone."""

    header: str
    show: Callable[[Item], str]
    values: Callable[[Item], Values]


def plain(header: str, key: str, value: Callable[[Item], object]) -> Column[Item]:
    """A column whose text is its value."""
    return Column(header, lambda item: str(value(item)), lambda item: {key: value(item)})


def numeric(header: str, key: str, value: Callable[[Item], float | None], digits: int = 4) -> Column[Item]:
    """A column of numbers, with that many significant digits in the text."""
    return shown(header, key, value, lambda found: number(found, digits))


def shown(header: str, key: str, value: Callable[[Item], Value], show: Callable[[Value], str]) -> Column[Item]:
    """A column whose text is made of its value by `show`."""
    return Column(header, lambda item: show(value(item)), lambda item: {key: value(item)})


def estimated(
    header: str, key: str, value: Callable[[Item], Estimate | None], *, digits: int = 4, unit: str = ""
) -> Column[Item]:
    """A column of estimates: text with bounds, and value and bounds in the CSV; `unit` ends their keys."""
    return Column(header, lambda item: estimate(value(item), digits), lambda item: bounded(key, unit, value(item)))


def hidden(key: str, value: Callable[[Item], object]) -> Column[Item]:
    """A column that only the CSV has."""
    return Column("", str, lambda item: {key: value(item)})


def bounded(key: str, unit: str, value: Estimate | None) -> Values:
    """An estimate's value and bounds as separate values; None without an estimate."""
    names = [f"{key}{suffix}{unit}" for suffix in ("", "_low", "_high")] + [f"{key}_bounds"]
    return dict(zip(names, (value.value, value.low, value.high, value.bounds) if value else [None] * 4, strict=True))


def build(
    title: str, columns: Sequence[Column[Item]], items: Iterable[Item], *, name: str = "", notes: Sequence[str] = ()
) -> Table:
    """The table of these columns over these items."""
    found = list(items)
    cut = f"As text the table has the first {TEXT_ROWS} of {len(found)} rows; {name}.csv has all of them."
    visible = [column for column in columns if column.header]
    return Table(
        title=title,
        columns=tuple(column.header for column in visible),
        rows=tuple(tuple(column.show(item) for column in visible) for item in found[:TEXT_ROWS]),
        notes=(*notes, cut) if len(found) > TEXT_ROWS else tuple(notes),
        name=name,
        records=tuple(
            {key: value for column in columns for key, value in column.values(item).items()} for item in found
        ),
    )


def is_numeric(table: Table, column: int) -> bool:
    """Whether a column has numbers, which are set flush right."""
    cells = [row[column] for row in table.rows]
    return bool(cells) and all(cell.lstrip("+-")[:1].isdigit() or cell in WORDS_AMONG_NUMBERS for cell in cells)


def markdown(table: Table) -> str:
    """The table as GitHub's Markdown, with text from records escaped."""
    lines = [f"# {escaped(table.title)}", "", _line(table.columns), _line(["---"] * len(table.columns))]
    lines += [_line(map(escaped, row)) for row in table.rows]
    if table.notes:
        lines += ["", *(f"- {escaped(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def csv_text(table: Table) -> str:
    """The table's records as CSV (RFC 4180), with text escaped that a spreadsheet would take for a formula."""
    return csv_of(table.records[0] if table.records else table.columns, (row.values() for row in table.records))


def csv_of(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """A header and rows as CSV; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=CSV_END)
    writer.writerow(map(_cell, header))
    writer.writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """The text in one line, as Markdown shows it."""
    return " ".join(text.split()).translate(ESCAPES)
