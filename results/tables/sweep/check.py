"""The check of every point's answers, and the runs that are not ok."""

from __future__ import annotations

from collections.abc import Callable, Collection

from results.formats import NONE, number
from results.records.launch import RecordedLaunch
from results.records.measurement import AnswerCheck
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.table import Column, Table, build, plain, shown
from results.tables import columns

NOT_FINITE = 1e308  # an infinite error is stored as the largest float


def outcomes(sweep: RecordedSweep) -> Table:
    """The check of every point: what it covered, the worst error, and the smallest error it would have caught."""
    found: list[Column[RecordedPoint]] = [
        plain("Series", "series", lambda point: ", ".join(sorted(point.series))),
        *columns.place(sweep.points, columns.itself),
        _sum("Repeats checked", "repeats_checked", lambda check: check.repeats_checked),
        _sum("Rows checked", "rows_checked", lambda check: check.rows_checked),
        _worst("Worst error / tolerance", "worst_error_over_tolerance", lambda check: check.worst_error_over_tolerance),
        _worst("Smallest error caught", "detectable_abs_error", lambda check: check.detectable_abs_error),
        _worst("Worst spot error", "spot_max_abs_error", lambda check: check.spot_max_abs_error),
        plain("Outcome", "outcome", lambda point: point.outcome),
        columns.run_ids(columns.itself),
    ]
    notes = [
        "Every row of every output image and channel is compared with its weighted sum in float64 after every repeat. "
        "Smallest error caught: an error in one element that is larger fails the check, in the least sensitive row. "
        "Worst over launches; errors are absolute, in units of the output."
    ]
    return build("Check of the answers", found, sweep.points, name="check", notes=notes)


def failed(sweep: RecordedSweep) -> Table:
    """Every run that is not ok, in the order of the sweep."""
    found: list[Column[RecordedLaunch]] = [
        plain("Run", "run_ids", lambda launch: launch.run_id),
        plain("Series", "series", lambda launch: ", ".join(launch.series)),
        *columns.place(sweep.points, lambda launch: RecordedPoint((launch,))),
        plain("Launch", "launch", lambda launch: launch.run.launch),
        plain("Outcome", "outcome", lambda launch: launch.outcome),
        plain("Reason", "reason", lambda launch: launch.reason),
    ]
    return build("Runs that are not ok", found, not_ok(sweep), name="failed")


def not_ok(sweep: RecordedSweep) -> list[RecordedLaunch]:
    return [launch for launch in sweep.launches if not launch.ok]


def checks(point: RecordedPoint) -> list[AnswerCheck]:
    return [launch.check for launch in point.launches if launch.check is not None]


def largest(values: Collection[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _sum(header: str, key: str, value: Callable[[AnswerCheck], int]) -> Column[RecordedPoint]:
    return plain(header, key, lambda point: sum(value(check) for check in checks(point)))


def _worst(header: str, key: str, value: Callable[[AnswerCheck], float | None]) -> Column[RecordedPoint]:
    def worst(point: RecordedPoint) -> float | None:
        return largest([value(check) for check in checks(point)])

    return shown(header, key, worst, _error)


def _error(value: float | None) -> str:
    if value is None:
        return NONE
    return "not finite" if value >= NOT_FINITE else number(value, 3)
