import datetime
import itertools
import tomllib
from pathlib import Path

import machines
import numpy
import pytest

FILE = Path(__file__).parents[2] / "infra" / "machines.toml"
DOCUMENT = tomllib.loads(FILE.read_text())
FAMILIES = DOCUMENT["families"]
TYPES = machines.read(FILE).machines
SHARED = "e2-medium"
PROFILES = ("n2-highcpu-16", SHARED, "g2-standard-4")
WITH_GPUS = ("a2", "g2")
PRICED = [family for family in FAMILIES if family not in {"h3", "h4d"}]  # one type; and none that has a price


def documents(value):
    """Every table that says a price or a limit."""
    if isinstance(value, dict):
        if "source" in value:
            yield value
        for each in value.values():
            yield from documents(each)


def test_every_price_and_limit_has_its_source_and_date():
    today = datetime.datetime.now(datetime.UTC).date()
    found = list(documents(DOCUMENT))
    assert len(found) >= 5 + 4 + 3 * len(FAMILIES)
    for each in found:
        assert each["source"]
        assert datetime.date.fromisoformat(each["date"]) <= today
        assert each.get("basis", "stated") in ("stated", "derived")
    for machine in TYPES.values():
        for said in (machine.on_demand, machine.spot, machine.cores, *machine.limits.values()):
            assert said is None or (said.source and datetime.date.fromisoformat(said.date) <= today)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_says_all_that_its_types_have_in_common(family):
    found = FAMILIES[family]
    of_gpus = {"gpu", "gpu_limits"} if family in WITH_GPUS else set()
    assert set(found) - of_gpus == {
        "stated", "processor", "cpu_platforms", "mixed_processors", "threads", "threads_per_core", "compact_placement",
        "live_migration", "disk_types", "cpu_quota", "limits", "types",
    }  # fmt: skip
    assert set(found["limits"]) == {"network_latency_s", "memory_bytes_per_s", "flops_per_s"}
    assert set(found["disk_types"]) <= {*DOCUMENT["prices"]["disk"], "hyperdisk-balanced"}
    if found["threads_per_core"]:
        assert max(found["threads_per_core"]) == found["threads"]
    for name, each in found["types"].items():
        assert name.split("-")[0] == family.split("-")[0]
        assert set(each) <= {
            "vcpus", "memory_gib", "network_gbit_per_s", "tier1_gbit_per_s", "on_demand", "spot", "shared_core",
            "sustained_cores", "gpus",
        }  # fmt: skip
        assert ("gpus" in each) == (family in WITH_GPUS)
        assert name == SHARED or name.endswith((f"-{each['vcpus']}", f"-{each.get('gpus')}g"))
        assert each.get("tier1_gbit_per_s", 1000) > each["network_gbit_per_s"]
        assert each.get("spot", 0) < each.get("on_demand", 1)


