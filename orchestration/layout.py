"""How a table is laid out in the columns of a terminal: no number and no word is ever cut.

A table that is too wide loses the columns that say the same in every row, to a line of text; is then printed in
several parts, one below the other; and as blocks, one for each row, where even that is too wide. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

BORDERS = 3  # columns that a table's column takes besides its text: a line, and a space on either side
KEYS = 2  # columns that every part of a table begins with
INTERVAL = re.compile(r" (?=[\[(]\S+(?:,| to) \S+[\])])")  # the space before [low, high] or (low to high)

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Part:
    """A table that fits: columns, rows, and the width of each column's text."""

    columns: Sequence[str]
    rows: Rows
    widths: Sequence[int]


@dataclass(frozen=True)
class Layout:
    """`same` says what every row has; the rest is in `parts`, or in `lines` where no part fits."""

    same: str = ""
    parts: Sequence[Part] = ()
    lines: Sequence[str] = ()


def lay_out(columns: Sequence[str], rows: Rows, room: int) -> Layout:
    """The layout of a table in `room` columns."""
    found = widths(columns, rows, room)
    if found is not None:
        return Layout(parts=(Part(columns, rows, found),))
    same = [index for index in range(len(columns)) if len(rows) > 1 and len({row[index] for row in rows}) == 1]
    words = ", ".join(f"{columns[index]} {rows[0][index]}" for index in same if rows[0][index])
    columns, rows = _without(columns, same), [_without(row, same) for row in rows]
    told = f"In every row: {words}" if words else ""
    parts = _parts(columns, rows, room)
    return Layout(told, parts) if parts else Layout(told, lines=blocks(columns, rows, room))


def widths(columns: Sequence[str], rows: Rows, room: int) -> list[int] | None:
    """The width of each column's text in a table of at most `room`; None where its longest words are too wide.

    An interval counts as one word.
    """
    cells = list(zip(columns, *rows, strict=True))
    found = [max(_longest(text.splitlines()) for text in column) for column in cells]
    least = [max(_longest(_pieces(text)) for text in column) for column in cells]
    left = room - BORDERS * len(columns) - 1
    if sum(least) > left:
        return None
    while (excess := sum(found) - left) > 0:
        widest = max(range(len(found)), key=lambda index: found[index] - least[index])
        found[widest] -= min(excess, max(1, (found[widest] - least[widest]) // 2))
    return found


def blocks(columns: Sequence[str], rows: Rows, room: int) -> list[str]:
    """The lines of a block for each row: name and value of each cell that is not empty."""
    indent = min(max(map(len, columns), default=0), max(room // 2 - 2, 1))
    lines: list[str] = []
    for row in rows:
        for name, value in zip(columns, row, strict=True):
            if value:
                lines += _folded(f"{name:{indent}}  {value}", room, indent + 2)
        lines.append("")
    return lines


def _parts(columns: Sequence[str], rows: Rows, room: int) -> list[Part]:
    """The columns in as few parts as fit, each beginning with the same keys; none where one would be too wide."""
    keys = list(range(min(KEYS, len(columns) - 1)))
    parts: list[Part] = []
    waiting = list(range(len(keys), len(columns)))
    while waiting:
        fitting = [_part(columns, rows, [*keys, *waiting[:count]], room) for count in range(1, len(waiting) + 1)]
        made = [part for part in fitting if part is not None]
        if not made:
            return []
        parts.append(made[-1])
        del waiting[: len(made[-1].columns) - len(keys)]
    return parts


def _part(columns: Sequence[str], rows: Rows, chosen: Sequence[int], room: int) -> Part | None:
    some, cells = [columns[index] for index in chosen], [[row[index] for index in chosen] for row in rows]
    found = widths(some, cells, room)
    return None if found is None else Part(some, cells, found)


def _without(cells: Sequence[str], left_out: Sequence[int]) -> list[str]:
    return [cell for index, cell in enumerate(cells) if index not in left_out]


def _folded(text: str, room: int, indent: int) -> list[str]:
    """The text in lines of at most `room`, broken at spaces; a longer word has a line of its own."""
    lines, begun = [], ""
    for word in text.split(" "):
        if begun.strip() and len(begun) + 1 + len(word) > room:
            lines.append(begun.rstrip())
            begun = " " * indent + word
        else:
            begun = f"{begun} {word}" if begun or not word else word
    return [*lines, begun.rstrip()]


def folded(text: str, width: int) -> str:
    """A cell's text; where it is wider than the column its interval has a line of its own."""
    return text if _longest(text.splitlines()) <= width else INTERVAL.sub("\n", text)


def _pieces(text: str) -> list[str]:
    """What stays on one line: intervals, and the words of all else."""
    first, *intervals = INTERVAL.split(text)
    for index, piece in enumerate(intervals):
        end = max(piece.find(")"), piece.find("]")) + 1
        intervals[index] = piece[:end]
        first += piece[end:]
    return [*first.split(), *intervals]


def _longest(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)
