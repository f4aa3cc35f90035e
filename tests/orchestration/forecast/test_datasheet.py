"""Clusters that nobody has measured: what is stated of their machines, and what is refused."""

import re
import shutil

import pytest

from orchestration.errors import Refusal
from orchestration.forecast import datasheet
from orchestration.provision.cloud.provider import GoogleCloud
from results.forecast.convolution import probe
from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.convolution.probe import ForecastError
from tests.orchestration.support import ROOT
from workload.domain.grid import Grid
from workload.domain.problem import Problem

UTC = "2026-01-01T00:00:00+00:00"
MEASURED = {
    "nodes": [
        {
            "multiply_add": [{"active": 1, "flops_per_s": 1e11}, {"active": 2, "flops_per_s": 5e10}],
            "convolve": [
                {"backend": "simd", "active": 1, "flops_per_s": 8e10},
                {"backend": "naive", "active": 1, "flops_per_s": 1e9},
                {"backend": "odd", "active": 1, "flops_per_s": 2e11},
            ],
        }
    ]
}
LIGHT = "config: {convscale:nodes: 8, convscale:machine_type: e2-medium, convscale:slots: 1}"


@pytest.fixture
def root(tmp_path):
    """A project's root with the real machines.toml."""
    (tmp_path / "infra").mkdir()
    shutil.copy(ROOT / "infra" / "machines.toml", tmp_path / "infra")
    return tmp_path


def describe(root, text=LIGHT, measured=MEASURED):
    (root / "Pulumi.light.yaml").write_text(text)
    return datasheet.describe("light", GoogleCloud().described("light", root), root, UTC, measured)


def test_the_probe_is_made_of_what_is_stated(root):
    found = describe(root)
    made = probe.parse(found.probe, "stated")
    assert (made.memory.at(1), made.memory.at(8)) == (6e9, 6e9)
    assert made.memory.most_active == 1, "one core"
    assert made.convolve["simd"].at(1) == pytest.approx(0.8 * 7e10), "the share of the rate that it reaches here"
    assert made.convolve["odd"].at(1) == pytest.approx(7e10), "no backend is faster than the multiply-adds"
    between = made.link(probe.BETWEEN)
    assert between.latency_s == pytest.approx(1e-4, rel=0.01)
    assert between.bytes_per_s == pytest.approx(2.5e8, rel=0.01)
    assert made.link(probe.WITHIN).bytes_per_s == pytest.approx(6e9 / datasheet.COPIES, rel=0.01)
    assert found.probe["ranks"] == 8


def test_a_node_of_several_cores_shares_what_is_stated_of_all(root):
    found = describe(root, "config: {convscale:machine_type: n2-highcpu-16}")
    made = probe.parse(found.probe, "stated")
    assert made.memory.most_active == 8
    assert made.multiply_add.at(8) == pytest.approx(1.74e12 / 8)
    assert made.load.at(8) == pytest.approx(made.memory.at(8) / 8 / datasheet.LOAD)
    assert [node.slots for node in found.inventory.nodes] == [16], "one node with a slot a vCPU where nothing is said"


def test_a_machines_gpus_are_forecast_from_what_is_stated_of_them(root):
    found = describe(root, "config: {convscale:machine_type: g2-standard-24}")
    gpus = probe.parse(found.probe, "stated").gpus
    assert gpus.count == 2
    for active in (1, 2):
        limits = gpus.at(active)
        assert (limits.to_device_bytes_per_s, limits.to_host_bytes_per_s, limits.both_bytes_per_s) == (32e9, 32e9, 64e9)
        assert (limits.copy_bytes_per_s, limits.flops_per_s, limits.launch_s) == (3e11, 3.03e13, datasheet.LAUNCH_S)
    notes = "\n".join(found.notes)
    for key in datasheet.OF_GPUS:
        assert re.search(rf"GPU's {key} .*\(2026-\d\d-\d\d\)", notes)
    case = ForecastCase(Problem(40, 3, 3, 1024, 1024, 3), Grid(batch=2), "device", "cuda", 24)
    on_two = forecast(case, probe.parse(found.probe, "stated"))
    assert on_two.phases_s["distribute"] == pytest.approx(case.problem.x_bytes / 2 / 32e9, rel=0.02)


