import dataclasses
from pathlib import Path

import machines
import price
import pytest

from tests.infra.test_profiles import OWN_PRICES, profile

CATALOGUE = machines.read(Path(__file__).parents[2] / "infra" / "machines.toml")
LIGHT = {"machine_type": "e2-medium", "nodes": 8, "slots": 1}


def items(found):
    return {item["item"]: item for item in price.document(found, CATALOGUE)["items"]}


def test_the_total_is_the_sum_of_what_is_billed():
    found = price.document(profile(**LIGHT, lifetime="90m"), CATALOGUE)
    assert {item["item"]: item["count"] for item in found["items"]} == {
        "e2-medium, on demand": 8,
        "disk, pd-balanced": 160,
        "external address": 2,
        "NAT": 7,
    }
    assert found["amount_per_hour"] == pytest.approx(sum(item["amount_per_hour"] for item in found["items"]), abs=1e-5)
    assert found["amount_per_hour"] == pytest.approx(8 * 0.03350571 + 160 * 0.1 / 730 + 0.01 + 7 * 0.0014, abs=1e-5)
    assert found["amount_for_lifetime"] == pytest.approx(1.5 * found["amount_per_hour"], abs=1e-5)


def test_one_node_that_is_reached_directly_pays_no_nat():
    assert "NAT" not in items(profile())
    assert items(profile(ssh_from="iap"))["NAT"]["count"] == 1
    assert items(profile(ssh_from="iap"))["external address"]["count"] == 1  # NAT's own
    assert items(profile(ssh_from="2600:1900::/64"))["external address"]["count"] == 1


def test_nat_has_a_flat_rate_for_many_nodes():
    assert items(profile(**LIGHT | {"nodes": 100}))["NAT"]["amount_per_hour"] == CATALOGUE.nat.most_per_hour


def test_spot_is_said_and_cheaper():
    spot, plain = items(profile(spot=True)), items(profile())
    assert spot["n2-highcpu-16, spot"]["amount_per_hour"] < plain["n2-highcpu-16, on demand"]["amount_per_hour"]


@pytest.mark.parametrize(("disk", "metric"), [("pd-standard", "DISKS_TOTAL_GB"), ("pd-ssd", "SSD_TOTAL_GB")])
def test_quota_counts_what_google_counts(disk, metric):
    found = {need["metric"]: need["needed"] for need in price.quota(profile(disk_type=disk, nodes=2, disk_gib=30))}
    assert found[metric] == 60
    assert (found["N2_CPUS"], found["CPUS_ALL_REGIONS"], found["INSTANCES"]) == (32, 32, 2)
    # rank 0's own, and NAT's, which is static as well
    assert (found["IN_USE_ADDRESSES"], found["STATIC_ADDRESSES"], found["INTERNAL_ADDRESSES"]) == (2, 1, 2)


def test_a_series_without_a_quota_of_its_own_counts_in_its_familys():
    found = {
        need["metric"]: need["needed"]
        for need in price.quota(profile(machine_type="h4d-standard-192", nodes=2, prices=OWN_PRICES))
    }
    assert (found["CPUS_PER_VM_FAMILY"], found["CPUS_ALL_REGIONS"], found["HDB_TOTAL_GB"]) == (384, 384, 40)


def test_a_placement_policy_counts():
    needs = [{need["metric"] for need in price.quota(profile(nodes=2, placement=word))} for word in ("any", "compact")]
    assert needs[1] - needs[0] == {"RESOURCE_POLICIES"}


def test_spot_machines_count_as_preemptible_or_as_all_others():
    assert "PREEMPTIBLE_CPUS" not in {need["metric"] for need in price.quota(profile())}
    (spot,) = [need for need in price.quota(profile(spot=True)) if "instead_of" in need]
    assert spot == {"metric": "PREEMPTIBLE_CPUS", "needed": 16, "instead_of": "N2_CPUS"}


def test_gpus_have_quotas_of_their_own():
    assert not [need for need in price.quota(profile()) if "GPUS" in need["metric"]]
    found = {need["metric"]: need["needed"] for need in price.quota(profile(machine_type="g2-standard-24", nodes=2))}
    assert (found["NVIDIA_L4_GPUS"], found["GPUS_ALL_REGIONS"], found["CPUS_PER_VM_FAMILY"]) == (4, 4, 48)
    spot = [need for need in price.quota(profile(machine_type="a2-highgpu-1g", spot=True)) if "instead_of" in need]
    assert {need["metric"]: (need["needed"], need["instead_of"]) for need in spot} == {
        "PREEMPTIBLE_CPUS": (12, "A2_CPUS"),
        "PREEMPTIBLE_NVIDIA_A100_GPUS": (1, "NVIDIA_A100_GPUS"),
    }


def test_a_machines_price_is_with_its_gpu():
    found = items(profile(machine_type="g2-standard-4"))
    assert set(found) == {"g2-standard-4, on demand", "disk, pd-balanced", "external address"}
    assert found["g2-standard-4, on demand"]["amount_per_hour"] == pytest.approx(0.706832)


def test_without_external_addresses_none_is_asked_for():
    found = {need["metric"]: need["needed"] for need in price.quota(profile(ssh_from="iap"))}
    assert found["IN_USE_ADDRESSES"] == found["STATIC_ADDRESSES"] == 1  # NAT's alone


def test_an_item_without_a_ceiling_grows_with_its_count():
    rate = dataclasses.replace(CATALOGUE.nat, most_per_hour=None)
    assert price.Item("NAT", 100, rate).amount_per_hour == pytest.approx(0.14)
