"""Which machines to buy: bids from what several sweeps measured of the same problem, and why the others made none.

Each problem is answered for itself: what is fast for one may be slow for another.

A bid is so many nodes of a sweep's cluster with the fastest configuration that was measured on them. What a cluster's
end kept from running stands with what the sweep's ledger forecast of it, as a forecast. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from results.forecast import accuracy
from results.forecast.bid import Bid, Choice
from results.formats import plural
from results.records.point import TOTAL, RecordedPoint
from results.records.price import NodePrice, PerHour, PriceList, machine_type_of, node_price
from results.records.sweep import RecordedSweep
from workload.record.outcomes import SKIPPED

Problem = tuple[object, ...]  # RecordedPoint.problem
TITLE = "Which machines to buy"
MEASURED, LEDGER = "measured", "its ledger"
EXPIRED = "expired"  # begins the reason of a run that the end of its cluster kept from being made
REASON_CHARACTERS = 160


def choices(sweeps: Sequence[RecordedSweep], known: PriceList) -> list[Choice]:
    """The bids for each problem that the sweeps share: tried in two of them, or in the one, and ok in one.

    First what most sweeps tried, of that what they tried in most ways, of those what takes longest.
    """
    problems = _shared(sweeps)
    names = _names(sweeps)
    prices = {sweep.name: node_price(sweep, known) for sweep in sweeps}
    words = _words(list(problems.values()))
    return [_choice(sweeps, problem, words[problem], names, prices) for problem in problems]


def _choice(
    sweeps: Sequence[RecordedSweep],
    problem: Problem,
    words: str,
    names: Mapping[str, str],
    prices: Mapping[str, NodePrice | None],
) -> Choice:
    currency = next((price.currency for price in prices.values() if price is not None), "no price")
    found: list[Bid] = []
    stopped: list[str] = []
    for sweep in sweeps:
        price = prices[sweep.name]
        own = list(_bids(sweep, problem, price if price and price.currency == currency else None))
        found += [replace(bid, name=names[sweep.name]) for bid in own]
        stopped += _stopped(sweep, names[sweep.name], problem, own)
    point = next(bid.point for bid in found if bid.point is not None)
    work = "repeat" if point.experiment.probed else "run"
    notes = [_about(point, work), *_priced(names, prices, currency)]
    title = f"{TITLE}: {words}" if words else TITLE
    return Choice(title, work, sorted(found, key=lambda bid: bid.total_s), currency, notes, stopped, words)


def _names(sweeps: Sequence[RecordedSweep]) -> dict[str, str]:
    """What each sweep is called, by its own name: as its cluster, where no two are of the same."""
    clusters = {sweep.name: str(sweep.inventory.get("cluster", "unknown")) for sweep in sweeps}
    return clusters if len(set(clusters.values())) == len(sweeps) else {name: name for name in clusters}


def _shared(sweeps: Sequence[RecordedSweep]) -> dict[Problem, RecordedPoint]:
    """The shared problems in their order, each with a point of it."""
    tried: dict[Problem, set[str]] = {}
    ways: dict[Problem, set[tuple[int, int]]] = {}
    fastest: dict[Problem, RecordedPoint] = {}
    for sweep in sweeps:
        for point in sweep.points:
            tried.setdefault(point.problem, set()).add(sweep.name)
            ways.setdefault(point.problem, set()).add((point.run.nodes, point.run.ranks))
            if point.counting and (point.problem not in fastest or _seconds(point) < _seconds(fastest[point.problem])):
                fastest[point.problem] = point
    shared = [problem for problem in fastest if len(tried[problem]) >= min(2, len(sweeps))]
    shared.sort(key=lambda of: (len(tried[of]), len(ways[of]), _seconds(fastest[of])), reverse=True)
    return {problem: fastest[problem] for problem in shared}


def _words(points: Sequence[RecordedPoint]) -> dict[Problem, str]:
    """What tells each problem from the others; empty for a single one."""
    if len(points) < 2:
        return {point.problem: "" for point in points}
    titles = {point.problem: point.experiment.title(point.run) for point in points}
    if len(set(titles.values())) == 1:
        return {point.problem: point.size_text for point in points}
    return {point.problem: f"{titles[point.problem]}, {point.size_text}" for point in points}


def _bids(sweep: RecordedSweep, problem: Problem, price: NodePrice | None) -> Iterator[Bid]:
    """By number of nodes what is fastest, and what was forecast to be faster still and could not run."""
    points = [point for point in sweep.points if point.problem == problem]
    for nodes in sorted({point.run.nodes for point in points}):
        on_them = [point for point in points if point.run.nodes == nodes]
        measured = min((point for point in on_them if point.counting), key=_seconds, default=None)
        if measured is not None:
            foretold_s = accuracy.total_s(sweep, measured)
            yield _bid(sweep, measured, price, _seconds(measured), foretold_s=foretold_s)
        left = [(found, point) for point in on_them if (found := _foretold_s(sweep, point)) is not None]
        if left:
            total_s, point = min(left, key=lambda item: item[0])
            if measured is None or total_s < _seconds(measured):
                yield _bid(sweep, point, price, total_s)


def _seconds(point: RecordedPoint) -> float:
    return point.seconds(TOTAL)


def _foretold_s(sweep: RecordedSweep, point: RecordedPoint) -> float | None:
    """What was forecast of a point that the cluster's end alone kept from running."""
    expired = (launch.outcome == SKIPPED and launch.reason.startswith(EXPIRED) for launch in point.launches)
    return accuracy.total_s(sweep, point) if all(expired) else None


