"""One holder at a time of a folder, on one machine or on several, without a file lock."""

import subprocess
import sys
import threading

import psutil
import pytest

from orchestration.executors.folder_lease import FolderLease
from tests.orchestration.support import ROOT
from workload.agent import supervise

HERE = supervise.identity(psutil.Process())
MINE = {"sweep": "0123abcd", "who": "ada", "fab": HERE}
THEIRS = {"sweep": "4567cdef", "who": "grace", "fab": {**HERE, "boot_id": "another machine's"}}
KILLED = """
import os, psutil, signal, sys
from pathlib import Path
from orchestration.executors.folder_lease import FolderLease
from workload.agent import supervise
FolderLease(Path(sys.argv[1])).take({"sweep": sys.argv[2], "fab": supervise.identity(psutil.Process())})
os.kill(os.getpid(), signal.SIGKILL)
"""


def lease(folder, **given):
    return FolderLease(folder / "lease", **{"renew_s": 0.05, "dead_s": 2.0} | given)


def kill_one_that_has(folder, mark="4567cdef"):
    subprocess.run([sys.executable, "-c", KILLED, folder / "lease", mark], cwd=ROOT, check=False)


def test_it_is_given_back_and_taken_again(tmp_path):
    first, second = lease(tmp_path), lease(tmp_path)
    for _ in range(3):
        assert first.take(MINE) is None
        assert first.take(MINE) is None  # it has it
        assert second.take(MINE) == MINE
        first.release("another's")
        assert second.take(MINE) == MINE
        first.release(MINE["sweep"])
        assert second.take(MINE) is None
        second.release(MINE["sweep"])


def test_a_holder_on_another_machine_is_seen_to_renew_it(tmp_path):
    there, here = lease(tmp_path), lease(tmp_path)
    assert there.take(THEIRS) is None
    assert here.take(MINE) == THEIRS
    there._over.set()  # that machine is gone
    assert here.take(MINE) is None
    assert there.lost()
    assert not here.lost()
    there.release(THEIRS["sweep"])  # it was held up, and has nothing to give back
    assert lease(tmp_path).take(THEIRS) == MINE


def test_a_killed_holder_on_this_machine_is_not_waited_for(tmp_path):
    kill_one_that_has(tmp_path)
    assert lease(tmp_path, dead_s=600.0).take(MINE) is None


@pytest.mark.parametrize("document", [THEIRS, MINE])
def test_what_a_dead_holder_left_at_work_keeps_it_from_other_sweeps_alone(tmp_path, document):
    kill_one_that_has(tmp_path, THEIRS["sweep"])
    other = lease(tmp_path, at_work=lambda found: found["sweep"] == THEIRS["sweep"]).take(document)
    assert (other is None) == (document is THEIRS)


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", '{"fab": 3}', '{"fab": {"pid": "x"}}', "x" * 2**17])
def test_what_a_file_says_is_not_trusted(tmp_path, content):
    (tmp_path / "lease").mkdir()
    (tmp_path / "lease" / "7").write_text(content)
    (tmp_path / "lease" / "a-file").write_text("")
    assert lease(tmp_path, dead_s=0.1).take(MINE) is None
    assert sorted(path.name for path in (tmp_path / "lease").iterdir()) == ["8", "a-file"]


def test_a_link_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "lease").mkdir()
    (tmp_path / "lease" / "1").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"):
        lease(tmp_path).take(MINE)
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("before", ["nobody", "a killed one", "one that gave it back"])
def test_of_many_at_once_one_gets_it(tmp_path, before):
    if before == "a killed one":
        kill_one_that_has(tmp_path)
    for _ in range(20):
        if before == "one that gave it back":
            first = lease(tmp_path)
            assert first.take(MINE) is None
            first.release(MINE["sweep"])
        leases = [lease(tmp_path) for _ in range(8)]
        answers = {}
        together = threading.Barrier(len(leases))

        def take(number, leases=leases, answers=answers, together=together):
            together.wait()
            answers[number] = leases[number].take(MINE)

        threads = [threading.Thread(target=take, args=(number,)) for number in range(len(leases))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [number for number, answer in answers.items() if answer is None]
        assert not leases[winner].lost()
        leases[winner].release(MINE["sweep"])
