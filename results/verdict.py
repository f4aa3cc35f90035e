"""What scales, to where, what stops it and what to try next, in sentences: one paragraph a line of a series."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from results.formats import estimate, number, plural
from results.launch import PARTS
from results.line import Line, PointLaws, label, lines
from results.point import Point
from results.store import Series, Sweep

HALF = 0.5  # of the ranks' time, or of a growth
NEARLY = 0.02  # of the ranks' time: a loss this small names no cause
FORWARD_PARTS = tuple(part for part in PARTS if part not in ("load", "save"))
SLOWED, STARVED = "convolve, slowed", "convolve, starved"
CAUSES = {
    "distribute": "sending the input out",
    SLOWED: "the convolution, which takes more processor time in all than on one rank: the ranks share memory "
    "bandwidth, caches or cores",
    STARVED: "the convolution, which takes longer but no more processor time: something else ran on the ranks' cores",
    "collect": "taking the output in",
    "wait": "ranks that wait for each other",
}
MOVING = ("distribute", "collect")
STEPS = {
    "distribute": "try a movement that sends less through the root: shared on one node, distributed on several",
    "collect": "try a movement that takes less in at the root: shared on one node, distributed on several",
    SLOWED: "use fewer ranks a node, or bind them to cores of their own",
    STARVED: "free the nodes of other work, and measure again",
    "wait": "cut the batch into equal parts, or another axis of the grid: see the load imbalance",
}
BEST_MOVEMENTS = ("shared", "distributed")


@dataclass(frozen=True)
class Loss:
    """What grew most, a key of CAUSES, and its growth as a share of the ranks' time."""

    cause: str
    share: float


def sentences(sweep: Sweep) -> list[str]:
    """A paragraph a line that has points of more than one rank count."""
    return [told for series in sweep.series for line in lines(series) if (told := _paragraph(series, line))]


def loss(line: Line, point: Point) -> Loss | None:
    """What a point's ranks spend beyond what the one-rank point of its line spends on the same work.

    In a weak series the work of N ranks is N times that of the one-rank point. None without a one-rank point.
    """
    one = next((other for other in line.points if other.run.ranks == 1 and other.counting), None)
    time = point.time()
    if one is None or time is None or point is one:
        return None
    scale = point.run.problem.batch / one.run.problem.batch
    before, after = _sums(one), _sums(point)
    grown = {name: after[name] - scale * before[name] for name in FORWARD_PARTS}
    part = max(grown, key=lambda name: grown[name])
    share = grown[part] / (point.run.ranks * time.value)
    if part != "convolve":
        return Loss(part, share)
    processor_s = _convolve_cpu_s(point) - scale * _convolve_cpu_s(one)
    return Loss(SLOWED if processor_s > HALF * grown[part] else STARVED, share)


def _convolve_cpu_s(point: Point) -> float:
    """Processor time of convolve, all ranks together: median over repeats."""
    return statistics.median(
        sum(rank.convolve_cpu_s for rank in repeat.ranks) for launch in point.timed for repeat in launch.repeats
    )


def _sums(point: Point) -> dict[str, float]:
    ranks = point.parts_s().values()
    return {part: sum(parts[part] for parts in ranks) for part in FORWARD_PARTS}


def _paragraph(series: Series, line: Line) -> str:
    shown = [each for each in line.each() if each.point in line.fitted]
    if len(shown) < 2:
        return ""
    best = max(shown, key=lambda each: _rate(each.point))
    last = shown[-1]
    return " ".join(
        [
            f"{series.scaling.capitalize()} scaling, {label(line)} ({series.name}):",
            _reach(best, last),
            _half(shown),
            *_stop(line, last),
        ]
    )


def _rate(point: Point) -> float:
    time = point.time()
    return point.run.problem.batch / time.value if time else 0.0


def _reach(best: PointLaws, last: PointLaws) -> str:
    ranks, most = best.point.run.ranks, last.point.run.ranks
    at = f"{number(_rate(best.point), 3)} images/s at {plural(ranks, 'rank')}"
    if best is last:
        return f"throughput rises to the largest count that was measured without sharing a core, {at}."
    return f"throughput is highest with {at}, and no higher up to {most}."


def _half(shown: list[PointLaws]) -> str:
    known = [(each.point.run.ranks, each.efficiency) for each in shown if each.efficiency and each.point.run.ranks > 1]
    good = [(ranks, value) for ranks, value in known if value.value >= HALF]
    if not known:
        return "There is no one-rank point to take an efficiency from."
    if not good:
        ranks, value = known[0]
        return f"Efficiency is below {HALF:.0%} from {plural(ranks, 'rank')} on ({estimate(value, 2)})."
    ranks, value = good[-1]
    return f"Efficiency is at least {HALF:.0%} up to {plural(ranks, 'rank')} ({estimate(value, 2)})."


def _stop(line: Line, last: PointLaws) -> list[str]:
    found = loss(line, last.point)
    if found is None or found.share < NEARLY:
        return ["Nothing that was measured stops it: go on to more ranks."] if found else []
    told = f"What stops it most at {plural(last.point.run.ranks, 'rank')} is {CAUSES[found.cause]}"
    step = STEPS[found.cause]
    if found.cause in MOVING and line.movement in BEST_MOVEMENTS:
        step = "give each rank more work: a larger batch"
    return [f"{told} ({found.share:.0%} of the ranks' time). Next: {step}."]
