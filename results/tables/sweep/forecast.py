"""The forecasts of a study's runs as a table; the notes say what follows from them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from results.forecast import outlook
from results.forecast.convolution.model import PHASES
from results.forecast.convolution.probe import SHAPE_NOTE
from results.forecast.predict import ForecastRow, Terms
from results.forecast.residuals import LEAST_SWEEPS
from results.formats import NONE, mib, number, plural, signed_percent
from results.table import Column, Table, build, hidden, numeric, plain, shown
from results.tables import columns


def table(rows: Sequence[ForecastRow], terms: Terms) -> Table:
    """One row per forecast."""
    currency = terms.price.currency if terms.price else ""
    beside = terms.sweep is not None
    found: list[Column[ForecastRow]] = [
        plain("Series", "series", lambda row: row.asked.series),
        plain("Ranks", "ranks", lambda row: row.asked.case.ranks),
        _where(plain("Nodes", "nodes", lambda row: row.asked.nodes), any(row.asked.nodes > 1 for row in rows)),
        plain("Batch", "batch", lambda row: row.asked.case.problem.batch),
        *columns.parts([row.asked.case.variant for row in rows], lambda row: row.asked.case.variant, detailed=True),
        *(_seconds(phase) for phase in PHASES),
        numeric("Forward (s)", "forward_s", lambda row: row.found.forward_s, 3),
        _where(Column("Interval (s)", _interval, _bounds), terms.band is not None),
        numeric("Total (s)", "total_s", lambda row: row.found.total_s, 3),
        shown("Root's peak (MiB)", "root_peak_bytes", lambda row: row.found.peak_bytes[0], mib),
        shown("Others' peak (MiB)", "other_peak_bytes", _others_bytes, mib),
        shown("Moved (MiB)", "moved_bytes", lambda row: row.found.moved_bytes, mib),
        _where(numeric(f"A repeat ({currency})", "price", lambda row: row.price, 3), terms.price is not None),
        _where(numeric("Measured forward (s)", "measured_s", lambda row: row.measured_s, 3), beside),
        _where(shown("Error (%)", "error", lambda row: row.error, signed_percent), beside),
        plain("Fits", "fits", lambda row: "yes" if outlook.fits(row, terms) else "no"),
        _where(plain("Basis", "basis", lambda row: row.basis), len({row.basis for row in rows}) > 1),
        hidden("run_ids", lambda row: " ".join(row.measured.run_ids) if row.measured else ""),
    ]
    return build(
        "Forecast",
        found,
        rows,
        name="forecast",
        notes=[*_notes(rows, terms), *outlook.sentences(rows, terms), *outlook.study_cost(rows, terms)],
    )


def _notes(rows: Sequence[ForecastRow], terms: Terms) -> list[str]:
    if terms.stated:
        basis = f"From stated figures of cluster {terms.probe.cluster}, which nobody has measured,"
    else:
        probed = plural(terms.probed_ranks, "rank")
        basis = f"From the probe of cluster {terms.probe.cluster}, {probed}, {terms.probe.measured_utc[:19]},"
    notes = [f"{basis} and the sizes alone. {SHAPE_NOTE}"]
    if terms.probe.spread:
        notes.append(f"The probe's own rounds spread by {terms.probe.spread:.0%}: no forecast can be much closer.")
    if terms.band is not None:
        notes.append(
            f"Interval: 95%, from how far forecasts of {plural(terms.band.count, 'point')} in "
            f"{plural(terms.band.sweeps, 'sweep')} of this cluster were off; it widens with the distance from the rank "
            "counts of those."
        )
    elif not terms.stated:
        notes.append(
            f"No interval: it takes {LEAST_SWEEPS} sweeps of this cluster whose forecasts stand beside measurements."
        )
    return [*notes, *error_notes([row.error for row in rows])]


def error_notes(errors: Sequence[float | None]) -> list[str]:
    """How far forecasts were off, in a sentence; none where nothing was measured beside them."""
    found = [abs(error) for error in errors if error is not None]
    if not found:
        return []
    beside = plural(len(found), "measured point")
    return [f"Beside {beside}: median error {statistics.median(found):.0%}, worst {max(found):.0%}."]


def _where(column: Column[ForecastRow], says_something: bool) -> Column[ForecastRow]:
    """The column, or for the CSV alone if it would be empty or the same in every row."""
    return column if says_something else replace(column, header="")


def _seconds(phase: str) -> Column[ForecastRow]:
    return numeric(
        f"{phase.capitalize()} (s)",
        f"{phase}_s",
        lambda row: row.found.phases_s[phase],
        3,
    )


def _others_bytes(row: ForecastRow) -> int | None:
    """The largest peak of the ranks besides the root; None if there is one rank."""
    return max(row.found.peak_bytes[1:], default=None)


def _interval(row: ForecastRow) -> str:
    return NONE if row.interval_s is None else f"[{number(row.interval_s[0], 3)}, {number(row.interval_s[1], 3)}]"


def _bounds(row: ForecastRow) -> dict[str, object]:
    low, high = row.interval_s or (None, None)
    return {"forward_low_s": low, "forward_high_s": high}
