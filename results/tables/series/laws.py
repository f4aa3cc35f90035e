"""The laws fitted to each line of a series, and what each of its points shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from results.estimates import CONFIDENCE, Estimate
from results.formats import NONE, estimate, number, percent, slug
from results.records.marks import MIXED
from results.records.point import TOTAL, RecordedPoint
from results.records.sweep import STRONG, RecordedSeries
from results.scaling.fits import LACK_OF_FIT, SPARE, Fit
from results.scaling.line import Line, PointLaws, lines
from results.scaling.power import POWER
from results.table import Column, Table, bounded, build, estimated, hidden, numeric, plain, shown
from results.tables import columns, looks

A_PRIORI = "a priori, as the paper assumes"
OF_TOTAL = "measured: convolve over total time, one rank"
OF_HEADLINE = "measured: convolve over {} time, one rank"
NO_HELP = 0.9  # serial fraction from which more ranks did not help


@dataclass(frozen=True)
class ParameterRow:
    """One parameter of a law fitted to a line, or why the law is not fitted."""

    line: Line
    law: str
    parameter: str
    value: Estimate | float | None
    fit: Fit | None
    remark: str


def tables(series: RecordedSeries) -> list[Table]:
    """Parameters, then points; empty if the series has no line with several rank counts."""
    found = lines(series)
    if not any(line.fitted for line in found):
        return []
    return [_parameters(series, found), _points(series, found)]


def _parameters(series: RecordedSeries, found: list[Line]) -> Table:
    clock = series.experiment.headline_phrase
    rows = [row for line in found for row in _rows(line)]
    parameters: list[Column[ParameterRow]] = [
        *columns.parts([line.variant for line in found], lambda row: row.line.variant),
        plain("Law", "law", lambda row: row.law),
        plain("Parameter", "parameter", lambda row: row.parameter),
        Column("Value", _show, lambda row: bounded("value", "", _estimate(row))),
        plain("Rank counts", "rank_counts", lambda row: len({point.run.ranks for point in row.line.fitted})),
        shown("Noise (%)", "noise", _noise, percent),
        numeric("Lack of fit, p", "lack_of_fit", _lack, 2),
        plain("Remark", "remark", lambda row: row.remark),
        hidden("run_ids", lambda row: " ".join(row.line.run_ids)),
    ]
    notes = [
        f"Fitted to all launches' medians of {clock}, in log time; intervals at {CONFIDENCE:.0%}. No law is "
        f"fitted to fewer distinct rank counts than its parameters (its one-rank time is one) plus {SPARE}.",
        *looks.notes(series.points),
        "Points that are oversubscribed, share cores, are suspect, or whose launches ran on cores of different speed, "
        "are left out.",
        *_mixed(found),
        f"Lack of fit: probability of points this far off the law, had they followed it; below {LACK_OF_FIT} they do "
        f"not, and its parameters describe nothing. The remark says which departure the test finds in {POWER:.0%} of "
        "cases: a smaller one may be there.",
        *_measured_p(series),
        "USL: Universal Scalability Law; ranks at peak is where throughput is highest. A serial fraction below zero "
        "means a speedup above the rank count.",
    ]
    title = f"Laws: {series.name}"
    return build(title, parameters, rows, name=slug("laws", series.name), notes=notes)


def _measured_p(series: RecordedSeries) -> list[str]:
    experiment = series.experiment
    if experiment.parallel_fraction is None:
        return []
    return [
        f"p measured by {experiment.headline_phrase} belongs to speedups, which rest on that time; by total time it "
        "counts load and save as serial."
    ]


def _mixed(found: list[Line]) -> list[str]:
    counts = sorted({point.run.ranks for line in found for point in line.fitted if MIXED in point.marks})
    if not counts:
        return []
    return [
        f"Mixed processors: the ranks of the points at {', '.join(map(str, counts))} ranks ran on several models, so "
        "that the parameters describe the mix as well as the program."
    ]


def _rows(line: Line) -> Iterator[ParameterRow]:
    assumed = line.experiment.parallel_fraction
    if line.scaling == STRONG and assumed is not None:
        yield ParameterRow(line, A_PRIORI, "p", assumed, None, "")
        word = line.experiment.headline_word
        for law, clock in ((OF_HEADLINE.format(word), line.points[0].headline), (OF_TOTAL, TOTAL)):
            fraction = line.parallel_fraction(clock)
            remark = "no one-rank point counts"
            if fraction:
                remark = f"speedup limit {number(1.0 / (1.0 - fraction.value), 3)}" if fraction.value < 1.0 else ""
            yield ParameterRow(line, law, "p", fraction, None, remark)
    for name, why_not in line.why_not.items():
        yield ParameterRow(line, name, NONE, None, None, f"not fitted: {why_not}")
    for name, fit in line.laws.items():
        told = _remark(fit)
        for parameter, value in fit.parameters.items():
            yield ParameterRow(line, name, parameter, value, fit, told)
        yield ParameterRow(line, name, "one-rank time (s)", fit.one_rank_s, fit, told)


def _remark(fit: Fit) -> str:
    """What the test of the law says; a law that is not refuted is not proved."""
    told = {
        True: f"no departure found (one of {_seen(fit)} would be)",
        False: "the points do not follow the law",
        None: "",
    }
    serial = fit.parameters.get("serial fraction")
    if fit.holds is not False and serial is not None and serial.value >= NO_HELP:
        return "; ".join(filter(None, ["more ranks did not help", told[fit.holds]]))
    return told[fit.holds]


def _seen(fit: Fit) -> str:
    return NONE if fit.departure is None else f"{100 * fit.departure:.0f} %"


def _estimate(row: ParameterRow) -> Estimate | None:
    return row.value if isinstance(row.value, Estimate) else None


def _show(row: ParameterRow) -> str:
    return number(row.value, 3) if isinstance(row.value, float) else estimate(row.value, 3)


def _noise(row: ParameterRow) -> float | None:
    return row.fit.noise if row.fit else None


def _lack(row: ParameterRow) -> float | None:
    return row.fit.lack_of_fit if row.fit else None


def _points(series: RecordedSeries, found: list[Line]) -> Table:
    rows = [(line, each) for line in found for each in line.each()]
    names = list(dict.fromkeys(name for line in found for name in line.laws))
    formula = "Karp and Flatt: (1/S - 1/N) / (1 - 1/N)" if series.scaling == STRONG else "Gustafson: (N - S) / (N - 1)"
    shows: list[Column[tuple[Line, PointLaws]]] = [
        *columns.place(series.points, _point),
        estimated("Parallel efficiency", "efficiency", lambda row: row[1].efficiency, digits=3),
        estimated("Serial fraction", "serial_fraction", lambda row: row[1].serial_fraction, digits=3),
        *(_residual(name) for name in names),
        columns.run_ids(_point),
    ]
    notes = [
        f"Serial fraction of the point, {formula}.",
        "Residual: measured over law, less one; empty for points left out of the fit.",
    ]
    name = slug("efficiency", series.name)
    return build(f"Efficiency and residuals: {series.name}", shows, rows, name=name, notes=notes)


def _point(row: tuple[Line, PointLaws]) -> RecordedPoint:
    return row[1].point


def _residual(law: str) -> Column[tuple[Line, PointLaws]]:
    def value(row: tuple[Line, PointLaws]) -> float | None:
        log_ratio = row[1].residuals.get(law)
        return None if log_ratio is None else math.expm1(log_ratio)

    return shown(f"Residual, {law} (%)", f"residual_{law.lower()}", value, _signed)


def _signed(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:+.1f}"
