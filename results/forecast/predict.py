"""Forecasts a study's runs from a probe, and compares them with a measured sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.forecast.convolution.model import Forecast, ForecastCase, cost, forecast
from results.forecast.convolution.probe import ForecastError, Probe
from results.forecast.residuals import Band
from results.records.point import RecordedPoint
from results.records.price import HourlyPrice
from results.records.sweep import RecordedSweep

FAR_WORDS, STATED = "far beyond the probe", "stated figures"
FAR, TOO_FAR = 2, 8  # times the probed ranks, beyond which a forecast is marked, or must be asked for


@dataclass(frozen=True)
class Asked:
    """A point to forecast: its series, the case, the number of nodes, and how often it would be repeated."""

    series: str
    case: ForecastCase
    nodes: int
    repeats: int = 1  # of all launches, warm-ups included


@dataclass(frozen=True)
class ForecastRow:
    """One forecast, the price of a repeat (None if unknown), and the measured point, if there is one."""

    asked: Asked
    found: Forecast
    price: float | None
    basis: str
    measured: RecordedPoint | None
    interval_s: tuple[float, float] | None = None  # of the forward time

    @property
    def node_bytes(self) -> int:
        """Peak bytes of all ranks of a node, of the node that holds most."""
        peaks, per_node = self.found.peak_bytes, self.asked.case.ranks_per_node
        return max(sum(peaks[first : first + per_node]) for first in range(0, len(peaks), per_node))

    @property
    def measured_s(self) -> float | None:
        time = self.measured.time() if self.measured else None
        return time.value if time else None

    @property
    def error(self) -> float | None:
        """Forecast over measured forward time, minus one."""
        return None if self.measured_s is None else self.found.forward_s / self.measured_s - 1.0


@dataclass(frozen=True)
class Terms:
    """What forecasts are made from: the probe, its ranks, the cluster's price, and a sweep to compare with."""

    probe: Probe
    probed_ranks: int
    price: HourlyPrice | None
    cluster_nodes: int
    extrapolate: bool = False
    sweep: RecordedSweep | None = None
    band: Band | None = None  # how far earlier forecasts of this cluster were off
    stated: bool = False  # the probe's figures are stated, not measured
    node_memory_bytes: int | None = None  # of the node with the least memory


def rows(asked: Sequence[Asked], terms: Terms) -> list[ForecastRow]:
    """Forecasts these points. Raises ForecastError if the probe does not allow it."""
    return [_row(each, terms) for each in asked]


def _row(asked: Asked, terms: Terms) -> ForecastRow:
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
    return ForecastRow(asked, found, price, _basis(ranks, terms), _measured(asked.case, terms.sweep), interval)


def _basis(ranks: int, terms: Terms) -> str:
    if terms.stated:
        return STATED
    if ranks <= terms.probed_ranks:
        return "probed"
    return FAR_WORDS if ranks > FAR * terms.probed_ranks else "beyond the probe"


def _measured(case: ForecastCase, sweep: RecordedSweep | None) -> RecordedPoint | None:
    points = sweep.points if sweep else ()
    return next((point for point in points if point.counting and case.is_case_of(point.convolution)), None)
