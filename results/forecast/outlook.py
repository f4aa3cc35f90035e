"""Where scaling is forecast to stop, what stops it, and what it costs, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.forecast.predict import ForecastRow, Terms
from results.formats import number, plural

PHASES = {
    "distribute": "distribute, the root's sending",
    "collect": "collect, the root's taking in",
    "convolve": "convolve: the ranks share cores or memory bandwidth",
}
ON_GPUS = {
    "distribute": "distribute, the way to the GPU, which ranks share",
    "collect": "collect, the way back from the GPU, which ranks share",
    "convolve": "convolve: the ranks share a GPU",
}
HALF = 0.5
MEMORY_SHARE = 0.9  # of a node's memory; a run that is predicted to need more is skipped
MANY = 1000  # images whose price is given
GIB = 2**30


def sentences(rows: Sequence[ForecastRow], terms: Terms) -> list[str]:
    """One paragraph for each series and variant that is forecast at several rank counts."""
    lines: dict[tuple[str, str], list[ForecastRow]] = {}
    for row in rows:
        lines.setdefault((row.asked.series, row.asked.case.variant.phrase), []).append(row)
    told = []
    for (series, phrase), members in lines.items():
        if len(members) > 1:
            ordered = sorted(members, key=lambda row: row.asked.case.ranks)
            told.append(f"{series}, {phrase}: {' '.join(_line(ordered, terms))}")
    return told


def study_cost(rows: Sequence[ForecastRow], terms: Terms) -> list[str]:
    """What all runs that fit cost together; empty without a price."""
    priced = [row.price * row.asked.repeats for row in rows if row.price is not None and fits(row, terms)]
    seconds = sum(row.found.total_s * row.asked.repeats for row in rows if fits(row, terms))
    if terms.price is None or not priced:
        return []
    return [
        f"All these points, with their launches, warm-ups and repeats: {number(seconds, 3)} s of repeats, "
        f"{terms.price.currency} {number(sum(priced), 3)}; starting runs and checking answers is not in it."
    ]


def fits(row: ForecastRow, terms: Terms) -> bool:
    """Whether the ranks of every node need at most MEMORY_SHARE of its memory; True if its memory is unknown."""
    return terms.node_memory_bytes is None or row.node_bytes <= MEMORY_SHARE * terms.node_memory_bytes


def _line(members: Sequence[ForecastRow], terms: Terms) -> Iterator[str]:
    possible = [row for row in members if fits(row, terms)]
    if possible:
        yield _rise(possible)
        yield from _half(possible)
        yield from _cost(possible, terms)
    yield from _memory(members, terms)


def _rise(rows: Sequence[ForecastRow]) -> str:
    best = max(rows, key=_rate)
    where = f"{number(_rate(best), 3)} images/s at {_ranks(best)}"
    words = ON_GPUS if best.asked.case.on_gpu else PHASES
    if best is rows[-1]:
        return f"throughput rises to the last count, {where}."
    return f"throughput stops rising at {where}; what stops it is {words[_stopping(rows[0], rows[-1])]}."


def _stopping(first: ForecastRow, row: ForecastRow) -> str:
    """The phase that grew most, beyond its share of the work at the first rank count."""
    share = _work(row) / _work(first)
    grown = {phase: row.found.phases_s[phase] - share * first.found.phases_s[phase] for phase in PHASES}
    return max(grown, key=lambda phase: grown[phase])


def _work(row: ForecastRow) -> float:
    return row.asked.case.problem.batch / row.asked.case.ranks


def _half(rows: Sequence[ForecastRow]) -> Iterator[str]:
    """The first rank count at which images per second and rank are less than half of those at the smallest count."""
    first = rows[0]
    for row in rows:
        efficiency = _rate(row) / _rate(first) * first.asked.case.ranks / row.asked.case.ranks
        if efficiency < HALF:
            phase = _stopping(first, row)
            share = row.found.phases_s[phase] / row.found.total_s
            yield (
                f"From {_ranks(row)} on less than half of each rank's rate at {_ranks(first)} is left "
                f"({efficiency:.0%}); {phase} takes {share:.0%} of the time there."
            )
            return


def _cost(rows: Sequence[ForecastRow], terms: Terms) -> Iterator[str]:
    if terms.price is None:
        return
    ends = {row.asked.case.ranks: row for row in (rows[0], max(rows, key=_rate), rows[-1])}
    told = ", ".join(f"{number(_of_many(row), 3)} at {_ranks(row)}" for row in ends.values())
    yield f"{MANY:,} images cost {terms.price.currency} {told}."


def _memory(rows: Sequence[ForecastRow], terms: Terms) -> Iterator[str]:
    over = [row for row in rows if not fits(row, terms)]
    if over and terms.node_memory_bytes is not None:
        yield (
            f"Memory stops it at {plural(over[0].asked.case.ranks, 'rank')}: a node would hold "
            f"{number(over[0].node_bytes / GIB, 3)} of its {number(terms.node_memory_bytes / GIB, 3)} GiB, and a run "
            f"above {MEMORY_SHARE:.0%} is skipped."
        )


def _of_many(row: ForecastRow) -> float | None:
    return None if row.price is None else row.price * MANY / row.asked.case.problem.batch


def _rate(row: ForecastRow) -> float:
    return row.asked.case.problem.batch / row.found.forward_s


def _ranks(row: ForecastRow) -> str:
    return plural(row.asked.case.ranks, "rank")
