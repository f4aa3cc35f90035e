"""Strong, weak and size scaling: the paper's tables 4, 6, 8 and 10, with rates, speedups and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.estimates import CONFIDENCE, MIN_LAUNCHES, Estimate
from results.formats import NONE, estimate, mib, number, plural, shape, slug
from results.records.launch import MARKS, MIXED
from results.records.point import RecordedPoint
from results.records.sweep import SIZE, STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.speedup import Ratio, absolute_speedup, conflict, relative_speedup, scaled_speedup, weak_efficiency
from results.table import Column, Table, Values, bounded, build, hidden, plain, shown

GIGA = 1e9
TOTAL, FORWARD = "total_s", "forward_s"
BOUNDS_NOTE = (
    f"[low, high] is a {CONFIDENCE:.0%} interval over launches (Student's t in log time, Welch's for a ratio); "
    f"(low to high) is the range of fewer than {MIN_LAUNCHES} launches."
)
CLOCKS_NOTE = (
    "Forward time runs from all input in place to all output in place, longest over ranks; total adds load and save; "
    "convolve is the longest convolution of a rank. Rates and speedups rest on forward time."
)
RATIOS = {
    STRONG: (("Relative speedup", "relative_speedup"), ("Absolute speedup", "absolute_speedup")),
    WEAK: (("Weak efficiency", "weak_efficiency"), ("Scaled speedup", "scaled_speedup")),
    SIZE: (),
}


@dataclass(frozen=True)
class ScalingRow:
    """A point and its ratios, in the order of RATIOS."""

    point: RecordedPoint
    forward: Estimate | None
    ratios: tuple[Ratio, ...]


def rows(sweep: RecordedSweep, series: RecordedSeries) -> list[ScalingRow]:
    return [ScalingRow(point, point.time(), _ratios(sweep, series, point)) for point in series.points]


def full(sweep: RecordedSweep, series: RecordedSeries) -> Table:
    """Every point with its three clocks, rates, ratios, memory, marks and outcome."""
    found = rows(sweep, series)
    columns = [*_sizes(), _forward(), *_rates(), *_ratio_columns(series.scaling), _outcome(), *_details()]
    return build(
        f"{series.scaling.capitalize()} scaling: {series.name}",
        columns,
        found,
        name=slug(series.scaling, series.name),
        notes=notes(series, found),
    )


def compact(sweep: RecordedSweep, series: RecordedSeries) -> Table:
    """The same points for a terminal: sizes, forward time, rates, ratios, outcome."""
    found = rows(sweep, series)
    columns = [*_sizes(), _forward(), *_rates(), *_ratio_columns(series.scaling), _outcome()]
    title = f"{series.scaling.capitalize()} scaling: {series.name} ({sweep.name})"
    return build(title, columns, found, notes=notes(series, found)[1:])


def notes(series: RecordedSeries, found: Sequence[ScalingRow]) -> list[str]:
    """What a reader of the table must know: clocks, bounds, baselines, and why ratios are absent."""
    lines = [CLOCKS_NOTE, BOUNDS_NOTE]
    if series.scaling == STRONG:
        lines.append("Relative speedup: T1 is the one-rank point of the same movement and backend.")
        lines += _once(_baseline(row.ratios[1], streamed=row.point.streamed) for row in found)
    if series.scaling == WEAK:
        lines.append(
            "T1 is the one-rank point of the same movement and backend. Efficiency is T1 / TN; scaled speedup, "
            "N T1 / TN, is the quantity of Gustafson's law."
        )
    lines += _once(_why_not(row) for row in found)
    if any(MIXED in row.point.marks for row in found):
        lines.append(f"Points marked {MIXED}: {MARKS[MIXED]}.")
    return lines


def _ratios(sweep: RecordedSweep, series: RecordedSeries, point: RecordedPoint) -> tuple[Ratio, ...]:
    if series.scaling == STRONG:
        return (relative_speedup(point, series.points), absolute_speedup(point, sweep.points))
    if series.scaling == WEAK:
        return (weak_efficiency(point, series.points), scaled_speedup(point, series.points))
    return ()


def _baseline(ratio: Ratio, *, streamed: bool) -> str:
    if ratio.baseline is None:
        return ""
    run = ratio.baseline.run
    clock = TOTAL if streamed else FORWARD
    time = ratio.baseline.time(clock)
    return (
        f"Absolute speedup at B = {run.problem.batch}{' of streamed points' if streamed else ''}: T1 is the fastest "
        f"one-rank point of this problem in the sweep by {clock.removesuffix('_s')} time, {run.movement} with "
        f"{run.backend}, {number(time.value if time else None)} s."
    )


def _why_not(row: ScalingRow) -> str:
    reasons = [ratio.why_not for ratio in row.ratios if ratio.why_not]
    if not reasons:
        return ""
    run = row.point.run
    which = f"{run.movement}, {run.backend}, {plural(run.ranks, 'rank')}, B = {run.problem.batch}"
    return f"{which}: no speedup: {reasons[0]}."


def _once(lines: Iterable[str]) -> list[str]:
    return [line for line in dict.fromkeys(lines) if line]


def _sizes() -> list[Column[ScalingRow]]:
    return [
        plain("Ranks", "ranks", lambda row: row.point.run.ranks),
        plain("Batch", "batch", lambda row: row.point.run.problem.batch),
        plain("Movement", "movement", lambda row: row.point.run.movement),
        plain("Backend", "backend", lambda row: row.point.run.backend),
    ]


def _forward() -> Column[ScalingRow]:
    return Column(
        "Forward time (s)", lambda row: estimate(row.forward), lambda row: bounded("forward", "_s", row.forward)
    )


def _clock(header: str, clock: str) -> Column[ScalingRow]:
    def value(row: ScalingRow) -> float | None:
        time = row.point.time(clock)
        return time.value if time else None

    return shown(header, clock, value, lambda row: number(value(row)))


def _rates() -> list[Column[ScalingRow]]:
    def images(row: ScalingRow) -> float | None:
        return row.point.run.problem.batch / row.forward.value if row.forward else None

    def gflops(row: ScalingRow) -> float | None:
        return row.point.run.problem.flops / row.forward.value / GIGA if row.forward else None

    return [
        shown("Images/s", "images_per_s", images, lambda row: number(images(row))),
        shown("GFLOP/s", "gflops_per_s", gflops, lambda row: number(gflops(row))),
    ]


def _ratio_columns(scaling: str) -> list[Column[ScalingRow]]:
    return [_ratio(header, key, index) for index, (header, key) in enumerate(RATIOS[scaling])]


def _ratio(header: str, key: str, index: int) -> Column[ScalingRow]:
    def values(row: ScalingRow) -> Values:
        ratio = row.ratios[index]
        ids = " ".join(ratio.baseline.run_ids) if ratio.baseline else ""
        return {**bounded(key, "", ratio.estimate), f"{key}_baseline_run_ids": ids, f"{key}_why_not": ratio.why_not}

    return Column(header, lambda row: estimate(row.ratios[index].estimate, 3), values)


def _details() -> list[Column[ScalingRow]]:
    def memory(row: ScalingRow) -> int | None:
        return sum(row.point.peak_bytes().values()) or None

    def spread(row: ScalingRow) -> float | None:
        return row.point.spread_within_launch

    return [
        _clock("Total time (s)", "total_s"),
        _clock("Convolve time (s)", "convolve_s"),
        shown("Memory, all ranks (MiB)", "peak_rss_all_ranks_bytes", memory, lambda row: mib(memory(row))),
        plain("Output shape", "output_shape", lambda row: shape(row.point.run.problem.y_shape)),
        Column("Launches", _launches, lambda row: {"launches_timed": len(row.point.timed)}),
        shown("Spread in a launch (%)", "spread_within_launch", spread, lambda row: _percent(spread(row))),
        hidden("run_ids", lambda row: " ".join(row.point.run_ids)),
    ]


def _launches(row: ScalingRow) -> str:
    timed, all_of_them = len(row.point.timed), len(row.point.launches)
    return str(timed) if timed == all_of_them else f"{timed} of {all_of_them}"


def _outcome() -> Column[ScalingRow]:
    def show(row: ScalingRow) -> str:
        return "; ".join([row.point.outcome, *sorted(row.point.marks)])

    def values(row: ScalingRow) -> Values:
        return {
            "outcome": row.point.outcome,
            "marks": " ".join(mark.replace(" ", "-") for mark in sorted(row.point.marks)),
            "not_comparable": conflict([row.point]),
        }

    return Column("Outcome", show, values)


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"
