"""Forecasts of a study's runs from a probe, beside what a sweep measured, as a table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from results import outlook
from results.formats import NONE, mib, number, plural, with_options
from results.model import PHASES, Case, Forecast, ForecastError, cost, forecast
from results.point import Point
from results.probe import Probe
from results.residuals import Band
from results.store import Sweep
from results.table import Column, Table, build, hidden, plain, shown
from results.versus import Price

FAR_WORDS, STATED = "far beyond the probe", "stated figures"
FAR, TOO_FAR = 2, 8  # times the probed ranks: beyond, a forecast is marked; beyond, it has to be asked for


@dataclass(frozen=True)
class Asked:
    """A point to forecast: the series that wants it, the case, on how many nodes it would be, and how often done."""

    series: str
    case: Case
    nodes: int
    repeats: int = 1  # of all its launches, warm-ups among them


@dataclass(frozen=True)
class Row:
    """One forecast, its price a repeat (None where the cluster has none), and the measured point, if there is one."""

    asked: Asked
    found: Forecast
    price: float | None
    basis: str
    measured: Point | None
    interval_s: tuple[float, float] | None = None  # of the forward time

    @property
    def node_bytes(self) -> int:
        """Peak bytes of all ranks of the node that holds most."""
        peaks, per_node = self.found.peak_bytes, self.asked.case.ranks_per_node
        return max(sum(peaks[first : first + per_node]) for first in range(0, len(peaks), per_node))

    @property
    def measured_s(self) -> float | None:
        time = self.measured.time() if self.measured else None
        return time.value if time else None

    @property
    def error(self) -> float | None:
        """Forecast over measured forward time, less one."""
        return None if self.measured_s is None else self.found.forward_s / self.measured_s - 1.0


@dataclass(frozen=True)
class Terms:
    """What forecasts rest on: the probe, its ranks, the price of the cluster's nodes, a sweep to stand beside."""

    probe: Probe
    probed_ranks: int
    price: Price | None
    cluster_nodes: int
    extrapolate: bool = False
    sweep: Sweep | None = None
    band: Band | None = None  # how far earlier forecasts of this cluster were off
    stated: bool = False  # the probe is made of stated figures
    node_memory_bytes: int | None = None  # of the node that has least


def rows(asked: Sequence[Asked], terms: Terms) -> list[Row]:
    """The forecasts of these runs. Raises ForecastError where the probe does not carry them."""
    return [_row(each, terms) for each in asked]


def table(rows: Sequence[Row], terms: Terms) -> Table:
    """The forecasts as a table, with what follows from them."""
    currency = terms.price.currency if terms.price else ""
    beside = terms.sweep is not None
    columns: list[Column[Row]] = [
        plain("Series", "series", lambda row: row.asked.series),
        plain("Ranks", "ranks", lambda row: row.asked.case.ranks),
        _where(plain("Nodes", "nodes", lambda row: row.asked.nodes), any(row.asked.nodes > 1 for row in rows)),
        plain("Batch", "batch", lambda row: row.asked.case.problem.batch),
        plain("Movement", "movement", lambda row: with_options(row.asked.case.movement, row.asked.case.options)),
        plain("Backend", "backend", lambda row: row.asked.case.backend),
        *(_seconds(phase) for phase in PHASES),
        shown("Forward (s)", "forward_s", lambda row: row.found.forward_s, lambda row: number(row.found.forward_s, 3)),
        _where(Column("Interval (s)", _interval, _bounds), terms.band is not None),
        shown("Total (s)", "total_s", lambda row: row.found.total_s, lambda row: number(row.found.total_s, 3)),
        shown("Root's peak (MiB)", "root_peak_bytes", lambda row: row.found.peak_bytes[0], _root),
        shown("Others' peak (MiB)", "other_peak_bytes", _others_bytes, lambda row: mib(_others_bytes(row))),
        shown("Moved (MiB)", "moved_bytes", lambda row: row.found.moved_bytes, lambda row: mib(row.found.moved_bytes)),
        _where(shown(f"A repeat ({currency})", "price", lambda row: row.price, _price), terms.price is not None),
        _where(shown("Measured forward (s)", "measured_s", lambda row: row.measured_s, _measured_text), beside),
        _where(shown("Error (%)", "error", lambda row: row.error, lambda row: _percent(row.error)), beside),
        plain("Fits", "fits", lambda row: "yes" if outlook.fits(row, terms) else "no"),
        _where(plain("Basis", "basis", lambda row: row.basis), len({row.basis for row in rows}) > 1),
        hidden("run_ids", lambda row: " ".join(row.measured.run_ids) if row.measured else ""),
    ]
    return build(
        "Forecast",
        columns,
        rows,
        name="forecast",
        notes=[*_notes(rows, terms), *outlook.sentences(rows, terms), *outlook.study_cost(rows, terms)],
    )


