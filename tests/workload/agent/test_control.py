"""The operator's hand on a node, and who attends a node's daemon: real processes, plain programs in mpirun's place."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cluster.host import wait_for
from workload.agent import control, supervise
from workload.agent.daemon import COUNTERS

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdef-89abcdee"


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / TOKEN
    supervise.kill_carriers(TOKEN)


def job(folder, program, timeout_s=20.0, make=()):
    document = {
        "schema_version": 1,
        "argv": [sys.executable, "-c", program, TOKEN],
        "env": {"PATH": "/usr/bin:/bin"},
        "cwd": str(folder.parent),
        "timeout_s": timeout_s,
        "token": TOKEN,
        "log": str(folder / "log"),
        "make": [str(path) for path in make],
    }
    return json.dumps({"files": {supervise.JOB: json.dumps(document)}, "folders": ["saved"]}).encode()


def ask(*words, stdin=b""):
    """The verb's answer, as the operator gets it."""
    argv = [sys.executable, "-m", "workload.agent.control", *map(str, words)]
    done = subprocess.run(argv, cwd=ROOT, input=stdin, capture_output=True, check=False, timeout=600)
    return json.loads(done.stdout.splitlines()[-1]), done


def test_start_watches_to_the_end_and_lists_the_files(folder):
    answer, done = ask("start", f"{folder}/", 30, stdin=job(folder, "print('hello')"))
    assert answer["state"] == control.ENDED
    assert answer["files"]["log"][0] == 6
    assert done.stdout.startswith(b"\n")  # the beat that says: started
    assert (folder / "saved").is_dir()
    assert not (folder / supervise.RESERVE).exists()
    assert ask("state", f"{folder}/")[0] == answer


def test_start_asked_twice_starts_once(folder):
    first, _ = ask("start", f"{folder}/", 30, stdin=job(folder, "print('one')"))
    second, _ = ask("start", f"{folder}/", 30, stdin=job(folder, "print('another')"))
    assert first == second


def test_a_watch_ends_at_its_limit_and_the_job_goes_on(folder):
    answer, done = ask("start", f"{folder}/", 0.5, stdin=job(folder, "import time; time.sleep(900)"))
    assert answer == {"state": control.ALIVE, "restarted": False, "files": {}}
    assert ask("watch", f"{folder}/", 0)[0]["state"] == control.ALIVE
    assert ask("stop", f"{folder}/")[0]["state"] == control.ENDED
    assert json.loads((folder / supervise.EXIT).read_text())["interrupted"]
    assert done.returncode == 0


def test_stop_of_what_never_started(folder):
    assert ask("stop", f"{folder}/")[0] == {"state": control.ABSENT, "restarted": False, "files": {}}


def test_a_supervisor_that_is_gone(folder):
    ask("start", f"{folder}/", 0.5, stdin=job(folder, "import time; time.sleep(900)"))
    psutil.Process(json.loads((folder / supervise.SUPERVISOR).read_text())["pid"]).kill()
    assert ask("watch", f"{folder}/", 10)[0]["state"] == control.GONE
    assert ask("stop", f"{folder}/")[0]["state"] == control.GONE
    assert not carriers()


def test_links_are_not_listed(folder):
    folder.mkdir()
    (folder / "log").symlink_to("/etc/passwd")
    assert ask("state", f"{folder}/")[0]["files"] == {}


def test_a_folder_that_cannot_be_made_is_said_in_json(tmp_path):
    (tmp_path / "file").write_text("")
    answer, done = ask("start", f"{tmp_path}/file/{TOKEN}/", 1, stdin=job(tmp_path / TOKEN, ""))
    assert done.returncode == 1
    assert "file" in answer["error"][2]


def test_end_takes_what_carries_the_token_and_its_folders_alone(tmp_path):
    mine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)", TOKEN])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)", TOKEN[:-1] + "0"])
    try:
        scratch, kept = tmp_path / TOKEN, tmp_path / "kept"
        scratch.mkdir()
        kept.mkdir()
        (scratch / COUNTERS).write_text(json.dumps({"schema_version": 1, "oom_kills": {"/proc/vmstat": 0}}))
        answer, _ = ask("end", f"{scratch}/", f"{kept}/")
        assert answer["killed"] == 1
        assert answer["oom_before"] == {"/proc/vmstat": 0}
        assert "/proc/vmstat" in answer["oom_after"]
        assert mine.wait(300) == -9
        assert other.poll() is None
        assert [item.name for item in tmp_path.iterdir()] == ["kept"]
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


def attend(tmp_path, program, limit_s=20):
    made = [tmp_path / "a" / TOKEN, tmp_path / "b" / f"x-{TOKEN}"]
    argv = [sys.executable, "-m", "workload.agent.daemon", "--token", TOKEN, "--limit-s", str(limit_s)]
    argv += [word for folder in made for word in ("--make", str(folder))]
    return made, subprocess.Popen([*argv, sys.executable, "-c", program], cwd=ROOT)


def test_a_daemon_has_its_folders_and_leaves_none(tmp_path):
    program = f"import os, sys; sys.exit(7 if os.path.isdir({str(tmp_path / 'a' / TOKEN)!r}) else 1)"
    made, process = attend(tmp_path, program)
    assert process.wait(300) == 7
    assert not any(folder.exists() for folder in made)


def test_what_a_daemon_leaves_behind_is_ended(tmp_path):
    rank = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(900)', '{TOKEN}'])"
    )
    _, process = attend(tmp_path, rank)
    assert process.wait(300) == 0
    assert not carriers()


def test_a_daemon_past_its_limit_is_ended(tmp_path):
    made, process = attend(tmp_path, "import time; time.sleep(900)", limit_s=0.5)
    assert process.wait(300) == 124  # as far as ssh hands on a status that is not its own
    assert not any(folder.exists() for folder in made)


def test_an_earlier_attempt_that_lives_on_is_ended_and_does_not_end_ours(tmp_path):
    """A node that was cut off answers again, and the run is made again there before the first noticed its end."""
    made, first = attend(tmp_path, "import time; time.sleep(900)")
    wait_for(lambda: all(folder.is_dir() for folder in made) and len(psutil.Process(first.pid).children()) == 1)
    (daemon,) = psutil.Process(first.pid).children()
    _, second = attend(tmp_path, "import time; time.sleep(1)")
    assert first.wait(300) == -9
    assert second.wait(300) == 0
    assert not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE


def test_a_token_that_is_none_is_refused(tmp_path):
    argv = [
        sys.executable,
        "-m",
        "workload.agent.daemon",
        "--token",
        "",
        "--limit-s",
        "1",
        "--make",
        str(tmp_path / "x"),
        "true",
    ]
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, check=False).returncode != 0
    assert not (tmp_path / "x").exists()


def carriers():
    deadline = time.monotonic() + 300
    found = True
    while found and time.monotonic() < deadline:
        found = []
        for item in psutil.process_iter():
            try:
                if TOKEN in item.cmdline() and item.status() != psutil.STATUS_ZOMBIE:
                    found.append(item)
            except psutil.Error:
                continue
    return found


def test_a_job_that_is_gone_because_its_node_was_started_again(folder):
    folder.mkdir()
    who = supervise.identity(psutil.Process()) | {"pid": 2**22 - 1}
    for changes, expected in (({}, False), ({"boot_id": "another"}, True), ({"init_started": -1}, True)):
        (folder / supervise.SUPERVISOR).write_text(json.dumps(who | changes))
        answer = ask("state", f"{folder}/")[0]
        assert (answer["state"], answer["restarted"]) == (control.GONE, expected)
