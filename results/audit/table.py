"""The audit of anybody's table of times: the gates that need no records.

A CSV file has one row a run, with the columns `ranks` and `time_s`, and if known `size` (of the problem, in any unit)
and `memory_mib` (of all ranks together). Rows of the same ranks and size are launches of one point.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from results.audit import gates
from results.audit.gates import Audit, Case, count, findings, share_of_work
from results.audit.scaling import FALSE_ALARMS, FEW_MARGIN, chance
from results.estimates import MIN_LAUNCHES
from results.formats import number, plural
from results.scaling.laws import karp_flatt

NEEDED, OPTIONAL = ("ranks", "time_s"), ("size", "memory_mib")
# Points of one launch decide together where they lie below the limit by so many standard deviations of their sum, if
# each time has this noise: twice what a shared machine usually has
ASSUMED_NOISE, DEVIATIONS, TOGETHER = 0.2, 5.0, 3
MOST_RANKS = 10**7


class TableError(ValueError):
    """A file is no table of times; one line says where, why, and what it should have."""


@dataclass(frozen=True)
class Point:
    """The rows of the same ranks and size."""

    ranks: int
    size: float
    times_s: tuple[float, ...]
    memory_mib: tuple[float, ...]

    @property
    def time_s(self) -> float:
        return statistics.geometric_mean(self.times_s)


@dataclass(frozen=True)
class TimedPair:
    """A point on several ranks and the one-rank point that it is compared with."""

    point: Point
    one: Point

    @property
    def where(self) -> str:
        return f"{plural(self.point.ranks, 'rank')}, size {number(self.point.size)}"

    @property
    def share(self) -> float:
        """The least part of the one-rank time that the work of a rank takes."""
        return share_of_work(self.point.size, self.point.ranks, self.one.size)

    @property
    def ratio(self) -> float:
        return self.point.time_s / self.one.time_s

    @property
    def strong(self) -> bool:
        return self.point.size == self.one.size

    @property
    def weak(self) -> bool:
        return math.isclose(self.share, 1.0)

    @property
    def decides(self) -> bool:
        return min(len(self.point.times_s), len(self.one.times_s)) >= MIN_LAUNCHES

    def too_fast(self, comparisons: int) -> bool:
        """Whether it lies below its share beyond the noise, as one of so many comparisons."""
        if not self.decides:
            return self.ratio < self.share * (1.0 - FEW_MARGIN)
        limit = self.share * (1.0 - gates.MARGIN)
        return chance(self.point.times_s, self.one.times_s, limit) < FALSE_ALARMS / comparisons


def audit_of(text: str, name: str) -> Audit:
    """Puts a table through the gates of times and of memory. Raises TableError."""
    points = points_of(text, name)
    ones = [point for point in points if point.ranks == 1]
    if not ones:
        raise TableError(f"{name} has no row with ranks = 1: without a one-rank time there is no limit to hold it to")
    pairs = [TimedPair(point, _baseline(point, ones)) for point in points if point.ranks > 1]
    cases = _cases(pairs)
    few = f"No point has {MIN_LAUNCHES} launches: alone it is suspicious at most, {TOGETHER} and more decide together."
    untold = () if any(pair.decides for pair in pairs) else (few,)
    found = [finding for gate, its in cases.items() for finding in findings(gate, its)]
    return Audit(name, tuple(found), {gate: count(its) for gate, its in cases.items()}, untold)


def points_of(text: str, name: str) -> list[Point]:
    """The points of a CSV text, by size and ranks. Raises TableError."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        rows, header = list(reader), [column.strip() for column in reader.fieldnames or ()]
    except csv.Error as error:
        raise TableError(f"{name} is no CSV file ({error})") from error
    reader_names = dict(zip(reader.fieldnames or (), header, strict=True))
    if missing := [column for column in NEEDED if column not in header]:
        raise TableError(f"{name} lacks the column {missing[0]}: it needs {' and '.join(NEEDED)} in its first line")
    members: dict[tuple[float, int], list[tuple[float, float | None]]] = {}
    for line, row in enumerate(rows, start=2):
        values = {reader_names[key]: value for key, value in row.items() if key in reader_names}
        ranks, size, time_s, memory = _row(values, f"{name}, line {line}")
        members.setdefault((size, ranks), []).append((time_s, memory))
    return [
        Point(
            ranks,
            size,
            tuple(time_s for time_s, _ in found),
            tuple(memory for _, memory in found if memory is not None),
        )
        for (size, ranks), found in sorted(members.items())
    ]