def _row(asked: Asked, terms: Terms) -> Row:
    ranks, probed = asked.case.ranks, terms.probed_ranks
    if ranks > TOO_FAR * probed and not terms.extrapolate:
        raise ForecastError(
            f"{ranks} ranks are more than {TOO_FAR} times the {probed} that were probed: probe a larger cluster, or "
            "give --extrapolate"
        )
    found = forecast(asked.case, terms.probe)
    price = None
    if terms.price is not None and terms.cluster_nodes > 0:
        price = cost(found.total_s, terms.price.amount_per_hour * asked.nodes / terms.cluster_nodes)
    interval = None
    if terms.band is not None:
        low, high = terms.band.at(ranks)
        interval = (found.forward_s * low, found.forward_s * high)
    return Row(asked, found, price, _basis(ranks, terms), _measured(asked.case, terms.sweep), interval)


def _basis(ranks: int, terms: Terms) -> str:
    if terms.stated:
        return STATED
    if ranks <= terms.probed_ranks:
        return "probed"
    return FAR_WORDS if ranks > FAR * terms.probed_ranks else "beyond the probe"


def _measured(case: Case, sweep: Sweep | None) -> Point | None:
    def same(point: Point) -> bool:
        run = point.run
        ran = (run.problem, run.grid, run.movement, run.backend, run.ranks_per_node, dict(run.options))
        per_node = min(case.ranks_per_node, case.ranks)
        asked = (case.problem, case.grid, case.movement, case.backend, per_node, dict(case.options))
        return bool(point.counting) and ran == asked

    return next((point for point in sweep.points if same(point)), None) if sweep else None


def _notes(rows: Sequence[Row], terms: Terms) -> list[str]:
    if terms.stated:
        basis = f"From stated figures of cluster {terms.probe.cluster}, which nobody has measured,"
    else:
        probed = plural(terms.probed_ranks, "rank")
        basis = f"From the probe of cluster {terms.probe.cluster}, {probed}, {terms.probe.measured_utc[:19]},"
    notes = [
        f"{basis} and the sizes alone. Backends are measured with 3 filters of 3 x 3 over 3 channels: those of another "
        "shape may be faster or slower."
    ]
    if terms.probe.spread:
        notes.append(f"The probe's own rounds spread by {terms.probe.spread:.0%}: no forecast can be much closer.")
    if terms.band is not None:
        notes.append(
            f"Interval: 95%, from how far forecasts of {plural(terms.band.count, 'point')} of this cluster were off; "
            "it widens with the distance from the rank counts of those."
        )
    elif not terms.stated:
        notes.append("No interval: too few forecasts of this cluster were held against measurements yet.")
    errors = [abs(row.error) for row in rows if row.error is not None]
    if errors:
        notes.append(
            f"Beside {plural(len(errors), 'measured point')}: median error {statistics.median(errors):.0%}, "
            f"worst {max(errors):.0%}."
        )
    return notes


def _where(column: Column[Row], says_something: bool) -> Column[Row]:
    """The column; in the CSV alone where it would say the same, or nothing, in every row."""
    return column if says_something else replace(column, header="")


def _price(row: Row) -> str:
    return number(row.price, 3)


def _measured_text(row: Row) -> str:
    return number(row.measured_s, 3)


def _seconds(phase: str) -> Column[Row]:
    return shown(
        f"{phase.capitalize()} (s)",
        f"{phase}_s",
        lambda row: row.found.phases_s[phase],
        lambda row: number(row.found.phases_s[phase], 3),
    )


def _others_bytes(row: Row) -> int | None:
    """The largest peak of a rank that is not the root; None of one rank."""
    return max(row.found.peak_bytes[1:], default=None)


def _root(row: Row) -> str:
    return mib(row.found.peak_bytes[0])


def _interval(row: Row) -> str:
    return NONE if row.interval_s is None else f"[{number(row.interval_s[0], 3)}, {number(row.interval_s[1], 3)}]"


def _bounds(row: Row) -> dict[str, object]:
    low, high = row.interval_s or (None, None)
    return {"forward_low_s": low, "forward_high_s": high}


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:+.0f}"
