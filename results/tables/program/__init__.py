"""Tables that only a person's own program has: what each rank took, its metrics, and what says that it is right."""

from __future__ import annotations

from dataclasses import replace

from results.records.program import RecordedProgram
from results.records.sweep import RecordedSeries, RecordedSweep
from results.table import Table
from results.tables.program import check, ranks
from results.tables.series import profile

TESTED = "The reading of mpiP's report was tested on one made by hand after the form of mpiP 3.5, never on a real one."
NO_PROFILE = (
    "MPI time needs a program that is linked with mpiP (-lmpiP, before the MPI library): its report is found in the "
    "run's folder and read. Without it, time inside MPI cannot be told from the program's own: MPI waits by working. "
    f"{TESTED}"
)


def is_program(found: RecordedSeries | RecordedSweep) -> bool:
    """Whether the runs are a person's own program."""
    return isinstance(found.experiment, RecordedProgram)


def tables_of_series(series: RecordedSeries) -> list[Table]:
    """What follows the scaling table and the laws."""
    profiled = any(launch.mpi_calls or _profiled(launch) for point in series.points for launch in point.launches)
    found = [ranks.metrics(series), ranks.table(series), profile.imbalance(series)]
    if not profiled:
        return found
    shown = profile.mpi(series)
    return [*found, replace(shown, notes=(*shown.notes, TESTED)), profile.calls(series)]


def check_table(sweep: RecordedSweep) -> Table:
    """The conditions of success, and how often they held."""
    return check.table(sweep, NO_PROFILE)


def _profiled(launch: object) -> bool:
    return bool(getattr(launch, "measured", {}).get("mpi_times"))
