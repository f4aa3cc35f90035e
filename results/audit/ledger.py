"""Gates on a sweep's records and its ledger: what ran, how often, in which order and when. Pure.

Records have the clock of the cluster's head, the ledger the operator's: lengths and order are compared, and instants
only where both are the same machine. Whoever changes records and ledger consistently is not caught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from results.audit.gates import Case, place
from results.formats import number, plural
from results.records.launch import RecordedLaunch, instant
from results.records.measurement import Repeat
from results.records.sweep import RecordedSweep
from workload.record.outcomes import OK, SKIPPED

LENGTH_SHARE, LENGTH_S = 0.01, 0.5  # by which a run may last longer by the head's clock than by the operator's
SAME_CLOCK_S = 1.0
OVERLAP_S = 0.1
OPERATORS_S = 60.0  # between the clocks of two operators of one sweep
FUTURE = timedelta(hours=1)
BROKEN_OFF = 3  # starts of a run without an end from which on somebody may have waited for a good one
LOCAL = "local"


@dataclass
class LedgerRun:
    """What the ledger says of one run, in its order."""

    starts: list[Mapping[str, Any]] = field(default_factory=list)
    ends: list[Mapping[str, Any]] = field(default_factory=list)
    broken_off: int = 0

    @property
    def outcomes(self) -> list[object]:
        return [end.get("outcome") for end in self.ends]


def runs_of(events: Sequence[Mapping[str, Any]]) -> dict[str, LedgerRun]:
    """By run id, in the order of their first events; what was set aside when a launch was begun anew is left out."""
    found: dict[str, LedgerRun] = {}
    at_work: set[str] = set()
    for event in events:
        run_id, kind = event.get("run_id"), event.get("event")
        if kind == "anew":  # what a Slurm job left of a launch was set aside whole
            for old in event.get("runs", []):
                found.pop(old, None)
        if not isinstance(run_id, str):
            continue
        run = found.setdefault(run_id, LedgerRun())
        if kind == "started":
            run.broken_off += run_id in at_work
            at_work.add(run_id)
            run.starts.append(event)
        elif kind == "ended":
            at_work.discard(run_id)
            run.ends.append(event)
    return found


def records(sweep: RecordedSweep) -> Iterator[Case]:
    """Each record against the ledger: planned, started and ended, with the same outcome, number and length."""
    if not sweep.events:
        return
    planned, known = _planned(sweep), runs_of(sweep.events)
    for launch in sweep.launches:
        run = known.get(launch.run_id, LedgerRun())
        words = "the ledger planned no such run" if planned and launch.run_id not in planned else _outcome(launch, run)
        # fab may have been killed between the record and the ledger's line
        certain = not (words and run.starts and not run.ends)
        yield Case(place(launch), (launch.run_id,), words, certain)
        if run.starts and not words:
            yield Case(place(launch), (launch.run_id,), _number(launch, run) or _length(launch, run))
            if sweep.inventory.get("executor", sweep.inventory.get("launcher")) == LOCAL:
                yield Case(place(launch), (launch.run_id,), _instants(launch, run))


def again(sweep: RecordedSweep) -> Iterator[Case]:
    """Runs that ended ok more than once, or were broken off again and again."""
    places = {launch.run_id: place(launch) for launch in sweep.launches}
    for run_id, run in runs_of(sweep.events).items():
        oks, where = run.outcomes.count(OK), places.get(run_id, sweep.name)
        if oks > 1 or (oks and OK in run.outcomes[:-1]):
            yield Case(where, (run_id,), f"run {run_id} ended {', '.join(map(str, run.outcomes))}")
        elif run.broken_off >= BROKEN_OFF:
            words = f"run {run_id} was started {plural(len(run.starts), 'time')} and broken off {run.broken_off} times"
            yield Case(where, (run_id,), words, certain=False)
        else:
            yield Case(where, (run_id,))


def left_out(sweep: RecordedSweep) -> Iterator[Case]:
    """Runs that the ledger or the study wants and that have no record."""
    present = {launch.run_id for launch in sweep.launches} | sweep.damaged
    for run_id, run in runs_of(sweep.events).items():
        if run.ends:
            words = f"run {run_id} ended {run.outcomes[-1]} and left no record"
            yield Case(sweep.name, (run_id,), "" if run_id in present else words)
    if finished := _finished(sweep):
        for run_id in sorted(_planned(sweep)):
            words = f"run {run_id} was planned, and the sweep is finished, but it left no record"
            yield Case(sweep.name, (run_id,), "" if run_id in present else words)
        yield _outcomes(sweep, finished)
        yield from _launches(sweep)


def order(sweep: RecordedSweep) -> Iterator[Case]:
    """One run after another by the head's clock, in the ledger's order, each with a number of its own."""
    starts = [event["run_id"] for event in sweep.events if event.get("event") == "started" and "run_id" in event]
    turn = {run_id: number for number, run_id in enumerate(map(str, starts))}  # by the last start of each
    timed = [launch for launch in sweep.launches if launch.wall_s is not None]
    for before, after in pairwise(sorted(timed, key=lambda launch: _turn(launch, turn))):
        begins_s = (after.started - before.ended).total_seconds() if after.started and before.ended else 0.0
        words = f"run {after.run_id} began {number(-begins_s, 3)} s before the end of the run before it"
        yield Case(place(after), (before.run_id, after.run_id), words if begins_s < -OVERLAP_S else "")
    numbers = Counter(launch.sequence for launch in sweep.launches)
    for launch in sweep.launches:
        twice = numbers[launch.sequence] > 1
        yield Case(place(launch), (launch.run_id,), f"number {launch.sequence} has two records" if twice else "")
    yield from _ledgers_order(sweep)


def copies(sweep: RecordedSweep) -> Iterator[Case]:
    """Repeats, of the same or another record, that took the same time in every part."""
    seen: dict[Hashable, str] = {}
    for launch in sweep.launches:
        for repeat in (*launch.warmups, *launch.repeats):
            other = seen.get(_fingerprint(repeat))
            seen.setdefault(_fingerprint(repeat), launch.run_id)
            words = f"a repeat of run {launch.run_id} has the times of one of run {other}" if other else ""
            yield Case(place(launch), tuple(dict.fromkeys((other or launch.run_id, launch.run_id))), words)


def dates(sweep: RecordedSweep, now: datetime) -> Iterator[Case]:
    """Dates of records and ledger against the present, and each end against its beginning."""
    for launch in sweep.launches:
        if launch.outcome == SKIPPED:
            continue
        yield Case(place(launch), (launch.run_id,), _date(launch, now))
    for event in sweep.events:
        utc = instant(event.get("utc"))
        words = f"the ledger's event {event.get('event')} is dated {event.get('utc')}"
        yield Case(sweep.name, (), words if utc is None or utc > now + FUTURE else "")


def _planned(sweep: RecordedSweep) -> set[str]:
    found: set[str] = set()
    for event in sweep.events:
        if event.get("event") in ("planned", "extended") and isinstance(event.get("runs"), list):
            found.update(map(str, event["runs"]))
    return found


def _finished(sweep: RecordedSweep) -> Mapping[str, Any] | None:
    """The event `finished`, where nothing was begun after it."""
    kinds = ("finished", "resumed", "started", "ended")
    last = next((event for event in reversed(sweep.events) if event.get("event") in kinds), None)
    return last if last is not None and last.get("event") == "finished" else None


def _outcome(launch: RecordedLaunch, run: LedgerRun) -> str:
    if launch.outcome != SKIPPED and not run.starts:
        return "the ledger has no start of it"
    if not run.ends:
        return "the ledger has no end of it"
    if run.outcomes[-1] != launch.outcome:
        return f"its outcome is {launch.outcome}, in the ledger {run.outcomes[-1]}"
    return ""


def _number(launch: RecordedLaunch, run: LedgerRun) -> str:
    sequence = run.starts[-1].get("sequence")
    return "" if sequence == launch.sequence else f"its number is {launch.sequence}, in the ledger {sequence}"


def _length(launch: RecordedLaunch, run: LedgerRun) -> str:
    begun, ended = instant(run.starts[-1].get("utc")), instant(run.ends[-1].get("utc"))
    if begun is None or ended is None or launch.wall_s is None:
        return ""
    ledger_s = (ended - begun).total_seconds()
    if launch.wall_s <= ledger_s * (1.0 + LENGTH_SHARE) + LENGTH_S:
        return ""
    return f"it lasted {number(launch.wall_s)} s, in the ledger {number(ledger_s)} s"


def _instants(launch: RecordedLaunch, run: LedgerRun) -> str:
    """On one machine: the run lies between its start and its end in the ledger."""
    begun, ended = instant(run.starts[-1].get("utc")), instant(run.ends[-1].get("utc"))
    slack = timedelta(seconds=SAME_CLOCK_S)
    for utc in (launch.started, launch.ended):
        if utc and begun and ended and not begun - slack <= utc <= ended + slack:
            return f"it ran from {launch.started_utc} to {launch.ended_utc}, in the ledger at another time"
    return ""


def _outcomes(sweep: RecordedSweep, finished: Mapping[str, Any]) -> Case:
    told = finished.get("outcomes")
    found = dict(Counter(launch.outcome for launch in sweep.launches))
    if not isinstance(told, dict) or told == found or sweep.damaged:
        return Case(sweep.name, ())
    return Case(sweep.name, (), f"the sweep finished with {_counts(told)}, its records have {_counts(found)}")


def _counts(outcomes: Mapping[str, object]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "none"


def _launches(sweep: RecordedSweep) -> Iterator[Case]:
    """The launches of every point against those that the study asks for."""
    wanted = sweep.study.get("launches")
    if not isinstance(wanted, int) or sweep.damaged:
        return
    for point in sweep.points:
        found = len(point.launches)
        words = f"{found} of the {wanted} launches that the study asks for"
        yield Case(place(point.launches[0]), point.run_ids, words if found < wanted else "")


def _turn(launch: RecordedLaunch, turn: Mapping[str, int]) -> tuple[object, ...]:
    """In the ledger's order, else by time."""
    begun = launch.started.timestamp() if launch.started else 0.0
    return (turn.get(launch.run_id, len(turn)), begun)


def _ledgers_order(sweep: RecordedSweep) -> Iterator[Case]:
    for before, after in pairwise(sweep.events):
        first, second = instant(before.get("utc")), instant(after.get("utc"))
        if first and second:
            back_s = (first - second).total_seconds()
            words = f"the ledger's {after.get('event')} is dated {number(back_s, 3)} s before the line above it"
            yield Case(sweep.name, (), words if back_s > OPERATORS_S else "")


def _fingerprint(repeat: Repeat) -> Hashable:
    ranks = tuple((rank.app_s, *rank.parts_s.values()) for rank in repeat.ranks)
    return (repeat.total_s, repeat.forward_s, ranks)


def _date(launch: RecordedLaunch, now: datetime) -> str:
    for utc in (launch.started, launch.ended):
        if utc and utc > now + FUTURE:
            return f"it ran from {launch.started_utc} to {launch.ended_utc}"
    if launch.wall_s is not None and launch.wall_s < 0.0:
        return f"it ended at {launch.ended_utc}, and began at {launch.started_utc}"
    return "" if launch.wall_s is not None or not launch.ok else "it does not say when it began and ended"
