"""Tables in parts that a printed page has room for, in letters that can be read. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from results.table import Table

PAGE_PT = 518.0  # width of both columns of a page, 7.2 in
WIDEST_PT = PAGE_PT / 0.7  # scaled down to the page its letters, of 9 pt, can still be read
LETTER_PT, GAP_PT = 4.3, 12.0  # of a letter in the mean, and between two columns
LONG_CELL = 48  # characters of a text that gets a column of its own width, and breaks
LONG_SHARE = 0.6  # of the width that such columns share
MOST_LINES = 48  # of a page, below the caption
NOTE_LETTERS = 130  # of a line of the notes, which are as wide as the page
MOST_TURNED = 4  # rows of a table that is turned: they become its columns
MOST_KEYS = 5  # leading columns that are repeated in each part


def parts(table: Table) -> list[Table]:
    """The table itself where a page has room for it; else several that have its name, and the notes in the last.

    A wide table of few rows is turned, another is cut by columns, the first of which say in each part what a row is.
    """
    if width_pt(table) > WIDEST_PT and len(table.rows) <= MOST_TURNED:
        table = _turned(table)
    found = [part for columns in _column_parts(table) for part in _row_parts(_of_columns(table, columns))]
    if len(found) == 1:
        return found
    titled = [replace(part, title=f"{table.title} ({n} of {len(found)})", notes=()) for n, part in enumerate(found, 1)]
    named = [replace(part, name=f"{table.name}-{n}" if n > 1 else table.name) for n, part in enumerate(titled, 1)]
    return [*named[:-1], replace(named[-1], notes=table.notes)]


def long_columns(table: Table) -> list[bool]:
    """Of each column, whether it has a text that must break."""
    return [any(len(row[column]) > LONG_CELL for row in table.rows) for column in range(len(table.columns))]


def width_pt(table: Table, columns: Sequence[int] | None = None) -> float:
    """About how wide the table is in letters of full size, or some of its columns."""
    columns = range(len(table.columns)) if columns is None else columns
    long = long_columns(table)
    letters = sum(_letters(table, column) for column in columns if not long[column])
    text_pt = LONG_SHARE * PAGE_PT if any(long[column] for column in columns) else 0.0
    return text_pt + letters * LETTER_PT + len(columns) * GAP_PT


def _letters(table: Table, column: int) -> int:
    return max(len(text) for text in (table.columns[column], *(row[column] for row in table.rows)))


def _turned(table: Table) -> Table:
    rows = [(header, *(row[column] for row in table.rows)) for column, header in enumerate(table.columns)]
    return replace(table, columns=rows[0], rows=tuple(rows[1:]))


def _column_parts(table: Table) -> list[list[int]]:
    """As few as can be, and about equally wide."""
    found = _cut(table, WIDEST_PT)
    shares = (share / 20 for share in range(1, 20))
    return next((cut for share in shares if len(cut := _cut(table, share * WIDEST_PT)) == len(found)), found)


def _cut(table: Table, most_pt: float) -> list[list[int]]:
    """Columns of parts of that width, but of one column beside the keys at least."""
    keys = _keys(table)
    if width_pt(table) <= most_pt:
        return [list(range(len(table.columns)))]
    found: list[list[int]] = []
    for column in range(len(keys), len(table.columns)):
        if not found or width_pt(table, [*found[-1], column]) > most_pt:
            found.append([*keys])
        found[-1].append(column)
    return found


def _keys(table: Table) -> list[int]:
    """The leading columns that tell rows apart, as far as there is room for others beside them."""
    most = min(MOST_KEYS, len(table.columns) - 1)
    for count in range(1, most):
        if len({row[:count] for row in table.rows}) == len(table.rows):
            return list(range(count))
    return list(range(most))


def _of_columns(table: Table, columns: Sequence[int]) -> Table:
    return replace(
        table,
        columns=tuple(table.columns[column] for column in columns),
        rows=tuple(tuple(row[column] for column in columns) for row in table.rows),
    )


def _row_parts(table: Table) -> Iterator[Table]:
    long = long_columns(table)
    letters = LONG_SHARE * PAGE_PT / LETTER_PT / max(1, sum(long))  # of a line of a text that breaks
    room = MOST_LINES - sum(math.ceil(len(note) / NOTE_LETTERS) for note in table.notes)
    rows, lines = list[tuple[str, ...]](), 0
    for row in table.rows:
        needed = max([1, *(math.ceil(len(cell) / letters) for cell, breaks in zip(row, long, strict=True) if breaks)])
        if rows and lines + needed > max(room, 1):
            yield replace(table, rows=tuple(rows))
            rows, lines = [], 0
        rows.append(row)
        lines += needed
    yield replace(table, rows=tuple(rows))
