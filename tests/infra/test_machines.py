import datetime
import tomllib
from pathlib import Path

import machines
import pytest

FILE = Path(__file__).parents[2] / "infra" / "machines.toml"


def documents(value):
    """Every table that says a price or a limit."""
    if isinstance(value, dict):
        if "source" in value:
            yield value
        for each in value.values():
            yield from documents(each)


def test_every_price_and_limit_has_its_source_and_date():
    document = tomllib.loads(FILE.read_text())
    found = list(documents(document))
    assert len(found) >= 5 + 2 * 8
    for each in found:
        assert each["source"]
        assert datetime.date.fromisoformat(each["date"]) <= datetime.datetime.now(datetime.UTC).date()
        assert each.get("basis", "stated") in ("stated", "derived")
    for machine in document["machines"].values():
        assert all("basis" in limit and limit["value"] > 0 for limit in machine["limits"].values())


def test_both_profiles_machines_are_described():
    found = machines.read(FILE)
    fat, light = found.machines["n2-highcpu-16"], found.machines["e2-medium"]
    assert (fat.vcpus, fat.memory_bytes, fat.cpu_quota) == (16, 16 * 2**30, "N2_CPUS")
    assert (light.vcpus, light.memory_bytes, light.threads_per_core) == (2, 4 * 2**30, ())
    assert fat.spot.amount_per_hour < fat.on_demand.amount_per_hour


def test_a_catalogue_without_prices_is_no_catalogue(tmp_path):
    (tmp_path / "machines.toml").write_text("schema_version = 1")
    with pytest.raises(KeyError):
        machines.read(tmp_path / "machines.toml")