@pytest.mark.parametrize("family", PRICED)
@pytest.mark.parametrize("kind", ["on_demand", "spot"])
def test_prices_of_a_family_are_so_much_a_vcpu_a_gibibyte_and_a_gpu(family, kind):
    """As Google bills them: a figure that was copied wrong stands out."""
    priced = [each for name, each in FAMILIES[family]["types"].items() if kind in each and name != SHARED]
    assert len(priced) > (1 if family == "a2" else 2)
    shapes = numpy.array([[each["vcpus"], each["memory_gib"], each.get("gpus", 0)] for each in priced], float)
    amounts = numpy.array([each[kind] for each in priced])
    rates, *_ = numpy.linalg.lstsq(shapes, amounts, rcond=None)
    assert shapes @ rates == pytest.approx(amounts, rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_larger_type_has_no_less_network(family):
    by_size = sorted((each["vcpus"], each["network_gbit_per_s"]) for each in FAMILIES[family]["types"].values())
    assert all(one[1] <= two[1] for one, two in itertools.pairwise(by_size))


def test_every_profiles_machine_is_described():
    fat, light, gpu = (TYPES[name] for name in PROFILES)
    assert (fat.vcpus, fat.memory_bytes, fat.cpu_quota) == (16, 16 * 2**30, "N2_CPUS")
    assert (light.vcpus, light.memory_bytes, light.threads_per_core) == (2, 4 * 2**30, ())
    assert fat.spot.amount_per_hour < fat.on_demand.amount_per_hour
    assert (fat.cores.value, light.cores.value, gpu.cores.value) == (8, 1, 2)
    assert (fat.gpus, light.gpus) == (None, None)
    assert (gpu.gpus.count, gpu.gpus.name, gpu.gpus.memory_bytes) == (1, "NVIDIA L4", 24 * 10**9)
    assert (gpu.gpus.quota, gpu.gpus.spot_quota) == ("NVIDIA_L4_GPUS", "PREEMPTIBLE_NVIDIA_L4_GPUS")


@pytest.mark.parametrize("name", [name for name, each in TYPES.items() if each.gpus])
def test_a_machine_with_gpus_is_ended_for_maintenance_and_counts_against_quotas_of_them(name):
    machine = TYPES[name]
    assert not machine.live_migration
    assert machine.gpus.spot_quota == f"PREEMPTIBLE_{machine.gpus.quota}"
    assert machine.gpus.quota.startswith("NVIDIA_")
    assert machine.gpus.memory_bytes in (24 * 10**9, 40 * 10**9)
    assert machine.vcpus >= 4 * machine.gpus.count
    assert set(machine.gpus.limits) == {"link_bytes_per_s", "memory_bytes_per_s", "flops_per_s"}
    assert 1e10 < machine.gpus.limits["link_bytes_per_s"].value < machine.gpus.limits["memory_bytes_per_s"].value


def test_every_quota_is_one_that_google_names():
    metrics = {metric.name for metric in pytest.importorskip("google.cloud.compute_v1").Quota.Metric}
    named = {machine.cpu_quota for machine in TYPES.values()} - {"CPUS_PER_VM_FAMILY"}  # Google's own, of newer series
    named |= {word for each in TYPES.values() if each.gpus for word in (each.gpus.quota, each.gpus.spot_quota)}
    assert named <= metrics


def test_limits_are_of_the_whole_machine():
    small, large = TYPES["c3-highcpu-22"], TYPES["c3-highcpu-88"]
    assert large.limits["flops_per_s"].value == pytest.approx(4 * small.limits["flops_per_s"].value)
    assert large.limits["network_latency_s"].value == small.limits["network_latency_s"].value
    assert large.limits["network_bytes_per_s"].value == 62e9 / 8
    assert large.limits["tier1_bytes_per_s"].value == 100e9 / 8
    assert "44 cores, each" in large.limits["memory_bytes_per_s"].source


def test_where_a_core_has_one_thread_a_vcpu_is_a_core():
    assert [TYPES[name].cores.value for name in ("h3-standard-88", "t2d-standard-60", "c2d-highcpu-112")] == [
        88,
        60,
        56,
    ]


def test_what_nobody_has_stated_is_left_out():
    assert TYPES["h3-standard-88"].spot is None
    assert TYPES["h4d-standard-192"].on_demand is None
    assert "hyperdisk-balanced" not in machines.read(FILE).disks


def test_a_name_that_is_none_is_answered_with_those_near_it():
    found = machines.read(FILE)
    assert "c3-highcpu-22" in found.near("c3-highcpu-23")
    assert "c2d" in found.near("zzzzzzzz")


@pytest.mark.parametrize("text", ["schema_version = 2", "schema_version = 1"])
def test_a_catalogue_without_prices_or_of_another_version_is_no_catalogue(tmp_path, text):
    (tmp_path / "machines.toml").write_text(text)
    with pytest.raises(KeyError):
        machines.read(tmp_path / "machines.toml")