@pytest.mark.parametrize("unknown", [False, True], ids=["no GPU", "no figures"])
def test_a_machine_without_stated_gpus_refuses_them_in_one_line(root, unknown):
    file, machine = root / "infra" / "machines.toml", "g2-standard-4" if unknown else "e2-medium"
    if unknown:
        text = file.read_text()
        file.write_text(text.replace("[families.g2.gpu_limits]", "[families.g2.gpu_limits_of_nobody]"))
    found = probe.parse(describe(root, f"config: {{convscale:machine_type: {machine}}}").probe, "stated")
    case = ForecastCase(Problem(4, 3, 3, 64, 64, 3), Grid(), "device", "cuda", 1)
    with pytest.raises(
        ForecastError, match=rf"no figures of GPUs \(infra/machines.toml states none of {machine}\)"
    ) as no:
        forecast(case, found)
    assert "\n" not in str(no.value)


def test_source_and_date_of_every_figure_are_told(root):
    notes = "\n".join(describe(root).notes)
    for key in datasheet.NEEDED:
        assert f"\n{key} " in notes
    assert len(re.findall(r"\(2026-\d\d-\d\d\)", notes)) == len(datasheet.NEEDED) + 1
    assert "no interval follows from them" in notes
    assert "without disks, addresses and traffic" in notes


def test_the_inventory_has_the_lists_price(root):
    found = describe(root).inventory
    assert len(found.nodes) == 8
    assert {node.memory_bytes for node in found.nodes} == {4294967296}
    assert found.price.amount_per_hour == pytest.approx(8 * 0.03350571)


def test_a_machine_without_a_price_is_forecast_without_one(root):
    found = describe(root, "config: {convscale:machine_type: h4d-standard-192, convscale:nodes: 2}")
    assert found.inventory.price is None
    assert "The price" not in "\n".join(found.notes)


def test_a_persons_own_setting_goes_before_the_profiles(root):
    (root / "infra" / "stacks").mkdir()
    (root / "infra" / "stacks" / "Pulumi.light.yaml").write_text('config: {"convscale:nodes": "3"}')
    assert len(describe(root).inventory.nodes) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("config: {}", "does not state cores, .* of None: state them, or bring the cluster up"),
        ("config: {convscale:machine_type: z9-huge}", "does not state cores, .* of z9-huge"),
        ("config: {convscale:machine_type: e2-medium, convscale:nodes: many}", "convscale:nodes 'many' is no count"),
        ("config: {convscale:machine_type: e2-medium, convscale:slots: 0}", "convscale:slots 0 is no count"),
        ("config: {convscale:machine_type: e2-medium, convscale:slots: [1]}", r"convscale:slots \[1\] is no count"),
        ("config: {", "cannot be read as YAML"),
        ("- 1", "does not state"),
    ],
)
def test_a_stack_that_does_not_say_enough_is_refused_in_one_line(root, text, words):
    with pytest.raises(Refusal, match=words) as refusal:
        describe(root, text)
    assert "\n" not in str(refusal.value)


def test_a_machine_without_one_of_the_figures_is_refused(root):
    file = root / "infra" / "machines.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("network_latency_s")]
    file.write_text("\n".join(lines))
    with pytest.raises(Refusal, match="does not state network_latency_s of e2-medium"):
        describe(root)


@pytest.mark.parametrize("measured", [{}, {"nodes": []}, {"nodes": [{"multiply_add": [], "convolve": []}]}])
def test_without_a_probe_of_this_machine_nobody_knows_the_backends(root, measured):
    with pytest.raises(Refusal, match="run 'fab probe' again"):
        describe(root, measured=measured)
