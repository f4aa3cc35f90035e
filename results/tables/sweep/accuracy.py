"""The forecasts that the ledger had before the runs, beside the measured times."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from results.forecast import accuracy
from results.forecast.accuracy import Foretold
from results.formats import number, plural
from results.records.sweep import RecordedSweep
from results.scaling.disturbance import SLOW_SHARE
from results.table import Column, Table, build, estimated, numeric, plain, shown
from results.tables import columns


def tables(sweep: RecordedSweep) -> list[Table]:
    """One table, if the ledger has a forecast."""
    rows = accuracy.of_sweep(sweep)
    if not rows:
        return []
    found: list[Column[Foretold]] = [
        plain("Series", "series", lambda row: "+".join(sorted(row.point.series))),
        *columns.place([row.point for row in rows], detailed=True),
        numeric("Forecast (s)", "forecast_s", lambda row: row.forecast_s),
        Column("Interval (s)", _interval, _bounds),
        estimated("Measured forward time (s)", "measured", lambda row: row.point.time(), unit="_s"),
        shown("Error (%)", "error", lambda row: row.error, lambda value: f"{100 * value:+.0f}"),
        plain("Inside", "inside", lambda row: {None: "—", True: "yes", False: "no"}[row.inside]),
        columns.run_ids(),
    ]
    return [build("Forecast against measured", found, rows, name="foretold", notes=notes(sweep, rows))]


def notes(sweep: RecordedSweep, rows: Sequence[Foretold]) -> list[str]:
    """When the forecast was written, from what, and how accurate it was."""
    event = next(event for event in sweep.events if event.get("event") == accuracy.EVENT)
    probe = event.get("probe")
    measured = str(probe.get("measured_utc", "")) if isinstance(probe, dict) else ""
    lines = [
        f"Written into the ledger at {event.get('utc')}, before the first run, from the probe of {measured} and the "
        "sizes alone.",
        quality(rows),
        *_by_part(rows),
        *_other_speed(sweep, rows),
    ]
    told = [row.inside for row in rows if row.inside is not None]
    if told:
        lines.append(
            f"{sum(told)} of {plural(len(told), 'measured time')} lie in the interval, which rests on how far earlier "
            "forecasts of this cluster were off."
        )
    else:
        lines.append("No interval: no earlier forecasts of this cluster were held against enough measurements.")
    return lines


def _other_speed(sweep: RecordedSweep, rows: Sequence[Foretold]) -> Iterator[str]:
    """One line for each yardstick by which the cores were faster or slower than when the cluster was probed."""
    for name, probed, found in accuracy.core_speeds(sweep, rows):
        if abs(found / probed - 1.0) > SLOW_SHARE:
            yield (
                f"The cores were of another speed than when probed: of the same small piece of work with {name} "
                f"they did {number(found / 1e9, 3)} GFLOP in a CPU second, in the median of these runs, and "
                f"{number(probed / 1e9, 3)} then. So far as they set the time, and not memory, a forecast is off by as "
                "much; 'fab probe' measures again."
            )


def _by_part(rows: Sequence[Foretold]) -> list[str]:
    """The median error by the first part of the variant, if there are several."""
    key = next(iter(rows[0].point.variant.detailed))
    members: dict[str, list[float]] = {}
    for row in rows:
        members.setdefault(row.point.variant.detailed[key], []).append(abs(row.error))
    told = ", ".join(f"{name} {statistics.median(errors):.0%}" for name, errors in sorted(members.items()))
    return [f"Median error by {key}: {told}."] if len(members) > 1 else []


def quality(rows: Sequence[Foretold]) -> str:
    """The median and the worst error in a sentence."""
    errors = [abs(row.error) for row in rows]
    return (
        f"Forecast of {plural(len(rows), 'point')} against measured: median error {statistics.median(errors):.0%}, "
        f"worst {max(errors):.0%}."
    )


def _interval(row: Foretold) -> str:
    return "—" if row.interval_s is None else f"[{number(row.interval_s[0])}, {number(row.interval_s[1])}]"


def _bounds(row: Foretold) -> dict[str, object]:
    low, high = row.interval_s or (None, None)
    return {"forecast_low_s": low, "forecast_high_s": high}
