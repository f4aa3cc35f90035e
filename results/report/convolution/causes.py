"""What stops a line of points at its largest rank count: the causes by share, the root's work, and the alternatives.

Causes are phases of the convolution; of another experiment, the parts of its time that it names.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from results.estimates import RANGE, Estimate
from results.forecast.accuracy import forecast_s
from results.formats import number, plural, share
from results.records.convolution import on_gpu
from results.records.kinds import CONVOLUTION
from results.records.marks import OVERSUBSCRIBED
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.report.convolution import advice
from results.scaling import losses as parts
from results.scaling.line import Line
from results.scaling.losses import Losses, losses, losses_by_own_parts

HALF = 0.5  # of convolve's growth that is processor time: above, the cores are slowed, below, they are taken away
NEARLY = 0.02  # of the ranks' time: a loss this small names no cause
LEAST_SHOWN = 0.005
MOST_ALTERNATIVES = 2
MB, GB = 1e6, 1e9
PART_WORDS = {parts.ROOT_WAIT: "waiting for the root"}
OWN_WORDS = {
    parts.IN_MPI: "time in MPI",
    parts.OUTSIDE_MPI: "the ranks' own work, outside MPI",
    parts.ENDED: "ranks that end before the last one",
}


@dataclass(frozen=True)
class Cause:
    """A key of CAUSES and the parts of the forward time that it is made of."""

    name: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Stop:
    """What takes most of the ranks' time beyond what the line's smallest count takes, in words, and its share of it.

    `words` are empty where nothing takes more; `second`: what the noise does not tell from it.
    """

    words: str
    share: Estimate
    second: str = ""

    @property
    def told(self) -> str:
        """The words after `what costs most`."""
        if not self.words:
            return "is nothing that was measured"
        either = f", or {self.second} (the noise does not tell which)" if self.second else ""
        verb = "is" if self.share.low > 0.0 else "may be"
        return f"{verb} {self.words}: {share(self.share)} of the ranks' time{either}"


def stop_of(line: Line, point: RecordedPoint) -> Stop | None:
    """None where nothing can be said: without a smaller count to compare with."""
    is_convolution = point.experiment is CONVOLUTION
    found = losses(line, point) if is_convolution else losses_by_own_parts(line, point)
    if found is None:
        return None
    ranked = _ranked(found, point) if is_convolution else _own_causes(found)
    first, second = ranked[0], ranked[1]
    total = found.share(*first.parts)
    if total.value < NEARLY:
        return Stop("", total)
    return Stop(_in_short(first, point), total, _in_short(second, point) if _close(found, first, second) else "")


def _close(found: Losses, first: Cause, second: Cause) -> bool:
    """Whether the noise does not tell which of two causes is larger."""
    return found.share(*second.parts).value >= NEARLY and not found.told_apart(first.parts, second.parts)


def _in_short(cause: Cause, point: RecordedPoint) -> str:
    known = {**OWN_WORDS, **point.experiment.part_words, **advice.CAUSES, **advice.IN_SHORT}
    return known.get(cause.name, cause.name)


def _own_causes(found: Losses) -> list[Cause]:
    """The parts that the experiment names, that of the largest share first."""
    causes = [Cause(part, (part,)) for part in found.parts]
    return sorted(causes, key=lambda cause: found.share(cause.name).value, reverse=True)


def sentences(sweep: RecordedSweep, line: Line, point: RecordedPoint) -> Iterator[str]:
    """What stops the line most at the point, and what to try next; nothing without a one-rank point.

    Of another experiment than the convolution there is nothing to advise.
    """
    if point.experiment is not CONVOLUTION:
        yield from _own_sentence(line, point)
        return
    found = losses(line, point)
    if found is None:
        return
    ranked = _ranked(found, point)
    first, second = ranked[0], ranked[1]
    if found.share(*first.parts).value < NEARLY:
        yield "Nothing that was measured stops it: go on to more ranks."
        return
    close = _close(found, first, second)
    told = f"What stops it most at {plural(point.run.ranks, 'rank')} is {_words(found, first)}"
    if close:
        yield f"{told}; or {_words(found, second)}; {_why_close(found, first)}."
    else:
        yield f"{told}."
    if advice.ROOT in (first.name, second.name if close else ""):
        yield _root_work(point)
    if first.name in advice.MOVING:
        yield _alternatives(sweep, point)
    yield f"Next: {advice.step(first.name, point)}."


def _own_sentence(line: Line, point: RecordedPoint) -> Iterator[str]:
    stop = stop_of(line, point)
    if stop is not None:
        yield f"What costs most at {plural(point.run.ranks, 'rank')} {stop.told}."


def _ranked(found: Losses, point: RecordedPoint) -> list[Cause]:
    """The causes, that of the largest share first."""
    waits = Cause(advice.WAIT, (parts.WAIT, parts.ROOT_WAIT))
    moves = [Cause(advice.DISTRIBUTE, (parts.DISTRIBUTE,)), Cause(advice.COLLECT, (parts.COLLECT,))]
    if advice.through_the_root(point):
        waits = Cause(advice.WAIT, (parts.WAIT,))
        moves = [Cause(advice.ROOT, (parts.DISTRIBUTE, parts.COLLECT, parts.ROOT_WAIT))]
    load = Cause(advice.LOAD, (parts.LOAD,))
    if advice.waits_for_input(point):
        waits = Cause(advice.WAIT, (parts.WAIT, parts.ROOT_WAIT))
        moves, load = [Cause(advice.COLLECT, (parts.COLLECT,))], Cause(advice.LOAD, (parts.LOAD, parts.DISTRIBUTE))
    convolve = found.share(parts.CONVOLVE).value
    how = advice.SLOWED if found.share(parts.PROCESSOR).value > HALF * convolve else advice.STARVED
    if on_gpu(point.convolution):
        how = advice.ON_GPU
    others = [cause for cause in (load, Cause(advice.SAVE, (parts.SAVE,))) if cause.parts[0] in found.parts]
    every = [*moves, Cause(how, (parts.CONVOLVE,)), waits, *others]
    return sorted(every, key=lambda cause: found.share(*cause.parts).value, reverse=True)


def _words(found: Losses, cause: Cause) -> str:
    """The cause with its share; of several parts each one's."""
    told = f"{advice.CAUSES[cause.name]}: {share(found.share(*cause.parts))} of the ranks' time"
    if cause.name != advice.ROOT:
        return told
    shares = sorted(((found.share(part).value, part) for part in cause.parts), reverse=True)
    of_them = ", ".join(f"{PART_WORDS.get(part, part)} {value:.0%}" for value, part in shares if value > LEAST_SHOWN)
    return f"{told} ({of_them})"


