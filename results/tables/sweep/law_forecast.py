"""What the law of earlier sweeps foretells, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.forecast.law import LawRow
from results.formats import NONE, number, plural, signed_percent
from results.table import Column, Table, build, estimated, hidden, numeric, plain, shown
from results.tables import columns
from results.tables.sweep.forecast import error_notes


def table(rows: Sequence[LawRow], event: Mapping[str, Any]) -> Table:
    """One row a forecast; `event` has the values of the ledger's event. There is at least one row."""
    experiment = rows[0].experiment
    key, unit = experiment.headline_key
    several = len({row.basis for row in rows}) > 1
    beside = any(row.measured for row in rows)
    found: list[Column[LawRow]] = [
        plain("Series", "series", lambda row: row.series),
        plain("Ranks", "ranks", lambda row: row.run.ranks),
        plain(experiment.size_key.capitalize(), experiment.size_key, lambda row: row.experiment.size_cell(row.run)),
        *columns.parts([experiment.variant(row.run) for row in rows], lambda row: row.experiment.variant(row.run)),
        numeric(experiment.headline_header, f"{key}{unit}", lambda row: row.value, 3),
        Column("Interval", _interval, lambda row: _bounds(row, key, unit)),
        plain("Law", "law", lambda row: row.entry["law"]),
        *([plain("Basis", "basis", lambda row: row.basis)] if several else []),
        *([estimated("Measured", "measured", lambda row: row.measured_value, unit=unit)] if beside else []),
        *([shown("Error (%)", "error", lambda row: row.error, signed_percent)] if beside else []),
        hidden("run_ids", lambda row: " ".join(row.measured.run_ids) if row.measured else ""),
    ]
    return build("Forecast", found, rows, name="forecast", notes=_notes(rows, event))


def _notes(rows: Sequence[LawRow], event: Mapping[str, Any]) -> list[str]:
    earlier = event["earlier"]
    notes = [f"From the law that fits {plural(len(earlier), 'earlier sweep')} best: {', '.join(earlier)}."]
    if any(row.interval for row in rows):
        notes.append("Interval: 95%, from how far each of those sweeps was off the law of the others.")
    else:
        notes.append("No interval: the other sweeps' law could not be fitted without each of them.")
    return [*notes, *error_notes([row.error for row in rows])]


def _interval(row: LawRow) -> str:
    return NONE if row.interval is None else f"[{number(row.interval[0], 3)}, {number(row.interval[1], 3)}]"


def _bounds(row: LawRow, key: str, unit: str) -> dict[str, object]:
    low, high = row.interval or (None, None)
    return {f"{key}_low{unit}": low, f"{key}_high{unit}": high}
