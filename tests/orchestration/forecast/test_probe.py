"""The probe of this machine, through the same way that a run takes."""

import json
from dataclasses import replace

import psutil
import pytest

from orchestration.errors import Refusal, Stopped
from orchestration.executors.machine_lease import MachineLease
from orchestration.forecast import probe
from orchestration.jobs.environment import kept_environment
from orchestration.paths import RunsFolder
from orchestration.provision.providers import clusters_of
from orchestration.sweep.locks import Turn
from orchestration.sweep.prepare import Surroundings
from results.tables.sweep.probe import tables
from tests.marks import thorough
from tests.orchestration.support import ROOT
from workload.agent import supervise
from workload.record.files import read_json
from workload.record.schema import SCHEMA_VERSION

RECORDED = ROOT / "results" / "measured" / "16-core" / "probe.json"


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    import os

    monkeypatch.setattr(probe, "home", lambda _root: tmp_path / "clusters")
    runs = RunsFolder(tmp_path / "runs")
    return Surroundings(
        clusters_of(ROOT, {}), runs, lambda: "2026-01-01T00:00:00+00:00", kept_environment(dict(os.environ))
    )


# the same with little to do: by its figures the probe would take a minute of two cores
LITTLE = """
from workload.probe import run, scale
run.Scale = lambda: scale.Scale(
    message_bytes=(8, 2**20), copy_bytes=(2**16,), cache_bytes=(2**12,), multiply_adds=2**20,
    small_block=(1, 1, 8, 8), block=(1, 3, 32, 32), passes=1, rounds=2, round_s=0.001,
)
run.main()
"""


@pytest.mark.parametrize("program", [thorough(probe.PROGRAM, name="whole"), pytest.param(("-c", LITTLE), id="little")])
def test_this_machine_is_probed_and_the_answer_kept_beside_its_inventory(program, surroundings, tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "PROGRAM", program)
    path, document = probe.measure("local", surroundings, Turn())
    assert path == tmp_path / "clusters" / "local" / "probe.json"
    assert json.loads(path.read_text()) == document
    assert (document["schema_version"], document["kind"]) == (SCHEMA_VERSION, "probe")
    assert document["cluster"] == "local"
    assert document["ranks"] == sum(node["ranks"] for node in document["nodes"])
    assert not list((tmp_path / "runs" / ".probes" / "local" / ".jobs").iterdir()), "nothing is left of the job"


def test_a_probe_that_leaves_no_answer_is_said_with_mpiruns_last_line(surroundings, monkeypatch):
    monkeypatch.setattr(probe, "PROGRAM", ("-c", "print('out of order')"))
    with pytest.raises(Stopped, match=r"the probe gave no answer.*the last line of its log: out of order"):
        probe.measure("local", surroundings, Turn())


def test_a_machine_with_a_sweep_at_work_is_not_probed_unless_the_probe_says_so(
    surroundings, machine_lock, tmp_path, monkeypatch
):
    monkeypatch.setattr(probe, "_carry_out", lambda *_: read_json(RECORDED))  # when it is made, not what it measures
    surroundings = replace(surroundings, environment=surroundings.environment | {"CONVSCALE_LOCK": str(machine_lock)})
    other = MachineLease(machine_lock)
    fab = supervise.identity(psutil.Process())
    who = {"sweep": "12345678", "folder": "/elsewhere", "who": "anna@here", "since_utc": "2026-01-01", "fab": fab}
    assert other.take(who) is None
    with pytest.raises(Refusal, match=r"at work in /elsewhere .anna@here.*--wait.*--concurrent"):
        probe.measure("local", surroundings, Turn())
    assert not (tmp_path / "clusters").exists()
    _, document = probe.measure("local", surroundings, Turn(concurrent=True))
    assert "/elsewhere" in document["beside"]
    assert any("Measured beside a sweep" in note for table in tables(document) for note in table.notes)
    waits = []

    def over(seconds):
        waits.append(seconds)
        other.release("12345678")

    _, document = probe.measure("local", surroundings, Turn(wait=True, say=waits.append, sleep=over))
    assert len(waits) == 2
    assert "beside" not in document


def test_an_unknown_cluster_is_refused(surroundings):
    with pytest.raises(Refusal, match="'nowhere' is unknown"):
        probe.measure("nowhere", surroundings, Turn())


def test_the_probe_of_an_inventorys_path_lies_beside_it(tmp_path):
    assert probe.path_of(str(tmp_path / "inventory.json"), ROOT) == tmp_path / "probe.json"
