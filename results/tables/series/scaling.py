"""Strong, weak and size scaling: the paper's tables 4, 6, 8 and 10, with rates, speedups and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.estimates import CONFIDENCE, MIN_LAUNCHES, Estimate
from results.formats import estimate, mib, number, percent, plural, slug
from results.records.experiment import RecordedExperiment
from results.records.marks import CORES_DIFFER, MARKS, MIXED
from results.records.point import RecordedPoint
from results.records.sweep import SIZE, STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.speedup import (
    Ratio,
    absolute_speedup,
    conflict,
    fastest_speedup,
    relative_speedup,
    scaled_speedup,
    weak_efficiency,
)
from results.table import Column, Table, Values, bounded, build, estimated, numeric, shown
from results.tables import columns, looks

GIGA = 1e9
BOUNDS_NOTE = (
    f"[low, high] is a {CONFIDENCE:.0%} interval over launches (Student's t in log time, Welch's for a ratio); "
    f"(low to high) is the range of fewer than {MIN_LAUNCHES} launches, or of launches on cores of different speed."
)
RATIOS = {
    STRONG: (
        ("Relative speedup", "relative_speedup"),
        ("Absolute speedup", "absolute_speedup"),
        ("Against the fastest", "fastest_speedup"),
    ),
    WEAK: (("Weak efficiency", "weak_efficiency"), ("Scaled speedup", "scaled_speedup")),
    SIZE: (),
}
SHORT_RATIOS = 2  # of RATIOS that a table for a terminal has room for


OWN = (("Speedup", "speedup"), ("Parallel efficiency", "parallel_efficiency"))  # against the smallest rank count


@dataclass(frozen=True)
class ScalingRow:
    """A point and its ratios, in the order of RATIOS."""

    point: RecordedPoint
    time: Estimate | None
    ratios: tuple[Ratio, ...]


def rows(sweep: RecordedSweep, series: RecordedSeries) -> list[ScalingRow]:
    return [ScalingRow(point, point.time(), _ratios(sweep, series, point)) for point in series.points]


def full(sweep: RecordedSweep, series: RecordedSeries) -> Table:
    """Every point with its clocks, rates, ratios, memory, marks and outcome."""
    found = rows(sweep, series)
    further = _ratio_columns(series)[SHORT_RATIOS:]
    clocks = (_clock(series.experiment, clock) for clock in series.experiment.clocks[1:])
    shows = [*_common(series), *further, *clocks, *_details(series.points)]
    return build(
        f"{series.scaling.capitalize()} scaling: {series.name}",
        shows,
        found,
        name=slug(series.scaling, series.name),
        notes=notes(series, found),
    )


def compact(sweep: RecordedSweep, series: RecordedSeries) -> Table:
    """The same points for a terminal or a paper: place, headline time, rates, ratios, outcome."""
    found = rows(sweep, series)
    shows = _common(series)
    title = f"{series.scaling.capitalize()} scaling: {series.name} ({sweep.name})"
    return build(title, shows, found, name=slug(series.scaling, series.name), notes=notes(series, found)[1:])


def notes(series: RecordedSeries, found: Sequence[ScalingRow]) -> list[str]:
    """What readers of the table must know: clocks, bounds, baselines, and why ratios are absent."""
    lines, words = [series.experiment.clocks_note, BOUNDS_NOTE], series.experiment.variant_words
    lines += looks.notes(series.points)
    if series.experiment.smallest_baseline:
        lines += _smallest(series, found)
    elif series.scaling == STRONG:
        lines.append(f"Relative speedup: T1 is the one-rank point of the same {words}.")
        lines += _once(line for row in found for line in (_serial(row), _fastest(row)))
    elif series.scaling == WEAK:
        lines.append(
            f"T1 is the one-rank point of the same {words}. Efficiency is T1 / TN; scaled speedup, "
            "N T1 / TN, is the quantity of Gustafson's law."
        )
    lines += _once(_why_not(row) for row in found)
    for mark in (MIXED, CORES_DIFFER):
        if any(mark in row.point.marks for row in found):
            lines.append(f"Points marked {mark}: {MARKS[mark]}.")
    return lines


def _smallest(series: RecordedSeries, found: Sequence[ScalingRow]) -> list[str]:
    """What ratios stand against where that is the smallest rank count that is ok."""
    bases = [row.ratios[0].baseline for row in found if row.ratios and row.ratios[0].baseline]
    told = (f"{plural(base.run.ranks, 'rank')} ({base.variant.phrase}, {base.size_text})" for base in bases)
    against = "; ".join(dict.fromkeys(told)) or "none is ok"
    if series.scaling == STRONG:
        return [f"Speedup is against the smallest rank count that is ok, and 1 there: {against}."]
    return [
        f"Efficiency is against the smallest rank count that is ok: {against}. Scaled speedup is efficiency times the "
        "ranks over that count's, the quantity of Gustafson's law."
    ]


def _ratios(sweep: RecordedSweep, series: RecordedSeries, point: RecordedPoint) -> tuple[Ratio, ...]:
    if series.scaling == STRONG and series.experiment.smallest_baseline:
        speedup = relative_speedup(point, series.points)
        return (speedup, speedup.scaled(speedup.base / point.run.ranks))
    if series.scaling == STRONG:
        return (
            relative_speedup(point, series.points),
            absolute_speedup(point, sweep.points),
            fastest_speedup(point, sweep.points),
        )
    if series.scaling == WEAK:
        return (weak_efficiency(point, series.points), scaled_speedup(point, series.points))
    return ()


def _serial(row: ScalingRow) -> str:
    """What the absolute speedup of a point rests on."""
    experiment, run = row.point.experiment, row.point.run
    own = experiment.serial_code(run) == experiment.yardstick(run)
    whose = "the point's own backend" if own else experiment.serial_code(run)
    return _baseline(row, 1, "Absolute speedup", f"is the serial run with {whose}")


def _fastest(row: ScalingRow) -> str:
    """What the column beside it rests on."""
    return _baseline(row, 2, "Against the fastest", "is the fastest one-rank point of this problem in the sweep")


def _baseline(row: ScalingRow, index: int, what: str, which: str) -> str:
    baseline, clock = row.ratios[index].baseline, row.point.comparable_clock
    if baseline is None:
        return ""
    time = baseline.time(clock)
    return (
        f"{what} at {baseline.size_text}{' of streamed points' if row.point.streamed else ''}: T1 {which}, by "
        f"{clock.removesuffix('_s')} time {baseline.variant.phrase}, {number(time.value if time else None)} s."
    )


def _why_not(row: ScalingRow) -> str:
    reasons = [ratio.why_not for ratio in row.ratios if ratio.why_not]
    if not reasons:
        return ""
    which = f"{row.point.variant.label}, {plural(row.point.run.ranks, 'rank')}, {row.point.size_text}"
    return f"{which}: no speedup: {reasons[0]}."


def _once(lines: Iterable[str]) -> list[str]:
    return [line for line in dict.fromkeys(lines) if line]


def _common(series: RecordedSeries) -> list[Column[ScalingRow]]:
    return [
        *columns.place(series.points),
        _headline(series.experiment),
        *_rates(series.points),
        *_ratio_columns(series)[:SHORT_RATIOS],
        _outcome(),
    ]


def _headline(experiment: RecordedExperiment) -> Column[ScalingRow]:
    key, unit = experiment.headline_key
    return estimated(experiment.headline_header, key, lambda row: experiment.told(row.time, row.point.work), unit=unit)


def _clock(experiment: RecordedExperiment, clock: str) -> Column[ScalingRow]:
    def value(row: ScalingRow) -> float | None:
        time = row.point.time(clock)
        return time.value if time else None

    header = f"{experiment.clock_word(clock).capitalize()} time (s)"
    return numeric(header, clock, value)


def _rates(points: Sequence[RecordedPoint]) -> list[Column[ScalingRow]]:
    """Work per second, one column for each unit of work, and operations per second if known.

    A headline that is itself a rate has its column already.
    """

    def work(row: ScalingRow) -> float | None:
        return row.point.work.amount / row.time.value if row.time else None

    def gflops(row: ScalingRow) -> float | None:
        operations = row.point.experiment.operations(row.point.run)
        return operations / row.time.value / GIGA if row.time and operations is not None else None

    units = dict.fromkeys(point.work.unit for point in points if not point.experiment.headline_is_rate)
    found = [numeric(f"{unit.capitalize()}/s", f"{unit}_per_s", work) for unit in units]
    if any(point.experiment.operations(point.run) is not None for point in points):
        found.append(numeric("GFLOP/s", "gflops_per_s", gflops))
    return found


def _ratio_columns(series: RecordedSeries) -> list[Column[ScalingRow]]:
    own = series.scaling == STRONG and series.experiment.smallest_baseline
    return [_ratio(header, key, index) for index, (header, key) in enumerate(OWN if own else RATIOS[series.scaling])]


def _ratio(header: str, key: str, index: int) -> Column[ScalingRow]:
    def values(row: ScalingRow) -> Values:
        ratio = row.ratios[index]
        ids = " ".join(ratio.baseline.run_ids) if ratio.baseline else ""
        return {**bounded(key, "", ratio.estimate), f"{key}_baseline_run_ids": ids, f"{key}_why_not": ratio.why_not}

    return Column(header, lambda row: estimate(row.ratios[index].estimate, 3), values)


def _details(points: Sequence[RecordedPoint]) -> list[Column[ScalingRow]]:
    def memory(row: ScalingRow) -> int | None:
        return sum(row.point.peak_bytes.values()) or None

    def spread(row: ScalingRow) -> float | None:
        return row.point.spread_within_launch

    return [
        shown("Memory, all ranks (MiB)", "peak_rss_all_ranks_bytes", memory, mib),
        *columns.shapes(points, output_shape="Output shape", size="Size", size_per_rank="Size per rank"),
        Column("Launches", _launches, lambda row: {"launches_timed": len(row.point.timed)}),
        shown("Spread in a launch (%)", "spread_within_launch", spread, percent),
        columns.run_ids(),
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
