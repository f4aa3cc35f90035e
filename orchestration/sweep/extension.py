"""Further launches after the planned ones: whole blocks, until every point is precise enough or a limit ends it.

What the records say of precision is judged elsewhere, by a function that the goal brings along. Limits belong to no
study: the ledger has them, so that another limit goes on with the same sweep.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from orchestration.errors import Refusal
from orchestration.paths import SweepPaths
from orchestration.planning.plan import Plan, PlannedRun
from workload.record.kinds import parameters

EXTENDED, LOOK = "extended", "look"
PRECISE = "precise"
Event = Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """What the records say: the ids of all runs of points that are not precise enough.

    `state` says that in a line, `worst` in a word. `values` are the ledger's.
    """

    wide: frozenset[str]
    state: str
    worst: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """How precise every point is to be, and what may end the sweep before that.

    `within`: half-width of a point's interval as a share of its time. `most_launches`: of a point. `most_s`: of work on
    the sweep, earlier sittings included; None for no limit, and `time_limit` is the flag that it comes from.
    """

    within: float
    judge: Callable[[SweepPaths], Judgement]
    most_launches: int = 30
    most_s: float | None = None
    time_limit: str = ""


@dataclass(frozen=True)
class Look:
    """A judgement and what follows from it: a block of runs, or PRECISE or the flag that ends it."""

    goal: Goal
    judgement: Judgement
    block: tuple[PlannedRun, ...]
    end: str = ""

    @property
    def event(self) -> dict[str, Any]:
        """The values of the ledger's `look`."""
        goal = self.goal
        limits = {"within": goal.within, "max_launches": goal.most_launches, "max_s": goal.most_s}
        return {**self.judgement.values, **limits, "end": self.end or None}

    @property
    def told(self) -> str:
        """The state, and what follows."""
        if self.block:
            return f"{self.judgement.state}: {len(self.block)} more run{'s' if len(self.block) > 1 else ''}"
        return self.judgement.state + (f"; {self.end} ends the sweep here" if self.end != PRECISE else "")


def known_runs(plan: Plan, events: Iterable[Event]) -> tuple[PlannedRun, ...]:
    """The plan's runs, then those by which the ledger says that the sweep was extended. Raises Refusal."""
    runs = list(plan.runs)
    for event in events:
        if event["event"] != EXTENDED:
            continue
        made = {item.run.run_id: item for item in plan.block(int(event["launch"]))}
        if strange := [run_id for run_id in event["runs"] if run_id not in made]:
            raise Refusal(
                f"the ledger extends the sweep by run {strange[0]}, which its study does not have: give --new"
            )
        runs += [replace(made[run_id], sequence=len(runs) + n) for n, run_id in enumerate(event["runs"])]
    return tuple(runs)


def look(goal: Goal, plan: Plan, paths: SweepPaths, events: Sequence[Event]) -> Look:
    """Judges the records, and finds what comes next. Raises Refusal."""
    judgement = goal.judge(paths)
    runs = known_runs(plan, events)
    if not judgement.wide:
        return Look(goal, judgement, (), PRECISE)
    block = _block(plan, runs, judgement.wide, goal.most_launches)
    if not block:
        return Look(goal, judgement, (), f"--max-launches {goal.most_launches}")
    if goal.most_s is not None and spent_s(events) + _takes_s(block, runs, events) > goal.most_s:
        return Look(goal, judgement, (), goal.time_limit)
    return Look(goal, judgement, block)


def spent_s(events: Sequence[Event]) -> float:
    """Seconds of work on a sweep, without the time between a sitting's end and the next one's beginning."""
    return sum(_apart_s(before, after) for before, after in pairwise(events) if after["event"] != "resumed")


def _block(plan: Plan, runs: Sequence[PlannedRun], wide: frozenset[str], most: int) -> tuple[PlannedRun, ...]:
    """One launch of every point that is not precise enough and has had none of that number, in the launch's order."""
    launches: dict[str, set[int]] = defaultdict(set)
    for item in runs:
        launches[parameters(item.run)].add(item.run.launch)
    points = {parameters(item.run) for item in runs if item.run.run_id in wide}
    for number in range(min((len(launches[point]) for point in points), default=most), most):
        wanted = [
            item
            for item in plan.block(number)
            if parameters(item.run) in points and number not in launches[parameters(item.run)]
        ]
        if wanted:
            return tuple(replace(item, sequence=len(runs) + n) for n, item in enumerate(wanted))
    return ()


def _takes_s(block: Iterable[PlannedRun], runs: Iterable[PlannedRun], events: Iterable[Event]) -> float:
    """Seconds that the block takes by what runs of the same points took, or all runs."""
    took = dict(durations_s(events))
    of_points: dict[str, list[float]] = defaultdict(list)
    for item in runs:
        of_points[parameters(item.run)] += [took[item.run.run_id]] if item.run.run_id in took else []
    every = _mean(list(took.values()))
    return sum(_mean(of_points[parameters(item.run)]) or every for item in block)


def durations_s(events: Iterable[Event]) -> Iterator[tuple[str, float]]:
    """Seconds from start to end of each run, by run id."""
    begun: dict[str, Event] = {}
    for event in events:
        if event["event"] == "started":
            begun[event["run_id"]] = event
        elif event["event"] == "ended" and event["run_id"] in begun:
            yield event["run_id"], _apart_s(begun.pop(event["run_id"]), event)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _apart_s(before: Event, after: Event) -> float:
    first, second = (datetime.datetime.fromisoformat(str(event["utc"])) for event in (before, after))
    return max(0.0, (second - first).total_seconds())
