"""Columns that many tables share: rank count, size and variant of a point, and its runs.

`points` are all points that a table is about; their kind of experiment determines the columns. `of` gives the point of
a row, by default its attribute `point`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from results.formats import NONE, shape
from results.records.experiment import Variant
from results.records.point import RecordedPoint
from results.table import Column, hidden, plain

Item = TypeVar("Item")
Of = Callable[[Item], RecordedPoint]
POINT: Callable[[Any], RecordedPoint] = attrgetter("point")


def itself(point: RecordedPoint) -> RecordedPoint:
    """`of` for tables whose rows are points."""
    return point


def ranks(of: Of[Item] = POINT) -> Column[Item]:
    return plain("Ranks", "ranks", lambda item: of(item).run.ranks)


def sizes(points: Sequence[RecordedPoint], of: Of[Item] = POINT) -> list[Column[Item]]:
    """The size, under the name that it has in this kind of experiment."""
    keys = dict.fromkeys(point.experiment.size_key for point in points)
    return [plain(_heading(key), key, lambda item: of(item).experiment.size_cell(of(item).run)) for key in keys]


def variants(points: Sequence[RecordedPoint], of: Of[Item] = POINT, *, detailed: bool = False) -> list[Column[Item]]:
    """A column for each part of the points' variants, with options if `detailed`."""
    return parts([point.variant for point in points], lambda item: of(item).variant, detailed=detailed)


def parts(found: Iterable[Variant], of: Callable[[Item], Variant], *, detailed: bool = False) -> list[Column[Item]]:
    """The same for rows that have a variant but not a point."""

    def column(key: str) -> Column[Item]:
        def text(item: Item) -> str:
            return (of(item).detailed if detailed else of(item).names).get(key, NONE)

        return plain(_heading(key), key, text)

    return [column(key) for key in dict.fromkeys(key for variant in found for key in variant.names)]


def place(points: Sequence[RecordedPoint], of: Of[Item] = POINT, *, detailed: bool = False) -> list[Column[Item]]:
    """Ranks, size and variant."""
    return [ranks(of), *sizes(points, of), *variants(points, of, detailed=detailed)]


def shapes(points: Sequence[RecordedPoint], of: Of[Item] = POINT, **headers: str) -> list[Column[Item]]:
    """A column for each given key that this kind of experiment has among its shapes, under the given header."""

    def column(key: str, header: str) -> Column[Item]:
        def text(item: Item) -> object:
            found = of(item).experiment.shapes(of(item).run).get(key, NONE)
            return shape(found) if isinstance(found, tuple) else found

        return plain(header, key, text)

    known = {key for point in points for key in point.experiment.shapes(point.run)}
    return [column(key, header) for key, header in headers.items() if key in known]


def run_ids(of: Of[Item] = POINT) -> Column[Item]:
    return hidden("run_ids", lambda item: " ".join(of(item).run_ids))


def _heading(key: str) -> str:
    return key.replace("_", " ").capitalize()
