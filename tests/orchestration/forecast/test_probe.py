"""The probe of this machine, through the same way that a run takes."""

import json

import pytest

from orchestration.errors import Refusal, Stopped
from orchestration.forecast import probe
from orchestration.jobs.environment import kept_environment
from orchestration.paths import RunsFolder
from orchestration.provision.providers import clusters_of
from orchestration.sweep.prepare import Surroundings
from tests.orchestration.support import ROOT
from workload.record.schema import SCHEMA_VERSION


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    import os

    monkeypatch.setattr(probe, "home", lambda _root: tmp_path / "clusters")
    runs = RunsFolder(tmp_path / "runs")
    return Surroundings(
        clusters_of(ROOT, {}), runs, lambda: "2026-01-01T00:00:00+00:00", kept_environment(dict(os.environ))
    )


def test_this_machine_is_probed_and_the_answer_kept_beside_its_inventory(surroundings, tmp_path):
    path, document = probe.measure("local", surroundings)
    assert path == tmp_path / "clusters" / "local" / "probe.json"
    assert json.loads(path.read_text()) == document
    assert (document["schema_version"], document["kind"]) == (SCHEMA_VERSION, "probe")
    assert document["cluster"] == "local"
    assert document["ranks"] == sum(node["ranks"] for node in document["nodes"])
    assert not list((tmp_path / "runs" / ".probes" / "local" / ".jobs").iterdir()), "nothing is left of the job"


def test_a_probe_that_leaves_no_answer_is_said_with_mpiruns_last_line(surroundings, monkeypatch):
    monkeypatch.setattr(probe, "PROGRAM", ("-c", "print('out of order')"))
    with pytest.raises(Stopped, match=r"the probe gave no answer.*the last line of its log: out of order"):
        probe.measure("local", surroundings)


def test_an_unknown_cluster_is_refused(surroundings):
    with pytest.raises(Refusal, match="'nowhere' is unknown"):
        probe.measure("nowhere", surroundings)


def test_the_probe_of_an_inventorys_path_lies_beside_it(tmp_path):
    assert probe.path_of(str(tmp_path / "inventory.json"), ROOT) == tmp_path / "probe.json"
