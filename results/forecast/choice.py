"""Which of several clusters to take for the same work, by their forecasts: bids from what is forecast of each.

Pure. Clusters are compared by the total time of one repeat, and by what the nodes that work in it cost meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from results.estimates import INTERVAL, Estimate
from results.forecast import outlook
from results.forecast.bid import Bid, Choice, amount, money
from results.forecast.predict import ForecastRow, Terms
from results.forecast.residuals import LEAST_SWEEPS
from results.formats import plural
from results.records.price import PerHour

TITLE = "Which machines to take"
ABOUT = (
    "A repeat of the same work: its total time, and what the nodes that work in it cost meanwhile, without their "
    "start, disks and traffic. All of it is forecast. Of each cluster stand the fastest way and the cheapest; beaten "
    "is what another way is faster than at no higher price, or cheaper than in no more time, by the values, not their "
    "intervals."
)


@dataclass(frozen=True)
class ClusterForecast:
    """What was forecast of one cluster; `machine_type` is empty where it is not known.

    `spot_share` is the price of a spot machine over that on demand, None where nobody has stated both.
    """

    cluster: str
    machine_type: str
    rows: Sequence[ForecastRow]
    terms: Terms
    spot_share: float | None = None


def choice(found: Sequence[ClusterForecast]) -> Choice:
    """Of each cluster the fastest way to do the work and the cheapest, once where they are the same, fastest first."""
    chosen: list[Bid] = []
    stopped = []
    for cluster in found:
        possible = [_bid(cluster, row) for row in cluster.rows if outlook.fits(row, cluster.terms)]
        chosen += best(possible)
        if not possible:
            stopped.append(
                f"{cluster.cluster}: the work needs more than {outlook.MEMORY_SHARE:.0%} of a node's memory at every "
                "number of ranks."
            )
    currencies = [each.terms.price.currency for each in found if each.terms.price is not None]
    ordered = sorted(chosen, key=lambda bid: bid.total_s)
    return Choice(
        TITLE, "repeat", ordered, currencies[0] if currencies else "no price", (ABOUT, *_intervals(found)), stopped
    )


def _intervals(found: Sequence[ClusterForecast]) -> Iterator[str]:
    """What each cluster's interval rests on, or why it has none."""
    for cluster in found:
        if (band := cluster.terms.band) is not None:
            yield (
                f"Interval of {cluster.cluster}: 95%, from how far forecasts of {plural(band.count, 'point')} in "
                f"{plural(band.sweeps, 'sweep')} of it were off in forward time; total time and cost are taken to be "
                "off as far. A forecast lies outside where most of those were off to one side."
            )
    if stated := [cluster.cluster for cluster in found if cluster.terms.stated]:
        yield (
            f"No interval of {', '.join(stated)}: others state the figures, without a spread, and no forecast from "
            "such figures was held against a measurement."
        )
    if new := [cluster.cluster for cluster in found if not cluster.terms.stated and cluster.terms.band is None]:
        yield (
            f"No interval of {', '.join(new)}: it takes {LEAST_SWEEPS} sweeps of a cluster whose forecasts stand "
            "beside measurements."
        )


def program_choice(found: Sequence[Sequence[Bid]], what: str, currency: str | None) -> Choice:
    """The same of a program, from the bids of each cluster; `what` is the run."""
    ordered = sorted((bid for possible in found for bid in best(possible)), key=lambda bid: bid.total_s)
    about = (
        f"A run of {what}: the wall time of its longest rank, by the law that its times in earlier sweeps follow, with "
        "a 95% interval from how far each of those was off the law of the others, and what the nodes that work in it "
        "cost meanwhile, without their start. All of it is forecast; memory is not. Of each cluster stand the fastest "
        "way and the cheapest; beaten goes by the values, not their intervals."
    )
    return Choice(TITLE, "run", ordered, currency or "no price", (about,))


def best(possible: Sequence[Bid]) -> list[Bid]:
    """The fastest and, where any has a price, the cheapest; once where they are the same."""
    if not possible:
        return []
    found = [min(possible, key=lambda bid: bid.total_s)]
    if any(amount(bid) is not None for bid in possible):
        found.append(min(possible, key=money))
    return list(dict.fromkeys(found))


def _bid(of: ClusterForecast, row: ForecastRow) -> Bid:
    case, nodes, price = row.asked.case, row.asked.nodes, of.terms.price
    per_hour = None
    if price is not None and of.terms.cluster_nodes > 0:
        per_hour = price.amount_per_hour * nodes / of.terms.cluster_nodes
    time = None
    if row.interval_s is not None:
        low, high = (row.found.total_s * bound / row.found.forward_s for bound in row.interval_s)
        time = Estimate(row.found.total_s, low, high, INTERVAL, 0)
    return Bid(
        of.cluster, of.cluster, of.machine_type, nodes, case.ranks, case.variant.phrase, row.found.total_s, row.basis,
        PerHour(per_hour, None if per_hour is None or of.spot_share is None else per_hour * of.spot_share),
        time,
    )  # fmt: skip
