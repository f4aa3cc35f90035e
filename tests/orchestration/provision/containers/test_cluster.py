import pytest

from orchestration.clusters.folder import ClusterFolder
from orchestration.errors import Refusal
from orchestration.provision.containers.cluster import SHAPES, Containers, fit
from orchestration.provision.containers.docker import Engine
from tests.orchestration.provision.containers.test_docker import place
from tests.orchestration.support import ROOT

GIB = 2**30


def test_a_large_machine_gives_all_that_the_profile_asks_for():
    for shape in SHAPES.values():
        assert fit(shape, 64, 256 * GIB) == (shape, [])


def test_a_small_machine_says_what_it_cannot_give():
    fat, notes = fit(SHAPES["compose-fat"], 4, 10 * GIB)
    assert (fat.slots, fat.cpus, fat.memory_bytes) == (4, 4, 8 * GIB)
    assert notes == ["4 slots instead of 16: this machine has 4 CPUs", "8.0 GiB a node instead of 16"]
    light, notes = fit(SHAPES["compose-light"], 4, 10 * GIB)
    assert light == SHAPES["compose-light"]
    assert [note.split(":")[0] for note in notes] == [
        "8 nodes share 4 CPUs",
        "the nodes' limits add up to more than this machine's 10.0 GiB",
    ]


def test_two_checkouts_do_not_share_a_cluster(tmp_path):
    engine = Engine((), {})
    shape = SHAPES["compose-light"]
    one, two = (
        Containers(engine, ROOT, ClusterFolder(tmp_path / name / "compose-light"), shape, print) for name in "ab"
    )
    assert one.project != two.project


def test_what_the_engine_says_reaches_the_person(tmp_path):
    docker = 'case "$1" in version) exit 0;; compose) exit 0;; *) echo "daemon is ill" >&2; exit 1;; esac'
    engine = Engine.find(place(tmp_path, docker=docker))
    folder = ClusterFolder(tmp_path / "compose-fat")
    containers = Containers(engine, tmp_path, folder, SHAPES["compose-fat"], print)
    with pytest.raises(Refusal, match=r"compose-fat cannot be started \(daemon is ill\)"):
        containers.up("2026-01-01T00:00:00Z")
