"""Prices by machine type, as infra/machines.toml states them, for what results compare."""

from __future__ import annotations

from pathlib import Path

from infra import machines
from infra.machines import Rate
from results.records.price import PerHour, PriceList


def price_list(root: Path) -> PriceList:
    """Of the machines alone, without disks, addresses and traffic, in the one region that the file has prices of."""
    catalogue = machines.read(root / "infra" / "machines.toml")
    rates = [machine.on_demand for machine in catalogue.machines.values() if machine.on_demand is not None]
    basis = f"infra/machines.toml, machines alone in {catalogue.region}"
    if rates:
        basis += f": {rates[0].source} ({rates[0].date})"
    found = {
        name: PerHour(_amount(machine.on_demand), _amount(machine.spot)) for name, machine in catalogue.machines.items()
    }
    return PriceList(catalogue.currency, basis, found)


def _amount(rate: Rate | None) -> float | None:
    return None if rate is None else rate.amount_per_hour