def _row(values: Mapping[str, str | None], where: str) -> tuple[int, float, float, float | None]:
    ranks = _positive(values, "ranks", where)
    if not ranks.is_integer() or ranks > MOST_RANKS:
        raise TableError(f"{where}: ranks = {values['ranks']} is no number of ranks")
    size = _positive(values, "size", where) if values.get("size") else 1.0
    memory = _positive(values, "memory_mib", where) if values.get("memory_mib") else None
    return int(ranks), size, _positive(values, "time_s", where), memory


def _positive(values: Mapping[str, str | None], key: str, where: str) -> float:
    try:
        found = float(values[key] or "")
    except ValueError:
        raise TableError(f"{where}: {key} = {values[key]!r} is no number") from None
    if not 0.0 < found < math.inf:
        raise TableError(f"{where}: {key} = {values[key]} is not above zero")
    return found


def _baseline(point: Point, ones: Sequence[Point]) -> Point:
    """The one-rank point of its size, else that of its share, else the one nearest in size."""

    def distance(one: Point) -> tuple[bool, bool, float]:
        weak = math.isclose(one.size * point.ranks, point.size)
        return one.size != point.size, not weak, abs(math.log(one.size / point.size))

    return min(ones, key=distance)


def _cases(pairs: Sequence[TimedPair]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {
        gate: [] for gate in (gates.SHARE, gates.SUPERLINEAR, gates.SERIAL, gates.WEAK_FALLS, gates.MEMORY)
    }
    for pair in pairs:
        flagged = pair.too_fast(len(pairs))
        for gate, words in _words(pair):
            found[gate].append(Case(pair.where, (), words if flagged else "", pair.decides))
        found[gates.MEMORY] += _memory(pair)
    found[gates.SHARE] += _together([pair for pair in pairs if not pair.decides])
    return found


def _words(pair: TimedPair) -> Iterator[tuple[str, str]]:
    least_s = pair.one.time_s * pair.share
    yield (
        gates.SHARE,
        f"{number(pair.point.time_s)} s, where the work that is left to a rank takes {number(least_s)} s",
    )
    rate = pair.point.size / pair.one.size / pair.ratio
    yield gates.SUPERLINEAR, f"{number(rate, 3)} times the one-rank rate on {plural(pair.point.ranks, 'rank')}"
    if pair.strong:
        fraction = karp_flatt(1.0 / pair.ratio, pair.point.ranks)
        yield gates.SERIAL, f"Karp-Flatt serial fraction {number(fraction, 3)}"
    if pair.weak:
        words = f"{number(pair.point.time_s)} s after {number(pair.one.time_s)} s on one rank"
        yield gates.WEAK_FALLS, f"{words}, with the same work a rank"


def _memory(pair: TimedPair) -> Iterator[Case]:
    """All ranks together hold as much of the problem as one rank did; a program that streams may hold less."""
    if not pair.point.memory_mib or not pair.one.memory_mib:
        return
    held, one = max(pair.point.memory_mib), max(pair.one.memory_mib)
    least = one * min(float(pair.point.ranks), pair.point.size / pair.one.size)
    words = f"{number(held)} MiB in all ranks, where one rank's run holds {number(least)} MiB of as much"
    yield Case(pair.where, (), words if held < least * (1.0 - gates.MARGIN) else "", certain=False)


def _together(pairs: Sequence[TimedPair]) -> Iterator[Case]:
    """Several points of too few launches each: their distance below the limit, in deviations of its sum."""
    if len(pairs) < TOGETHER:
        return
    below = math.fsum(math.log(pair.ratio / (pair.share * (1.0 - gates.MARGIN))) for pair in pairs)
    ones: dict[float, int] = {}
    for pair in pairs:
        ones[pair.one.size] = ones.get(pair.one.size, 0) + 1
    # each point has its own noise, and shares that of its one-rank time with others
    deviation = ASSUMED_NOISE * math.sqrt(len(pairs) + sum(shared**2 for shared in ones.values()))
    factor = math.exp(-below / len(pairs))
    words = (
        f"{len(pairs)} points take {number(1.0 / factor, 2)} of the least time in the mean, {-below / deviation:.1f} "
        f"standard deviations below it if each time has {ASSUMED_NOISE:.0%} of noise"
    )
    yield Case("all rows", (), words if below < -DEVIATIONS * deviation else "")
