"""The forecasts that the ledger had before the runs, beside the measured times."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from results.estimates import Estimate, time_estimate
from results.forecast import accuracy
from results.forecast.accuracy import Foretold
from results.formats import number, plural
from results.records.sweep import RecordedSweep
from results.scaling.disturbance import SLOW_SHARE
from results.table import Column, Table, build, estimated, numeric, plain, shown
from results.tables import columns

OFF = "earlier forecasts of this cluster were off"
OFF_LAW = "each earlier sweep was off the law of the others"


def tables(sweep: RecordedSweep) -> list[Table]:
    """One table, if the ledger has a forecast."""
    rows = accuracy.of_sweep(sweep)
    if not rows:
        return []
    experiment = rows[0].point.experiment
    unit = f" ({experiment.headline_unit.strip()})" if experiment.headline_unit else ""
    end = experiment.headline_key[1]
    found: list[Column[Foretold]] = [
        plain("Series", "series", lambda row: "+".join(sorted(row.point.series))),
        *columns.place([row.point for row in rows], detailed=True),
        numeric(f"Forecast{unit}", f"forecast{end}", lambda row: _told(row, row.forecast_s)),
        Column(f"Interval{unit}", _interval, lambda row: _bounds(row, end)),
        estimated(f"Measured {experiment.headline_phrase}{unit}", "measured", _measured, unit=end),
        shown("Error (%)", "error", lambda row: row.error, lambda value: f"{100 * value:+.0f}"),
        plain("Inside", "inside", lambda row: {None: "—", True: "yes", False: "no"}[row.inside]),
        columns.run_ids(),
    ]
    return [build("Forecast against measured", found, rows, name="foretold", notes=notes(sweep, rows))]


def notes(sweep: RecordedSweep, rows: Sequence[Foretold]) -> list[str]:
    """When the forecast was written, from what, and how accurate it was."""
    event = next(event for event in sweep.events if event.get("event") == accuracy.EVENT)
    lines = [
        f"Written into the ledger at {event.get('utc')}, before the first run, from {_basis(event)}.",
        quality(rows),
        *_by_part(rows),
        *_other_speed(sweep, rows),
    ]
    told = [row.inside for row in rows if row.inside is not None]
    by_law = "earlier" in event
    if told:
        off = OFF_LAW if by_law else OFF
        lines.append(
            f"{sum(told)} of {plural(len(told), 'measured time')} lie in the interval, which rests on how far {off}."
        )
    elif by_law:
        lines.append("No interval: the other sweeps' law could not be fitted without each of them.")
    else:
        lines.append("No interval: no earlier forecasts of this cluster were held against enough measurements.")
    return lines


def _basis(event: Mapping[str, Any]) -> str:
    """What a forecast was made from."""
    if sweeps := event.get("earlier"):
        laws = {str(entry.get("law")) for entry in event["forecasts"].values()}
        return f"{' and '.join(sorted(laws))}'s law of {plural(len(sweeps), 'earlier sweep')}: {', '.join(sweeps)}"
    probe = event.get("probe")
    measured = str(probe.get("measured_utc", "")) if isinstance(probe, dict) else ""
    return f"the probe of {measured} and the sizes alone"


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


def _measured(row: Foretold) -> Estimate | None:
    return row.point.experiment.told(row.point.time(), row.point.work)


def _told(row: Foretold, time_s: float) -> float | None:
    """What tables show of a headline time."""
    found = row.point.experiment.told(time_estimate([time_s]), row.point.work)
    return None if found is None else found.value


def _range(row: Foretold) -> list[float]:
    return sorted(value for time_s in row.interval_s or () if (value := _told(row, time_s)) is not None)


def _interval(row: Foretold) -> str:
    return "—" if row.interval_s is None else f"[{', '.join(map(number, _range(row)))}]"


def _bounds(row: Foretold, end: str) -> dict[str, object]:
    low, high = _range(row) or (None, None)
    return {f"forecast_low{end}": low, f"forecast_high{end}": high}
