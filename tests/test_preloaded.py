"""A process that found its libraries loaded is like one that loaded them."""

import os
import signal
import subprocess
import sys

import pytest

from tests.cluster.host import wait_for

PROGRAM = """
import atexit, os, signal, sys, time
atexit.register(print, "over")
print(os.getcwd(), os.environ, sys.argv[1:], __name__, os.getppid(), sep="\\n", flush=True)
print("in vain", file=sys.stderr)
if sys.argv[1] == "sleeps":
    open(sys.argv[2], "w").close()
    time.sleep(600)
sys.exit(3)
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_it_has_a_folder_words_an_environment_and_a_status_of_its_own(preloader, program, tmp_path):
    process = preloader.start(program, ["1", "b c"], {"ONE": "ä"}, tmp_path)
    out, err = process.communicate(timeout=600)
    folder, environment, words, name, parent, over = out.splitlines()
    assert (folder, environment) == (str(tmp_path), "environ({'ONE': 'ä'})")
    assert (words, name, over) == ("['1', 'b c']", "__main__", "over")
    assert int(parent) != os.getpid()
    assert err == "in vain\n"
    assert (process.poll(), process.returncode) == (3, 3)
    process.kill()  # what has ended stays as it is
    assert process.wait() == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_it_alone(preloader, program, tmp_path, number):
    beside = preloader.start(program, ["sleeps", str(tmp_path / "one")], os.environ)
    process = preloader.start(program, ["sleeps", str(tmp_path / "other")], os.environ)
    wait_for(lambda: (tmp_path / "one").exists() and (tmp_path / "other").exists())
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.0)
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == -number
    assert ("KeyboardInterrupt" in err) == (number == signal.SIGINT)
    assert beside.poll() is None
    beside.kill()
    beside.communicate(timeout=600)


def test_an_error_is_told_as_python_tells_it(preloader, tmp_path):
    (tmp_path / "wrong.py").write_text("raise ValueError('wrong')")
    process = preloader.start(tmp_path / "wrong.py", [], os.environ)
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err.splitlines()[-1]) == (1, "ValueError: wrong")
    alone = subprocess.run([sys.executable, tmp_path / "wrong.py"], capture_output=True, check=False)
    assert alone.returncode == process.returncode
