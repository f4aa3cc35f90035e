"""Two sweeps at once on this machine would measure each other."""

import json

import psutil
import pytest

from orchestration.executors.machine_lease import MachineLease
from orchestration.paths import SweepPaths
from orchestration.sweep.locks import Joiners
from results.records.marks import BESIDE
from results.records.sweep import read_sweep
from results.report.summary import sentences
from tests.orchestration.support import fab, refused
from workload.agent import supervise


@pytest.fixture
def busy(lab):
    """A sweep is at work."""
    lab.begin("hang", out=lab.folder / "first")
    lab.wait_for(lambda: list((lab.folder / "first" / ".jobs").glob("*/supervisor.json")))
    yield lab
    lab.started[0].kill()
    lab.started[0].communicate()
    for job in (lab.folder / "first" / ".jobs").iterdir():
        supervise.kill_carriers(job.name)


def test_a_second_sweep_is_refused_and_told_of_the_first(busy):
    done = busy.sweep("bare")
    assert done.returncode == 2
    assert f"at work in {busy.folder / 'first'}" in done.stderr
    assert "--wait" in done.stderr
    assert "--concurrent" in done.stderr
    assert not busy.paths.folder.exists()


def test_a_second_fab_in_the_same_folder_is_refused_even_beside(busy):
    done = busy.sweep("hang", out=busy.folder / "first", concurrent="yes")
    assert done.returncode == 2
    assert f"{busy.folder / 'first'} is being worked at by " in done.stderr
    assert f"process {busy.started[0].pid}: wait for it, or give --new" in done.stderr


@pytest.mark.parametrize("task", ["probe", "check"])
def test_neither_a_probe_nor_a_check_is_made_meanwhile(busy, task):
    said = refused(task)
    assert f"at work in {busy.folder / 'first'}" in said
    assert "--wait" in said
    assert "--concurrent" in said


def test_a_check_beside_it_says_so(busy):
    done = fab("check", "--concurrent")
    assert f"warning: cluster local is at work in {busy.folder / 'first'}" in done.stdout, done.stderr


def test_concurrent_runs_beside_it_and_says_so(busy):
    done = busy.sweep("bare", concurrent="yes")
    assert done.returncode == 0, done.stderr
    (beside,) = [event for event in busy.ledger() if event["event"] == "beside"]
    assert str(busy.folder / "first") in beside["sweep"]


def test_the_sweep_beside_which_another_runs_learns_of_it_and_of_its_end(lab):
    first = SweepPaths(lab.folder / "first")

    def events(*names):
        found = map(json.loads, first.ledger.read_text().splitlines()) if first.ledger.exists() else ()
        return [event for event in found if event["event"] in names]

    process = lab.begin("ok", out=first.folder, launches="500")
    lab.wait_for(lambda: events("ended"))
    done = lab.sweep("ok", concurrent="yes")
    assert done.returncode == 0, done.stderr
    lab.wait_for(lambda: "left" in [event["event"] for event in events("left", "ended")][:-1])
    process.send_signal(2)
    process.communicate(timeout=600)
    (joined,), (left,) = events("joined"), events("left")
    assert joined["sweep"] == left["sweep"]
    assert joined["sweep"].startswith(f"{lab.paths.folder} (")
    sweep = read_sweep(first.folder)
    marked = [BESIDE in launch.marks for launch in sorted(sweep.launches, key=lambda launch: launch.sequence)]
    assert not marked[0]
    assert any(marked)
    assert f"Other work was started beside this sweep: {lab.paths.folder} (" in " ".join(sentences(sweep))


def test_wait_begins_when_the_first_is_over(busy):
    second = busy.begin("bare", wait="yes")
    busy.wait_for(busy.paths.lease.exists)
    assert second.poll() is None
    assert not busy.paths.ledger.exists()
    busy.started[0].send_signal(2)
    out, err = second.communicate(timeout=600)
    assert second.returncode == 0, out + err
    assert "waiting for it" in out
    assert [record["outcome"] for record in busy.records()] == ["ok"]


def test_a_killed_fab_keeps_the_machine_while_its_run_is_at_work(busy):
    busy.started[0].kill()
    busy.started[0].communicate()
    assert busy.sweep("bare").returncode == 2
    for job in (busy.folder / "first" / ".jobs").iterdir():
        supervise.kill_carriers(job.name)
    assert busy.sweep("bare").returncode == 0


def test_a_link_in_the_place_of_the_lock_is_not_followed(lab, machine_lock):
    target = lab.folder / "precious"
    target.write_text("precious")
    machine_lock.symlink_to(target)
    done = lab.sweep("bare")
    assert done.returncode == 2
    assert str(machine_lock) in done.stderr
    assert target.read_text() == "precious"


def test_what_others_say_of_themselves_is_not_trusted(tmp_path):
    lease = MachineLease(tmp_path / "lock")
    lease.take({"sweep": "12345678"})
    other = MachineLease(tmp_path / "lock")
    fab = {**supervise.identity(psutil.Process()), "create_time": 1.0}  # long over
    told = {"sweep": "87654321", "folder": "/s\x1b[2J", "who": "me", "since_utc": "now", "fab": fab}
    for document in ({"folder": 3}, told):
        other.join(document)
    joiners = Joiners(lease)
    assert list(joiners.news()) == [("joined", "/s [2J (me, since now)"), ("left", "/s [2J (me, since now)")]
    assert list(joiners.news()) == []
    (tmp_path / "lock").write_text('{"beside": 3}')
    assert list(joiners.news()) == []


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", '{"sweep": 3}', "x" * 2**17])
def test_what_the_lock_says_is_not_trusted(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    lease = MachineLease(tmp_path / "lock")
    assert lease.take({"sweep": "12345678", "folder": "/s"}) is None
    assert MachineLease(tmp_path / "lock").take({"sweep": "87654321"}) == {"sweep": "12345678", "folder": "/s"}
    lease.release("12345678")
    assert json.loads((tmp_path / "lock").read_text()) == {}
    assert MachineLease(tmp_path / "lock").take({"sweep": "87654321"}) is None


def test_the_two_flags_contradict_each_other(lab):
    done = lab.sweep("bare", wait="yes", concurrent="yes")
    assert (done.returncode, "contradict" in done.stderr) == (2, True)
