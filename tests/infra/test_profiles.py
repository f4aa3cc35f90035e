import re
from pathlib import Path

import machines
import pytest
from profiles import Profile, label, read
from settings import SettingError, StackConfig

CATALOGUE = machines.read(Path(__file__).parents[2] / "infra" / "machines.toml")
NEEDED = {"ssh_from": "203.0.113.7", "machine_type": "n2-highcpu-16"}
OWN_PRICES = {"machine_per_hour": 0.7, "disk_gib_month": 0.1, "source": "the list", "date": "2026-11-01"}


def profile(stack: str = "mine", project: str | None = "my-project", **values: object) -> Profile:
    found = {f"convscale:{key}": value for key, value in (NEEDED | values).items() if value is not None}
    google = StackConfig({} if project is None else {"gcp:project": project}, "gcp:")
    return read(StackConfig(found), google, stack, CATALOGUE, "Ann B.")


def test_defaults():
    found = profile()
    assert (found.nodes, found.slots, found.lifetime_s, found.spot) == (1, 16, 4 * 3600, False)
    assert (found.zone, found.region, found.owner) == ("us-central1-a", "us-central1", "ann-b")
    assert found.ssh_from == ("203.0.113.7/32",)
    assert found.external_address


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"project": None}, "gcp:project is None, but must be your Google Cloud project's id"),
        ({"project": "My Project"}, "gcp:project is 'My Project'"),
        ({"stack": "fat-2"}, "stack 'fat-2'"),
        ({"ssh_from": None}, "convscale:ssh_from is not set"),
        ({"ssh_from": []}, "convscale:ssh_from is not set"),
        ({"ssh_from": "0.0.0.0/0"}, "convscale:ssh_from is '0.0.0.0/0'"),
        ({"ssh_from": "0.0.0.0/1,128.0.0.0/1"}, "a /0 together"),
        ({"ssh_from": "203.0.113.0/23"}, "has host bits set"),
        ({"ssh_from": "203.0.112.0/23"}, "a /23 together"),
        ({"ssh_from": "2600:1900::/55"}, "a /55 together"),
        ({"ssh_from": "10.1.2.3"}, "no range of the internet"),
        ({"ssh_from": "35.235.240.0/20"}, "no range of the internet"),
        ({"ssh_from": "all"}, "must be iap or address ranges"),
        ({"ssh_from": "iap,203.0.113.7"}, "either iap or address ranges"),
        ({"external_address": False}, "set ssh_from to iap"),
        ({"nodes": 251}, "from 1 to 250"),
        ({"nodes": 13, "subnet": "10.0.0.0/28"}, "from 1 to 12"),
        ({"subnet": "203.0.113.0/24"}, "must be a private range"),
        ({"subnet": "10.0.0.0/8"}, "must be a private range"),
        ({"subnet": "10.0.0.1/24"}, "must be a private range"),
        ({"zone": "us-central1"}, "must be a zone such as"),
        ({"zone": "europe-west1-b"}, "give this region's under convscale:prices"),
        ({"machine_type": None}, "convscale:machine_type is None"),
        ({"machine_type": "n2-highcpu-33"}, "does not describe (near it are n2-highcpu-32"),
        ({"image": "debian-cloud/debian-12"}, "must be an exact image"),
        ({"image": "projects/debian-cloud/global/images/family/debian-12"}, "must be an exact image"),
        ({"disk_type": "pd-balance"}, "must be one of pd-balanced, pd-ssd, pd-standard"),
        ({"disk_gib": 9}, "from 10 to 2000"),
        ({"slots": 17}, "from 1 to 16"),
        ({"slots": 9, "threads_per_core": 1}, "from 1 to 8"),
        ({"threads_per_core": 4}, "from 1 to 2"),
        ({"threads_per_core": 1, "machine_type": "e2-medium"}, "left out: e2-medium takes none"),
        ({"min_cpu_platform": "Intel Skylake"}, "one of Intel Cascade Lake, Intel Ice Lake"),
        ({"min_cpu_platform": "Intel Ice Lake", "machine_type": "e2-medium"}, "takes none"),
        ({"placement": "close", "nodes": 2}, "one of any, compact"),
        ({"placement": "compact"}, "one node is close to itself"),
        ({"placement": "compact", "nodes": 2, "machine_type": "e2-medium"}, "Google places e2-medium as it likes"),
        ({"lifetime": "8d"}, "a duration from 15m to 7d"),
        ({"lifetime": "0s"}, "a duration from 15m to 7d"),
        ({"owner": "Ann B."}, "must be a label"),
        ({"operator_key": "ssh-rsa AAAA"}, "must be a public key"),
        ({"operator_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "must be a public key"),
        ({"lifetim": "4h"}, "did you mean convscale:lifetime?"),
        ({"machine": {"vcpus": 4}}, "convscale:machine.memory_gib is None"),
        ({"machine": {"vcpus": 4, "memory_gib": 8, "cpus": 4}}, "convscale:machine.cpus is no setting"),
        ({"machine": {"vcpus": 4, "memory_gib": 8}}, "nobody has stated what n2-highcpu-16 costs"),
        ({"machine_type": "c3-highcpu-22", "disk_type": "pd-standard"}, "must be one of pd-balanced, pd-ssd"),
        ({"machine_type": "h3-standard-88", "threads_per_core": 1}, "left out: h3-standard-88 takes none"),
        ({"machine_type": "h3-standard-88", "spot": True}, "nobody has stated what h3-standard-88, spot costs"),
        (
            {"machine_type": "h4d-standard-192"},
            "nobody has stated what h4d-standard-192 and disk hyperdisk-balanced costs: give convscale:prices",
        ),
        ({"machine_type": "c4-highcpu-16"}, "nobody has stated what disk hyperdisk-balanced costs"),
        ({"prices": OWN_PRICES | {"date": "soon"}}, "convscale:prices.date is 'soon'"),
        ({"prices": OWN_PRICES | {"machine_per_hour": 0}}, "must be a number above 0"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_allowed(values, says):
    with pytest.raises(SettingError) as caught:
        profile(**values)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_machine_type_that_nobody_has_described_is_described_in_the_stack():
    found = profile(machine_type="c3-highcpu-8", machine='{"vcpus": 8, "memory_gib": 16}', prices=OWN_PRICES)
    assert (found.machine.vcpus, found.machine.memory_bytes, found.slots) == (8, 16 * 2**30, 8)
    assert found.machine.cpu_quota == "C3_CPUS"
    assert (found.rate.amount_per_hour, found.rate.source) == (0.7, "the list")


def test_a_type_boots_from_a_disk_that_it_takes_and_is_priced_by_the_stack_where_nobody_has_stated_it():
    found = profile(machine_type="h4d-standard-192", nodes=2, prices=OWN_PRICES)
    assert (found.disk_type, found.slots, found.rate.amount_per_hour) == ("hyperdisk-balanced", 192, 0.7)
    own = profile(machine_type="c9-x-4", machine={"vcpus": 4, "memory_gib": 8}, prices=OWN_PRICES)
    assert own.disk_type == "pd-balanced"
    described = {"vcpus": 4, "memory_gib": 8, "live_migration": False}
    own = profile(machine_type="c9-x-4", disk_type="hyperdisk-balanced", machine=described, prices=OWN_PRICES)
    assert (own.disk_type, own.stays_up) == ("hyperdisk-balanced", False)


def test_google_moves_a_node_for_maintenance_where_it_can():
    assert profile().stays_up
    assert not profile(spot=True).stays_up
    assert not profile(nodes=2, placement="compact").stays_up
    assert profile(machine_type="h3-standard-88").stays_up
    assert not profile(machine_type="h4d-standard-192", prices=OWN_PRICES).stays_up


def test_another_region_has_prices_of_its_own():
    found = profile(zone="europe-west1-b", prices=OWN_PRICES)
    assert found.region == "europe-west1"
    assert found.disk_rate.amount_per_hour == pytest.approx(0.1 / 730)


def test_googles_proxy_needs_no_external_address():
    found = profile(ssh_from="iap")
    assert found.by_proxy
    assert not found.external_address
    assert profile(ssh_from="iap", external_address="true").external_address


def test_the_newest_platform_is_asked_for_and_older_ones_mix():
    found = profile()
    assert (found.min_cpu_platform, found.mixed_processors) == ("Intel Ice Lake", False)
    older = profile(min_cpu_platform="Intel Cascade Lake")
    assert (older.min_cpu_platform, older.mixed_processors) == ("Intel Cascade Lake", True)
    shared = profile(machine_type="e2-medium")
    assert (shared.min_cpu_platform, shared.mixed_processors) == (None, True)
    described = {"vcpus": 4, "memory_gib": 4}
    own = profile(machine_type="e2-highcpu-4", machine=described, prices=OWN_PRICES)
    assert own.mixed_processors
    assert not profile(machine_type="c3-highcpu-8", machine=described, prices=OWN_PRICES).mixed_processors


def test_an_image_is_chosen_or_the_default():
    assert not profile().image_chosen
    assert profile(image="projects/p/global/images/mine-1").image_chosen


def test_a_machine_with_gpus_boots_an_image_that_has_their_driver():
    with_gpu = profile(machine_type="g2-standard-4")
    assert re.fullmatch(r"projects/ubuntu-os-accelerator-images/.*-with-nvidia-\d+-v\d+", with_gpu.image)
    assert not with_gpu.image_chosen
    assert "debian" in profile().image
    own = profile(machine_type="g2-standard-4", image="projects/p/global/images/mine-1")
    assert (own.image, own.image_chosen) == ("projects/p/global/images/mine-1", True)
    assert not with_gpu.stays_up


def test_spot_has_its_price():
    assert profile(spot="true").rate == CATALOGUE.machines["n2-highcpu-16"].spot


@pytest.mark.parametrize(
    ("text", "expected"), [("Ann B.", "ann-b"), ("", "nobody"), ("Ü", "nobody"), ("a" * 99, "a" * 63)]
)
def test_a_persons_name_becomes_a_label(text, expected):
    assert label(text) == expected


def test_every_setting_stands_in_the_documentation():
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    table = text.partition("## Stack configuration")[2].partition("## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    settings = StackConfig({f"convscale:{key}": value for key, value in NEEDED.items()})
    read(settings, StackConfig({"gcp:project": "my-project"}, "gcp:"), "mine", CATALOGUE, "ann")
    known = {key.removeprefix("convscale:") for key in settings.known}
    assert {word for row in rows for word in re.findall(r"`(\w+)`", row)} == known