def _bid(
    sweep: RecordedSweep, point: RecordedPoint, price: NodePrice | None, total_s: float, foretold_s: float | None = None
) -> Bid:
    measured = bool(point.counting)
    return Bid(
        name=sweep.name,
        cluster=str(sweep.inventory.get("cluster", "unknown")),
        machine_type=machine_type_of(sweep),
        nodes=point.run.nodes,
        ranks=point.run.ranks,
        how=point.variant.phrase,
        total_s=total_s,
        basis=MEASURED if measured else LEDGER,
        per_hour=price.per_hour.of(point.run.nodes) if price is not None else PerHour(),
        time=point.time(TOTAL) if measured else None,
        point=point if measured else None,
        foretold_s=foretold_s,
    )


def _stopped(sweep: RecordedSweep, name: str, problem: Problem, own: Sequence[Bid]) -> Iterator[str]:
    """A line for each number of nodes without a bid, and one for a sweep that does not know the problem."""
    points = [point for point in sweep.points if point.problem == problem]
    if not points:
        yield f"{name} has no run of this work."
    for nodes in sorted({point.run.nodes for point in points} - {bid.nodes for bid in own}):
        failed = [point for point in points if point.run.nodes == nodes and not point.counting]
        counts = ", ".join(str(count) for count in sorted({point.run.ranks for point in failed}))
        launch = failed[0].launches[0]
        reason = launch.reason if len(launch.reason) <= REASON_CHARACTERS else f"{launch.reason[:REASON_CHARACTERS]}…"
        why = f": {reason}" if reason else ""
        word = "rank" if counts == "1" else "ranks"
        yield f"{name} on {plural(nodes, 'node')}, {counts} {word}: {failed[0].why_no_speedup}{why}."
    if sweep.unfinished:
        yield f"{name} is not finished: {plural(sweep.unfinished, 'run')} left no record."


def _about(point: RecordedPoint, work: str) -> str:
    clock = f"its {point.experiment.clock_word(TOTAL)} time"
    return (
        f"A {work} of {point.experiment.title(point.run)}, {point.size_text}: {clock}, and what the nodes that work in "
        "it cost meanwhile, without the start of nodes and ranks. Of each sweep and number of nodes stands what was "
        "fastest. Different machines: no ratio is a speedup."
    )


def _priced(names: Mapping[str, str], prices: Mapping[str, NodePrice | None], currency: str) -> Iterator[str]:
    """Whose the prices are, a line for each basis; and which sweeps have none."""
    by_basis: dict[str, list[str]] = {}
    for sweep, price in prices.items():
        basis = "no price is known" if price is None else price.basis
        if price is not None and price.currency != currency:
            basis = f"priced in {price.currency}, which is not compared with {currency}"
        by_basis.setdefault(basis, []).append(names[sweep])
    for basis, named in by_basis.items():
        yield f"Price of {', '.join(named)}: {basis}."
