"""Judges by its records whether a sweep has launches enough, for the sweep's own loop."""

from __future__ import annotations

import math

from orchestration.errors import Refusal
from orchestration.paths import SweepPaths
from orchestration.sweep.extension import Judgement
from results.formats import plural
from results.records.point import RecordedPoint
from results.records.sweep import SweepError, read_sweep
from results.scaling.precision import Precision, Width, precision


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
    worst = f"worst {_width(found.widths[0])}" if found.widths else ""
    return Judgement(ids, _state(found, within), worst, values)


def _state(found: Precision, within: float) -> str:
    """How many points are precise, and why others are left out."""
    reasons = "; ".join(dict.fromkeys(why for _, why in found.left_out))
    left_out = f" ({plural(len(found.left_out), 'point')} left out: {reasons})" if reasons else ""
    if not found.widths:
        return f"no point is made more precise by more launches{left_out}"
    wide = len(found.wide(within))
    told = f"{wide} of {plural(len(found.widths), 'point')} {'does' if wide == 1 else 'do'} not lie"
    told = told if wide else "every point lies"
    worst = found.widths[0]
    return f"{told} within {_share(within)}, the widest {_width(worst)}, {_name(worst.point)}{left_out}"


def _width(width: Width) -> str:
    return f"±{_share(width.half_width)}" if math.isfinite(width.half_width) else "without an interval"


def _name(point: RecordedPoint) -> str:
    series, ranks = "+".join(sorted(point.series)), plural(point.run.ranks, "rank")
    return f"{series}: {ranks}, {point.variant.phrase}, {point.size_text}"


def _share(value: float) -> str:
    return f"{100 * value:.1f}".removesuffix(".0") + " %"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
