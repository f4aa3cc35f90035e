"""What says that a program's runs are right: its conditions of success, point by point."""

from __future__ import annotations

from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep
from results.table import Column, Table, build, plain
from results.tables import columns
from workload.record.outcomes import OK


def table(sweep: RecordedSweep, profile_note: str) -> Table:
    """A row per point: the conditions, how many launches met them, and what was wrong otherwise."""
    found: list[Column[RecordedPoint]] = [
        plain("Series", "series", lambda point: ", ".join(sorted(point.series))),
        *columns.place(sweep.points, columns.itself),
        plain("Conditions", "conditions", _conditions),
        plain("Launches that met them", "launches_ok", lambda point: sum(one.outcome == OK for one in point.launches)),
        plain("Of", "launches", lambda point: len(point.launches)),
        plain("Wrong", "wrong", _wrong),
        columns.run_ids(columns.itself),
    ]
    notes = [] if any(_conditions(point) != NOTHING for point in sweep.points) else [
        "Nothing but its exit status says that the program did its work: [program.success] of a study takes a pattern "
        "and conditions, as require = [\"iterations == 100\", \"residual < 1e-6\"]."
    ]  # fmt: skip
    if not any(launch.measured.get("mpi_times") for launch in sweep.launches):
        notes.append(profile_note)
    return build("Check of the answers", found, sweep.points, name="check", notes=notes)


NOTHING = "exit status"


def _conditions(point: RecordedPoint) -> str:
    return point.experiment.settings(point.run).get("Success") or NOTHING


def _wrong(point: RecordedPoint) -> str:
    return "; ".join(dict.fromkeys(launch.reason for launch in point.launches if launch.outcome != OK))
