"""The supervisor, with plain programs in mpirun's place."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workload.agent import supervise
from workload.record.files import write_json

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdef-89abcdef"


@pytest.fixture
def job(tmp_path):
    """A function that writes a job whose mpirun is a Python program, and starts its supervisor."""
    folder = tmp_path / TOKEN
    folder.mkdir()
    started = []

    def start(program, timeout_s=20.0, argv=None, make=()):
        write_json(
            folder / supervise.JOB,
            {
                "schema_version": 1,
                "argv": argv or [sys.executable, "-c", program],
                "env": {"PATH": "/usr/bin:/bin", "COLOUR": "green"},
                "cwd": str(tmp_path),
                "timeout_s": timeout_s,
                "token": TOKEN,
                "log": str(folder / "log"),
                "make": [str(path) for path in make],
            },
        )
        process = subprocess.Popen([sys.executable, "-m", "workload.agent.supervise", str(folder)], cwd=ROOT)
        started.append(process)
        return process

    start.folder = folder
    yield start
    for process in started:
        process.kill()
        process.wait()
    supervise.kill_carriers(TOKEN)


def ending(folder):
    return json.loads((folder / supervise.EXIT).read_text())


def wait_for(path):
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_tells_how_the_program_ended(job, tmp_path):
    made = tmp_path / "scratch" / TOKEN
    program = "import os; print(os.getcwd(), os.environ['COLOUR'], os.listdir('scratch')); raise SystemExit(7)"
    assert job(program, make=[made]).wait(300) == 0
    end = ending(job.folder)
    assert (end["exit_status"], end["timed_out"], end["interrupted"], end["error"]) == (7, False, False, None)
    assert end["started_utc"] < end["ended_utc"]
    assert (job.folder / "log").read_text() == f"{tmp_path} green ['{TOKEN}']\n"
    assert not made.exists()


def test_the_kernel_kills_the_program_for_memory_before_its_supervisor(job):
    mine = Path("/proc/self/oom_score_adj").read_text()
    program = """import pathlib, time
while (score := pathlib.Path("/proc/self/oom_score_adj").read_text()) != "500\\n":
    time.sleep(0.02)
"""
    process = job(program)
    wait_for(job.folder / supervise.SUPERVISOR)
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == mine
    assert process.wait(300) == 0
    assert ending(job.folder)["exit_status"] == 0


def test_a_signal_is_told_as_the_shell_does(job):
    job("import os; os.kill(os.getpid(), 9)").wait(300)
    assert ending(job.folder)["exit_status"] == 137


def test_ends_a_program_that_ignores_sigterm_at_its_limit(job):
    job("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)", timeout_s=0.5).wait(300)
    end = ending(job.folder)
    assert (end["timed_out"], end["interrupted"], end["exit_status"]) == (True, False, 137)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_the_program_when_told(job, number):
    process = job("import pathlib, time; pathlib.Path('up').touch(); time.sleep(600)")
    wait_for(job.folder.parent / "up")
    process.send_signal(number)
    assert process.wait(300) == 0
    end = ending(job.folder)
    assert (end["interrupted"], end["timed_out"], end["exit_status"]) == (True, False, 143)


def test_a_program_that_cannot_start_is_told(job):
    job("", argv=["/nowhere/mpirun"]).wait(300)
    end = ending(job.folder)
    assert end["exit_status"] is None
    assert "/nowhere/mpirun" in end["error"]


def test_writes_who_it_is(job):
    process = job("import time; time.sleep(600)")
    wait_for(job.folder / supervise.SUPERVISOR)
    who = json.loads((job.folder / supervise.SUPERVISOR).read_text())
    assert who["pid"] == process.pid
    assert supervise.lives(who)
    assert not supervise.lives(who | {"create_time": who["create_time"] - 1})
    assert not supervise.lives(who | {"boot_id": "another"})
    process.terminate()
    process.wait(300)
    assert not supervise.lives(who)


def test_ends_what_is_left_of_the_job_and_nothing_else(job):
    sleeper = "import time; time.sleep(600)"
    left = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}, '/x/{TOKEN}/run.json'])"
    reader = subprocess.Popen([sys.executable, "-c", sleeper, f"/x/{TOKEN}/log"])  # as `tail -f` of the log
    other = subprocess.Popen([sys.executable, "-c", sleeper, "/x/0123456789abcdef-00000000/run.json"])
    try:
        job(left).wait(300)
        assert ending(job.folder)["exit_status"] == 0
        assert not [p for p in psutil.process_iter(["cmdline"]) if f"/x/{TOKEN}/run.json" in (p.info["cmdline"] or [])]
        assert reader.poll() is None
        assert other.poll() is None
    finally:
        for process in (reader, other):
            process.kill()
            process.wait()


@pytest.mark.parametrize("token", ["", "a", "0123456789abcdef", "*", f"{TOKEN} "])
def test_no_process_is_ended_by_what_is_no_token(token):
    with pytest.raises(ValueError, match="is not a token"):
        supervise.kill_carriers(token)


def test_a_job_may_only_make_and_remove_what_carries_its_token(job):
    process = job("print(1)", make=[job.folder.parent / "precious"])
    assert process.wait(300) != 0
    assert not (job.folder / supervise.EXIT).exists()


def test_a_link_of_somebody_elses_is_no_private_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent" / TOKEN).symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError):
        supervise.make_private(tmp_path / "parent" / TOKEN)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_folder_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        supervise.make_private(tmp_path / "theirs" / TOKEN)


def test_a_private_folder_is_this_users_alone(tmp_path):
    supervise.make_private(tmp_path / "a" / TOKEN)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / TOKEN).stat().st_mode & 0o777 == 0o700
