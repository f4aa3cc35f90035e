"""The movements and grids of a sweep, side by side."""

from __future__ import annotations

from results.comparison import convolution as movements
from results.comparison.convolution import MovementRow
from results.formats import mib
from results.records.sweep import RecordedSweep
from results.table import Column, Table, build, estimated, numeric, plain, shown
from results.tables import columns


def table(sweep: RecordedSweep) -> list[Table]:
    """One table, or none if there is nothing to compare."""
    if not movements.worth_showing(sweep.points):
        return []
    found: list[Column[MovementRow]] = [
        columns.ranks(),
        *columns.sizes(sweep.points),
        plain("Grid", "grid", lambda row: row.grid),
        plain("Movement", "movement", lambda row: row.movement),
        plain("Backend", "backend", lambda row: row.point.convolution.backend),
        estimated("Total time (s)", "total", lambda row: row.point.time("total_s"), unit="_s"),
        numeric("Images/s", "images_per_s", lambda row: row.images_per_s),
        shown("Root peak (MiB)", "root_peak_bytes", lambda row: row.root_peak_bytes, mib),
        shown("Moved (MiB)", "moved_bytes", lambda row: row.moved_bytes, mib),
        shown(
            "Predicted moved (MiB)",
            "predicted_moved_bytes",
            lambda row: row.predicted_moved_bytes,
            mib,
        ),
        numeric("Imbalance", "convolve_imbalance", lambda row: row.imbalance),
        numeric("Ideal", "ideal_imbalance", lambda row: row.ideal_imbalance),
        plain("Outcome", "outcome", lambda row: row.point.outcome),
        columns.run_ids(),
    ]
    notes = [
        "Total time and images/s by it: movements that stream have no other clock, so these stand side by side.",
        "Moved: bytes that cross between ranks in one repeat, as the calls were measured, and as predicted.",
        "Imbalance: longest convolve over the mean of the ranks; ideal: the same of the blocks' multiplications, "
        "which no code can avoid with that grid.",
    ]
    rows = movements.rows(sweep.points)
    return [build("Movements and grids side by side", found, rows, name="movements", notes=notes)]