def _why_close(found: Losses, cause: Cause) -> str:
    total = found.share(*cause.parts)
    if total.bounds == RANGE and total.launches == 1:
        return "one launch does not tell which of the two is larger"
    return "the noise between launches does not tell which of the two is larger"


def _root_work(point: RecordedPoint) -> str:
    """How many bytes pass through the root, and at which rate."""
    sent, taken = advice.root_bytes(point)
    out_s, in_s = (_longest_s(point, part) for part in (parts.DISTRIBUTE, parts.COLLECT))
    return (
        f"{_bytes(sent, out_s)} of input leave the root, and {_bytes(taken, in_s)} of output come back; the time of "
        "ranks that wait meanwhile is counted as the root's."
    )


def _bytes(size: int, seconds: float) -> str:
    rate = f", {number(size / seconds / GB, 3)} GB/s" if seconds > 0.0 else ""
    return f"{number(size / MB, 3)} MB (in {number(seconds, 3)} s{rate})"


def _longest_s(point: RecordedPoint, part: str) -> float:
    """Seconds of the rank that a part takes longest, the median of all repeats."""
    repeats = [repeat for launch in point.timed for repeat in launch.repeats]
    return statistics.median(max(rank.parts_s[part] for rank in repeat.ranks) for repeat in repeats)


def _alternatives(sweep: RecordedSweep, point: RecordedPoint) -> str:
    """What other ways to move the same data take on as many ranks, measured or forecast."""
    found = sorted(_others(sweep, point))
    if not found:
        return (
            f"No other movement was measured or forecast with {plural(point.run.ranks, 'rank')} and {point.size_text}."
        )
    clock = "total time" if point.streamed else "forward time"
    told = " and ".join(f"{name} {number(seconds, 3)} s{how}" for seconds, name, how in found[:MOST_ALTERNATIVES])
    own = number(point.seconds(point.comparable_clock), 3)
    return f"With the same work and as many ranks, by {clock}, {told}, against {own} s here."


def _others(sweep: RecordedSweep, point: RecordedPoint) -> Iterator[tuple[float, str, str]]:
    """Seconds, name and how they are known, of the other variants of a point that are faster."""
    clock, least = point.comparable_clock, point.seconds(point.comparable_clock)
    for other in _same_work(sweep.points, point):
        if other.streamed and not point.streamed:
            continue
        foretold = forecast_s(sweep, other) if not other.counting and not point.streamed else None
        seconds = foretold or other.seconds(clock)
        if seconds < least:
            yield seconds, other.variant.detailed["movement"], " (forecast)" if foretold else ""


def _same_work(points: Sequence[RecordedPoint], point: RecordedPoint) -> Iterator[RecordedPoint]:
    """The points of other movements that compute the same with as many ranks and the same code."""
    wanted = (point.problem, point.run.ranks, point.convolution.backend)
    for other in points:
        same = (other.problem, other.run.ranks, other.convolution.backend) == wanted
        apart = OVERSUBSCRIBED in other.marks or other.experiment.why_uncounted(other.run)
        if same and not apart and _way(other) != _way(point):
            yield other


def _way(point: RecordedPoint) -> tuple[str, ...]:
    """The movement with the switches that are on."""
    run = point.convolution
    return run.movement, *sorted(name for name, value in run.options.items() if value is True)
