"""What the check proved of every point, and the runs that are not ok."""

from __future__ import annotations

from collections.abc import Callable, Collection

from results.formats import NONE, number
from results.records.launch import AnswerCheck, Launch
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.table import Column, Table, build, hidden, plain, shown

NOT_FINITE = 1e308  # an error that was not finite is stored as the largest float


def outcomes(sweep: RecordedSweep) -> Table:
    """The check of every point: what it covered, the worst it saw and the least it would have seen."""
    columns: list[Column[RecordedPoint]] = [
        plain("Series", "series", lambda point: ", ".join(sorted(point.series))),
        plain("Ranks", "ranks", lambda point: point.run.ranks),
        plain("Batch", "batch", lambda point: point.run.problem.batch),
        plain("Movement", "movement", lambda point: point.run.movement),
        plain("Backend", "backend", lambda point: point.run.backend),
        _sum("Repeats checked", "repeats_checked", lambda check: check.repeats_checked),
        _sum("Rows checked", "rows_checked", lambda check: check.rows_checked),
        _worst("Worst error / tolerance", "worst_error_over_tolerance", lambda check: check.worst_error_over_tolerance),
        _worst("Smallest error caught", "detectable_abs_error", lambda check: check.detectable_abs_error),
        _worst("Worst spot error", "spot_max_abs_error", lambda check: check.spot_max_abs_error),
        plain("Outcome", "outcome", lambda point: point.outcome),
        hidden("run_ids", lambda point: " ".join(point.run_ids)),
    ]
    notes = [
        "Every row of every output image and channel is compared with its weighted sum in float64 after every repeat. "
        "Smallest error caught: an error in one element that is larger fails the check, in the least sensitive row. "
        "Worst over launches; errors are absolute, in units of the output."
    ]
    return build("Check of the answers", columns, sweep.points, name="check", notes=notes)


def failed(sweep: RecordedSweep) -> Table:
    """Every run that is not ok, in the order of the sweep."""
    columns: list[Column[Launch]] = [
        plain("Run", "run_ids", lambda launch: launch.run_id),
        plain("Series", "series", lambda launch: ", ".join(launch.series)),
        plain("Ranks", "ranks", lambda launch: launch.run.ranks),
        plain("Batch", "batch", lambda launch: launch.run.problem.batch),
        plain("Movement", "movement", lambda launch: launch.run.movement),
        plain("Backend", "backend", lambda launch: launch.run.backend),
        plain("Launch", "launch", lambda launch: launch.run.launch),
        plain("Outcome", "outcome", lambda launch: launch.outcome),
        plain("Reason", "reason", lambda launch: launch.reason),
    ]
    return build("Runs that are not ok", columns, not_ok(sweep), name="failed")


def not_ok(sweep: RecordedSweep) -> list[Launch]:
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

    return shown(header, key, worst, lambda point: _error(worst(point)))


def _error(value: float | None) -> str:
    if value is None:
        return NONE
    return "not finite" if value >= NOT_FINITE else number(value, 3)
