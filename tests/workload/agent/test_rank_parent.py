"""The parent of a rank: what it tells, that it ends as the rank did, and that signals go on."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from workload.agent import rank_parent

TOKEN = "0123456789abcdef-01234567"
FILE = Path(rank_parent.__file__)


def words(folder: Path, *argv: str, options: tuple[str, ...] = ()) -> list[str]:
    own = [sys.executable, "-I", "-S", str(FILE), "--token", TOKEN, "--folder", str(folder / "s" / "run"), *options]
    return [*own, "--", *argv]


def carried(folder: Path, *argv: str, options: tuple[str, ...] = ()) -> tuple[int, str, dict[str, Any]]:
    environment = {**os.environ, "PMIX_RANK": "3"}
    done = subprocess.run(
        words(folder, *argv, options=options), env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout, told(done.stderr)


def told(text: str) -> dict[str, Any]:
    line = next(line for line in text.splitlines() if line.startswith(f"{rank_parent.MARK} {TOKEN} "))
    return dict(json.loads(line.split(" ", 2)[2]))


def test_of_much_output_the_beginning_and_the_end_go_on(tmp_path: Path) -> None:
    code, out, _ = carried(tmp_path, "sh", "-c", "echo first; yes | head -c 20000000; echo last")
    assert code == 0
    assert out.startswith("first\ny\n")
    assert out.endswith("y\nlast\n")
    left_out = 20_000_011 - 2 * rank_parent.PASSED_BYTES
    assert f"\n[convscale: {left_out} bytes of this rank's output are left out here]\n" in out
    assert len(out) < 2 * rank_parent.PASSED_BYTES + 100


def test_whoever_else_holds_the_output_is_not_waited_for(tmp_path: Path) -> None:
    begun = time.monotonic()
    process = subprocess.Popen(
        words(tmp_path, "sh", "-c", "sleep 900 & echo $!"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    sleeper = int(process.stdout.readline())
    try:
        assert process.wait(timeout=300) == 0
        assert time.monotonic() - begun < 30
    finally:
        os.kill(sleeper, signal.SIGKILL)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_rank_has_a_terminal_where_the_launcher_gives_one(tmp_path: Path, terminal: bool) -> None:
    outer, inner = os.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        words(tmp_path, "sh", "-c", "test -t 1 && echo terminal || echo pipe"), stdout=inner, stderr=subprocess.PIPE
    )
    os.close(inner)
    _, errors = process.communicate(timeout=600)
    assert os.read(outer, 100).decode().split() == ["terminal" if terminal else "pipe"]
    assert told(errors.decode())["exit_status"] == 0
    os.close(outer)


def test_it_tells_what_the_rank_took(tmp_path: Path) -> None:
    code, out, found = carried(tmp_path, "sh", "-c", "echo $CONVSCALE_TOKEN; exit 7")
    assert (code, out.strip()) == (7, TOKEN)
    assert (found["rank"], found["exit_status"], found["signal"]) == (3, 7, None)
    assert found["wall_s"] >= 0.0
    assert found["peak_rss_bytes"] > 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_it_ends_by_the_signal_that_ended_the_rank(tmp_path: Path, number: signal.Signals) -> None:
    code, _, found = carried(tmp_path, "sh", "-c", f"kill -{int(number)} $$")
    assert (code, found["signal"], found["exit_status"]) == (-number, number, None)


def patched(folder: Path, patch: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Carries a rank by a parent of which a piece was replaced."""
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(FILE.parent)!r})
import rank_parent
{patch}
sys.exit(rank_parent.main(rank_parent.Options(sys.argv[1:])))
"""
    own = words(folder, *argv)
    command = [own[0], "-c", script, *own[own.index("--token") :]]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_a_signal_between_the_ranks_end_and_the_report_loses_neither(tmp_path: Path) -> None:
    patch = """
readings = iter([0.0, 0.0])
def steal_s():
    reading = next(readings)
    if readings.__length_hint__() == 0:  # the second is for the report
        os.kill(os.getpid(), signal.SIGTERM)
    return reading
rank_parent.steal_s = steal_s
"""
    done = patched(tmp_path, patch, "sh", "-c", "kill -9 $$")
    assert told(done.stderr)["signal"] == signal.SIGKILL
    assert done.returncode == -signal.SIGKILL


def test_a_signal_while_the_rank_is_started_goes_on_to_it(tmp_path: Path) -> None:
    patch = """
start = rank_parent.start
def slow(*given):
    child = start(*given)
    os.kill(os.getpid(), signal.SIGUSR1)
    return child
rank_parent.start = slow
"""
    done = patched(tmp_path, patch, "sleep", "900")
    assert told(done.stderr)["signal"] == signal.SIGUSR1


def test_a_signal_goes_on_to_the_rank(tmp_path: Path) -> None:
    script = "trap 'echo got; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(words(tmp_path, "sh", "-c", script), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == "got\n"
    assert process.wait(300) == 5


def test_the_rank_dies_with_its_parent(tmp_path: Path) -> None:
    process = subprocess.Popen(
        words(tmp_path, "sh", "-c", "echo $$; exec sleep 900"), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    rank = int(process.stdout.readline())
    process.kill()
    process.wait()
    deadline = time.monotonic() + 300
    while Path(f"/proc/{rank}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{rank}").exists()


def test_files_environment_and_input_are_the_ranks(tmp_path: Path) -> None:
    (tmp_path / "say").write_text("#!/bin/sh\ncat; echo $WORD; pwd\n")
    (tmp_path / "say").chmod(0o755)
    with tarfile.open(tmp_path / "it.tar", "w") as tar:
        tar.add(tmp_path / "say", "say")
    options = ("--unpack", str(tmp_path / "it.tar"), "--set", "WORD=a=b", "--unset", "HOME")
    code, out, _ = carried(tmp_path, "./say", options=options)
    assert (code, out.splitlines()) == (0, ["a=b", str(tmp_path / "s" / "run")])


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    code, _, found = carried(tmp_path, "./nowhere")
    assert (code, found["exit_status"]) == (127, 127)
