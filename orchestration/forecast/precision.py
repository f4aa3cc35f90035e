"""Whether a sweep has launches enough, judged by its records, and how many that takes, by earlier sweeps."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.errors import Refusal
from orchestration.forecast import earlier
from orchestration.paths import SweepPaths
from orchestration.sweep.extension import Goal, Judgement, durations_s
from results.estimates import MIN_LAUNCHES
from results.formats import plural
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep, SweepError, read_sweep
from results.scaling.precision import Precision, Width, launches_needed, noise_of, precision
from workload.record.kinds import parameters

if TYPE_CHECKING:
    from orchestration.planning.plan import PlannedRun
    from orchestration.sweep.prepare import Sweep

WIDEST = 2.0  # half-width whose figure still says something


def judge(paths: SweepPaths, within: float) -> Judgement:
    """Whether each point's interval lies within that share of its time. Raises Refusal."""
    try:
        found = precision(read_sweep(paths.folder).points)
    except SweepError as error:
        raise Refusal(str(error)) from error
    wide = found.wide(within)
    values = {
        "half_widths": {width.point.run_ids[0]: _finite(width.half_width) for width in found.widths},
        "left_out": {point.run_ids[0]: why for point, why in found.left_out},
    }
    ids = frozenset(run_id for point in wide for run_id in point.run_ids)
    known = found.widths and math.isfinite(found.widths[0].half_width)
    worst = f"worst {_width(found.widths[0])}" if known else ""
    return Judgement(ids, _state(found, within), worst, values)


def outlook(sweep: Sweep, goal: Goal, pending: Sequence[PlannedRun], runs: Sequence[PlannedRun]) -> str:
    """A line on how many launches and minutes the goal takes; `pending` are those of the `runs` that are to do."""
    study, cluster = sweep.loaded.study.name, sweep.inventory.cluster
    found = earlier.sweeps(sweep.surroundings.runs, cluster, lambda document: document.get("name") == study)
    known = _known(found)
    noise = noise_of({point: one.times for point, one in known.items()})
    planned: dict[str, list[PlannedRun]] = defaultdict(list)
    for item in runs:
        planned[parameters(item.run)].append(item)
    told = [point for point in planned if point in noise and known[point].took_s]
    asked = f"--within {_share(goal.within)}"
    if not told:
        return f"{asked}: no earlier sweep of study {study} on cluster {cluster} says how many launches that takes"
    needed = {point: max(launches_needed(noise[point], goal.within), len(planned[point])) for point in told}
    made = {point: max(len(planned[point]), min(needed[point], goal.most_launches)) for point in told}
    done = Counter(parameters(item.run) for item in runs if item not in pending)
    left = {point: made[point] - done[point] for point in told}
    minutes = sum(count * statistics.fmean(known[point].took_s) for point, count in left.items()) / 60.0
    late = sum(needed[point] > made[point] for point in told)
    unknown = len(planned) - len(told)
    parts = [
        f"{asked}: {_span(made.values())} launches of a point, {plural(sum(left.values()), 'run')} in about "
        f"{minutes:.1f} minutes, by {plural(len(found), 'earlier sweep')}",
        f"{late} of {plural(len(told), 'point')} would need more than --max-launches {goal.most_launches}"
        if late
        else "",
        f"of {plural(unknown, 'point')} nothing is known" if unknown else "",
    ]
    return "; ".join(filter(None, parts))


@dataclass
class Known:
    """Of a point in earlier sweeps: the times of its launches by sweep, and how long each run took."""

    times: list[list[float]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)


def _known(sweeps: Sequence[RecordedSweep]) -> dict[str, Known]:
    found: dict[str, Known] = defaultdict(Known)
    for sweep in sweeps:
        took = dict(durations_s(sweep.events))
        for width in precision(sweep.points).widths:
            known = found[parameters(width.point.run)]
            known.times.append(width.point.medians_s())
            known.took_s += [took[run_id] for run_id in width.point.run_ids if run_id in took]
    return found


def _span(counts: Collection[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _state(found: Precision, within: float) -> str:
    """How many points are precise, and why others are left out."""
    left_out = f" ({found.told_left_out})" if found.left_out else ""
    if not found.widths:
        return f"no point is made more precise by more launches{left_out}"
    wide = len(found.wide(within))
    told = f"{wide} of {plural(len(found.widths), 'point')} {'does' if wide == 1 else 'do'} not lie"
    told = told if wide else "every point lies"
    worst = found.widths[0]
    return f"{told} within {_share(within)}, the widest {_width(worst)}, {_name(worst.point)}{left_out}"


def _width(width: Width) -> str:
    if math.isinf(width.half_width):
        return f"without an interval (fewer than {MIN_LAUNCHES} launches)"
    return f"±{_share(width.half_width)}" if width.half_width < WIDEST else f"beyond ±{_share(WIDEST)}"


def _name(point: RecordedPoint) -> str:
    series, ranks = "+".join(sorted(point.series)), plural(point.run.ranks, "rank")
    return f"{series}: {ranks}, {point.variant.phrase}, {point.size_text}"


def _share(value: float) -> str:
    return f"{100 * value:.1f}".removesuffix(".0") + " %"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
