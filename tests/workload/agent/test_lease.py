"""A cluster is one sweep's at a time; a lease ends with whoever holds it."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.orchestration.support import ROOT
from workload.agent import control, lease

OURS = {"sweep": "11111111", "folder": "/a"}
OTHERS = {"sweep": "22222222", "folder": "/b"}
TOKEN = f"{'0' * 16}-{OURS['sweep']}"


def grow_old(jobs):
    then = time.time() - lease.HELD_S - 1
    os.utime(jobs / lease.LEASE, (then, then))


def test_the_second_sweep_is_told_of_the_first(tmp_path):
    jobs = tmp_path / "jobs"
    assert lease.take(jobs, OURS) is None
    assert lease.take(jobs, OTHERS) == OURS
    assert lease.take(jobs, OURS) is None  # the same sweep, begun again
    lease.release(jobs, OTHERS["sweep"])
    assert lease.holder(jobs) == OURS
    lease.release(jobs, OURS["sweep"])
    assert lease.take(jobs, OTHERS) is None


def test_it_ends_a_while_after_the_last_use(tmp_path):
    lease.take(tmp_path, OURS)
    grow_old(tmp_path)
    assert lease.holder(tmp_path) is None
    assert lease.take(tmp_path, OTHERS) is None


def test_it_ends_at_once_where_its_fab_is_known_to_be_dead(tmp_path):
    lease.take(tmp_path, OURS)
    assert lease.take(tmp_path, OTHERS, "33333333") == OURS
    assert lease.take(tmp_path, OTHERS, OURS["sweep"]) is None


def test_each_run_makes_it_hold_on(tmp_path):
    lease.take(tmp_path, OURS)
    then = time.time() - lease.HELD_S / 2
    os.utime(tmp_path / lease.LEASE, (then, then))
    assert lease.use(tmp_path, OURS["sweep"]) is None
    assert (tmp_path / lease.LEASE).stat().st_mtime > then + 1
    assert lease.use(tmp_path, OTHERS["sweep"]) == OURS


def test_it_holds_while_a_run_of_the_sweep_is_at_work(tmp_path):
    lease.take(tmp_path, OURS)
    (tmp_path / TOKEN).mkdir()
    program = "import time; print(flush=True); time.sleep(900)"
    argv = [sys.executable, "-c", program, str(tmp_path / TOKEN)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()  # it is at work
        (tmp_path / TOKEN / "supervisor.json").write_text(json.dumps({"pid": process.pid}))
        grow_old(tmp_path)
        assert lease.holder(tmp_path) == OURS
        assert lease.take(tmp_path, OTHERS, OURS["sweep"]) == OURS
    finally:
        process.kill()
        process.communicate()
    assert lease.holder(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sweep": 1}'])
def test_what_is_no_lease_holds_nothing(tmp_path, text):
    (tmp_path / lease.LEASE).write_text(text)
    assert lease.holder(tmp_path) is None
    assert lease.take(tmp_path, OURS) is None


def test_no_run_starts_on_another_sweeps_cluster(tmp_path):
    lease.take(tmp_path, OTHERS)
    with pytest.raises(OSError, match="the cluster is in use by the sweep in /b"):
        control.start(tmp_path / TOKEN, {}, [])
    assert not (tmp_path / TOKEN).exists()


def test_its_text_alone_tells_who_holds_it(tmp_path):
    (tmp_path / "workload").symlink_to("releases/abc")
    text = (ROOT / "workload" / "agent" / "lease.py").read_text()
    lease.take(tmp_path / "jobs", OURS)
    done = subprocess.run([sys.executable, "-c", text, tmp_path], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"holder": OURS, "release": "abc"}
