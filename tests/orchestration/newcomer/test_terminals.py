"""What a person sees: narrow terminals, other encodings, and output that goes into a closed pipe."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from tests.marks import thorough
from tests.orchestration.support import FAB, ROOT, fab

MEASURED = ROOT / "results" / "measured" / "16-core" / "paper-simd"
CONVSCALE = ROOT / "bin" / "convscale"
COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_terminal(columns, *words):
    """What the command prints on a terminal of so many columns, without colours; its exit status."""
    pid, handle = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.chdir(ROOT)
        # workers of the tests have a COLUMNS of their own, which goes before the terminal's width
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        os.execve(words[0], words, kept | {"TERM": "xterm"})  # noqa: S606  our own command
    said = b""
    try:
        while data := os.read(handle, 2**16):
            said += data
    except OSError:
        pass  # the terminal is gone with its last process
    os.close(handle)
    return COLOURS.sub("", said.decode()), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


HEADLINES = """
import sys
from pathlib import Path
from orchestration.tasks.printing import print_tables
from orchestration.tasks.program import begin
from results.records.sweep import read_sweep
from results.tables.series import scaling
begin([])
sweep = read_sweep(Path(sys.argv[1]))
print_tables([scaling.compact(sweep, series) for series in sweep.series], [])
print("a character that few encodings have: \u2026")
"""


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_number_is_cut_on_a_terminal(columns):
    said, status = on_terminal(columns, sys.executable, "-c", HEADLINES, str(MEASURED))
    assert status == 0, said
    tables = [line for line in said.splitlines() if line.startswith(("│", "┃"))]
    assert tables
    assert not [line for line in tables if len(line) > columns or "…" in line]
    assert re.search(r"[\[(]0\.\d+(, | to )0\.\d+[\])]", said)  # an interval, whole


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_cannot_hold_is_replaced(encoding):
    done = subprocess.run(
        [sys.executable, "-c", HEADLINES, str(MEASURED)],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "few encodings have: ?" in done.stdout.decode(encoding)


@pytest.mark.parametrize(
    "command",
    [
        *((FAB, *words) for words in (["--list"], ["sweep", "--help"], ["studies"])),
        *((CONVSCALE, word) for word in ("--list", "--version")),
        *(thorough((CONVSCALE, *words)) for words in (["sweep", "--help"], ["studies"], ["--help"])),
        *(thorough((FAB, word)) for word in ("--help", "--version")),
    ],
)
def test_a_closed_pipe_ends_quietly(command):
    if command[0] == FAB and "SIGPIPE" not in FAB.read_text():
        pytest.skip("fab was not installed by make")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*map(str, command)], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=600
    )
    os.close(write)
    assert done.stderr == ""


def test_packages_of_another_python_are_not_used(tmp_path):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('of another Python')\n")
    (tmp_path / "rich.py").write_text("raise RuntimeError('of another Python')\n")
    done = fab("sweep", "--dry-run", "--new", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "PYTHONPATH" in done.stdout
