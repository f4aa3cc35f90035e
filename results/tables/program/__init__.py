"""Tables that only a person's own program has: what each rank took, its metrics, and what says that it is right."""

from __future__ import annotations

from results.records.program import RecordedProgram
from results.records.sweep import RecordedSeries, RecordedSweep
from results.table import Table
from results.tables.program import check, ranks
from results.tables.series import profile

NO_PROFILE = (
    "MPI time needs a program that is linked with mpiP (-lmpiP, before the MPI library): its report is found in the "
    "run's folder and read. Without it, time inside MPI cannot be told from the program's own: MPI waits by working."
)


def is_program(found: RecordedSeries | RecordedSweep) -> bool:
    """Whether the runs are a person's own program."""
    return isinstance(found.experiment, RecordedProgram)


def tables_of_series(series: RecordedSeries) -> list[Table]:
    """What follows the scaling table and the laws."""
    profiled = any(launch.mpi_calls or _profiled(launch) for point in series.points for launch in point.launches)
    found = [ranks.metrics(series), ranks.table(series), profile.imbalance(series)]
    return [*found, profile.mpi(series), profile.calls(series)] if profiled else found


def check_table(sweep: RecordedSweep) -> Table:
    """The conditions of success, and how often they held."""
    return check.table(sweep, NO_PROFILE)


def _profiled(launch: object) -> bool:
    return bool(getattr(launch, "measured", {}).get("mpi_times"))
