"""Where a sweep was interrupted, killed or has ended, the same command goes on with it, or says why it does not."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.marks import thorough
from tests.orchestration.conftest import STUDY, Lab
from tests.orchestration.sweep.conftest import no_trace
from workload.agent.supervise import SUPERVISOR


@pytest.fixture(scope="module")
def over(tmp_path_factory, preloader):
    """`over(behaviour)`: the folder of a sweep that has ended; each is made once."""
    made = {}

    def folder(behaviour):
        if behaviour not in made:
            lab = Lab(tmp_path_factory.mktemp("over"), preloader)
            lab.study.write_text(STUDY)
            lab.sweep(behaviour)
            made[behaviour] = lab.paths.folder
        return made[behaviour]

    return folder


@pytest.fixture
def swept(lab, over):
    """`swept(behaviour)` puts a copy of such a sweep into the lab, as if it had been made there."""
    return lambda behaviour: shutil.copytree(over(behaviour), lab.paths.folder, symlinks=True)


@pytest.mark.parametrize("number", [signal.SIGINT, thorough(signal.SIGTERM)])
def test_ctrl_c_leaves_no_rank_and_no_record_and_the_same_command_goes_on(lab, number):
    process = lab.begin("hang")
    lab.wait_for_ranks()
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "interrupted" in err
    assert len(err.strip().splitlines()) == 1
    assert no_trace(lab)
    assert lab.records() == []
    assert lab.events()[-1] == "interrupted"

    done = lab.sweep("ok")
    assert done.returncode == 0, done.stderr
    assert [record["outcome"] for record in lab.records()] == ["ok"]


def test_the_run_of_a_killed_fab_goes_on_and_is_adopted(lab):
    process = lab.begin("slow")
    lab.wait_for_ranks()
    process.kill()
    process.wait()
    assert lab.ranks()

    done = lab.sweep("slow")
    assert done.returncode == 0, done.stderr
    assert [record["outcome"] for record in lab.records()] == ["ok"]
    assert lab.events() == ["planned", "started", "resumed", "adopted", "ended", "finished"]
    assert no_trace(lab)


def test_what_ended_while_fab_was_dead_is_taken(lab):
    process = lab.begin("slow")
    lab.wait_for_ranks()
    process.kill()
    lab.wait_for(lambda: list(lab.paths.jobs.glob("*/exit.json")))

    done = lab.sweep("sigkill")  # what would happen if the run were made again
    assert done.returncode == 0, done.stderr
    assert lab.events().count("started") == 1
    assert [record["outcome"] for record in lab.records()] == ["ok"]


@pytest.mark.thorough
def test_ranks_whose_supervisor_died_too_are_ended_and_the_run_made_again(lab):
    process = lab.begin("hang")
    lab.wait_for_ranks()
    process.kill()
    (file,) = lab.paths.jobs.glob(f"*/{SUPERVISOR}")
    os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
    before = {rank.pid for rank in lab.ranks()}
    assert before

    done = lab.sweep("ok")
    assert done.returncode == 0, done.stderr
    assert lab.events().count("started") == 2
    assert no_trace(lab)


def test_retry_supersedes_what_is_not_ok(lab, swept):
    swept("raise")
    untouched = lab.sweep("ok")
    assert untouched.returncode == 1  # nothing was to do: the sweep still holds a failed run
    done = lab.sweep("ok", retry="yes")
    assert done.returncode == 0, done.stderr
    (record,) = lab.records()
    assert (record["outcome"], record["attempt"]) == ("ok", 2)
    (old,) = lab.paths.superseded.glob("*.json")
    assert old.name == f"{record['run_id']}.1.json"
    assert json.loads(old.read_text())["outcome"] == "crashed"


@pytest.mark.thorough
def test_an_unfinished_sweep_goes_on_without_being_named(lab):
    process = lab.begin("hang", out=None)
    lab.wait_for(lambda: list(lab.folder.glob("runs/*/.jobs/*/supervisor.json")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=600)
    goes_on = lab.sweep("ok", out=None)
    assert "going on with" in goes_on.stdout
    assert goes_on.returncode == 0
    assert "another sweep" in lab.sweep("ok", out=None).stdout
    assert len(list(lab.folder.glob("runs/small-*/ledger.jsonl"))) == 2


def test_another_study_in_the_folder_is_refused(lab, swept):
    swept("ok")
    done = lab.sweep("ok", repeats="2")
    assert done.returncode == 2
    assert "another study" in done.stderr


def test_a_changed_machine_is_refused_with_the_differences(lab, swept):
    swept("raise")
    lab.paths.ledger.write_text(lab.paths.ledger.read_text().replace('.mpi":"Open MPI', '.mpi":"Closed MPI'))
    done = lab.sweep("ok", retry="yes")
    assert done.returncode == 2
    assert "mpi was 'Closed MPI" in done.stderr


@pytest.mark.thorough
def test_a_node_that_was_started_again_is_the_same_node_and_that_is_said(lab, swept):
    swept("raise")
    words = lab.paths.ledger.read_text()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    lab.paths.ledger.write_text(words.replace(boot, "another"))
    done = lab.sweep("ok", retry="yes")
    assert done.returncode == 0, done.stderr
    assert "started again since: no speedup is formed across two boots" in done.stdout


def test_a_damaged_record_is_refused_by_name(lab, swept):
    swept("ok")
    (path,) = lab.paths.records.glob("*.json")
    path.write_text(path.read_text()[:100])
    done = lab.sweep("ok")
    assert done.returncode == 2
    assert path.name in done.stderr
