"""Which machines to buy for each of several problems: its cheapest and its fastest bid, a row each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from results.forecast import bid as bids
from results.forecast.bid import Bid, Choice, ChoiceLimits, amount, priced
from results.formats import NONE, plural
from results.table import Column, Table, Values, bounded, build, hidden, plain
from results.tables.across.choice import as_cheap, as_fast, budget_words, deadline_words, listed, price_text, time_text


@dataclass(frozen=True)
class ProblemAnswer:
    """The best bid for a problem that is certain to keep a limit, None where none is.

    `alike`: those that cannot be told from it.
    """

    found: Choice
    question: str
    best: Bid | None
    alike: Sequence[Bid]


def table(found: Sequence[Choice], limits: ChoiceLimits, detailed: int, more: Sequence[str] = ()) -> Table:
    """`detailed`: how many of the problems, the first ones, have a table of their own; `more`: further notes."""
    columns: list[Column[ProblemAnswer]] = [
        plain("Work", "work", lambda row: row.found.problem),
        plain("Asked", "asked", lambda row: row.question),
        Column("Machines", _who, lambda row: {"name": row.best.name if row.best else None}),
        plain("No difference to", "alike", lambda row: listed(row.alike) if row.alike else NONE),
        Column("Time (s)", lambda row: time_text(row.best) if row.best else NONE, _time),
        Column(f"Cost ({found[0].currency})", lambda row: price_text(row.best) if row.best else NONE, _price),
        hidden("run_ids", lambda row: " ".join(row.best.point.run_ids) if row.best and row.best.point else ""),
    ]
    rows = [answer for each in found for answer in _answers(each, limits)]
    notes = [*_notes(found, limits, detailed), *more]
    return build("Which machines to buy, by the work", columns, rows, name="choices", notes=notes)


def _answers(found: Choice, limits: ChoiceLimits) -> Iterator[ProblemAnswer]:
    sure = found.certain
    cheapest, fastest = bids.cheapest(sure, limits), bids.fastest(sure, limits)
    alike = [] if cheapest is None else as_cheap(sure, cheapest, limits)
    yield ProblemAnswer(found, "cheapest", cheapest, alike)
    alike = [] if fastest is None else as_fast(sure, fastest, limits)
    yield ProblemAnswer(found, "fastest", fastest, alike)


def _who(row: ProblemAnswer) -> str:
    return NONE if row.best is None else listed([row.best])


def _time(row: ProblemAnswer) -> Values:
    best = row.best
    return {**bounded("total", "_s", best.time if best else None), "total_s": best.total_s if best else None}


def _price(row: ProblemAnswer) -> Values:
    best = row.best
    bounds = priced(best) if best is not None and best.time is not None else None
    return {**bounded("price", "", bounds), "price": amount(best) if best else None}


def _notes(found: Sequence[Choice], limits: ChoiceLimits, detailed: int) -> Iterator[str]:
    if limits.asked:
        yield f"Asked for: the cheapest{deadline_words(limits)}, the fastest{budget_words(found[0], limits)}."
    yield (
        f"The sweeps share {len(found)} pieces of work. Each stands for itself, first what most sweeps tried, of that "
        "what they tried in most ways, of those what takes longest."
    )
    if detailed < len(found):
        yield (
            f"The bids for the first {plural(detailed, 'piece')} of work, with figures, stand below; of the other "
            f"{len(found) - detailed} this table has the answers alone."
        )
