"""Two sweeps at once on this machine would measure each other."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from orchestration.executors.machine_lease import MachineLease
from orchestration.paths import SweepPaths
from orchestration.sweep.locks import Joiners
from results.records.marks import BESIDE
from results.records.sweep import read_sweep
from results.report.summary import sentences
from tests.orchestration.conftest import STUDY, Lab, end_jobs
from tests.orchestration.support import refused
from tests.preloaded import Preloader
from workload.agent import supervise


@contextmanager
def at_work(folder: Path, preloader: Preloader) -> Iterator[Lab]:
    """A sweep holds this machine; its own folder is `first`."""
    lab = Lab(folder, preloader)
    lab.study.write_text(STUDY.replace("timeout_s = 300.0", "timeout_s = 3600.0"))
    try:
        lab.begin("hang", out=folder / "first")
        lab.wait_for(lambda: list((folder / "first" / ".jobs").glob("*/supervisor.json")))
        yield lab
    finally:
        lab.close()
        end_jobs(folder / "first" / ".jobs")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, preloader: Preloader) -> Iterator[Lab]:
    """A sweep that is at work beside all tests that leave it so."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONVSCALE_LOCK", str(folder / "lock"))
        with at_work(folder, preloader) as lab:
            yield lab


@pytest.fixture
def beside(first: Lab, tmp_path: Path, preloader: Preloader, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Where another sweep is begun while that one is at work."""
    monkeypatch.setenv("CONVSCALE_LOCK", str(first.folder / "lock"))
    lab = Lab(tmp_path, preloader)
    lab.study.write_text(STUDY)
    yield lab
    lab.close()
    assert first.started[0].poll() is None


@pytest.fixture
def busy(tmp_path: Path, preloader: Preloader) -> Iterator[Lab]:
    """A sweep is at work that the test ends."""
    with at_work(tmp_path, preloader) as lab:
        yield lab


def test_a_second_sweep_is_refused_and_told_of_the_first(beside, first):
    done = beside.sweep("ok")
    assert done.returncode == 2
    assert f"at work in {first.folder / 'first'}" in done.stderr
    assert "--wait" in done.stderr
    assert "--concurrent" in done.stderr
    assert not beside.paths.folder.exists()


def test_a_second_fab_in_the_same_folder_is_refused_even_beside(beside, first):
    done = beside.sweep("hang", study=first.study, out=first.folder / "first", concurrent="yes")
    assert done.returncode == 2
    assert f"{first.folder / 'first'} is being worked at by " in done.stderr
    assert f"process {first.started[0].pid}: wait for it, or give --new" in done.stderr


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("task", ["probe", "check"])
def test_neither_a_probe_nor_a_check_is_made_meanwhile(first, task):
    said = refused(task)
    assert f"at work in {first.folder / 'first'}" in said
    assert "--wait" in said
    assert "--concurrent" in said


@pytest.mark.thorough
@pytest.mark.usefixtures("beside")
def test_a_check_beside_it_says_so(first, menu):
    done = menu("check", "--concurrent")
    assert f"warning: cluster local is at work in {first.folder / 'first'}" in done.stdout, done.stderr


@pytest.mark.thorough
def test_concurrent_runs_beside_it_and_says_so(beside, first):
    done = beside.sweep("ok", concurrent="yes")
    assert done.returncode == 0, done.stderr
    (event,) = [event for event in beside.ledger() if event["event"] == "beside"]
    assert str(first.folder / "first") in event["sweep"]


@pytest.mark.thorough
def test_the_sweep_beside_which_another_runs_learns_of_it_and_of_its_end(lab):
    first = SweepPaths(lab.folder / "first")

    def events(*names):
        found = map(json.loads, first.ledger.read_text().splitlines()) if first.ledger.exists() else ()
        return [event for event in found if event["event"] in names]

    process = lab.begin("slow", out=first.folder, launches="500")
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
    second = busy.begin("ok", wait="yes")
    busy.wait_for(busy.paths.lease.exists)
    assert second.poll() is None
    assert not busy.paths.ledger.exists()
    busy.started[0].send_signal(2)
    out, err = second.communicate(timeout=600)
    assert second.returncode == 0, out + err
    assert "waiting for it" in out
    assert [record["outcome"] for record in busy.records()] == ["ok"]


@pytest.mark.thorough
def test_a_killed_fab_keeps_the_machine_while_its_run_is_at_work(busy):
    busy.started[0].kill()
    busy.started[0].communicate()
    assert busy.sweep("ok").returncode == 2
    end_jobs(busy.folder / "first" / ".jobs")
    assert busy.sweep("ok").returncode == 0


def test_a_link_in_the_place_of_the_lock_is_not_followed(lab, machine_lock):
    target = lab.folder / "precious"
    target.write_text("precious")
    machine_lock.symlink_to(target)
    done = lab.sweep("ok")
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
    done = lab.sweep("ok", wait="yes", concurrent="yes")
    assert (done.returncode, "contradict" in done.stderr) == (2, True)
