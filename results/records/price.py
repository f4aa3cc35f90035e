"""What a cluster costs by the hour, as a sweep's inventory says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from results.records.sweep import RecordedSweep


@dataclass(frozen=True)
class HourlyPrice:
    """The price of a whole cluster for an hour."""

    amount_per_hour: float
    currency: str


def price_of(sweep: RecordedSweep) -> HourlyPrice | None:
    """The price in a sweep's inventory; None if it has none."""
    price = sweep.inventory.get("price")
    if not isinstance(price, Mapping):
        return None
    amount, currency = price.get("amount_per_hour"), price.get("currency")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not isinstance(currency, str):
        return None
    return HourlyPrice(float(amount), currency)
