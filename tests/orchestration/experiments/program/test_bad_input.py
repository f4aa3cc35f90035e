"""A program that cannot be started is refused before the first run, in one line that names the node and what to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.orchestration.experiments.program.conftest import Place

NODE = "local"


def refused(place: Place, *flags: str) -> str:
    done = place.sweep("--ranks", "1", *flags)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert not place.paths.folder.exists()
    return line.removeprefix("convscale: ")


@pytest.mark.thorough
def test_a_program_for_another_processor(place: Place) -> None:
    content = bytearray(Path(shutil.which("true") or "/bin/true").read_bytes())
    content[18:20] = (0xF3).to_bytes(2, "little")
    (place.folder / "prog").write_bytes(content)
    (place.folder / "prog").chmod(0o755)
    here = os.uname().machine
    told = refused(place, "--command", "./prog")
    assert told == f"./prog is made for riscv64, and {NODE} is {here}: build it there"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_library_that_is_not_there(place: Place) -> None:
    (place.folder / "empty.c").write_text("int gone(void) { return 0; }\n")
    (place.folder / "prog.c").write_text("int gone(void); int main(void) { return gone(); }\n")
    for words in ("-shared -o libgone.so empty.c", "-o prog prog.c -L. -lgone"):
        subprocess.run(["gcc", *words.split()], cwd=place.folder, check=True)
    (place.folder / "libgone.so").unlink()
    told = refused(place, "--command", "./prog", "--mpi", "openmpi5")
    assert told.startswith(f"./prog needs libgone.so, which {NODE} does not find: install it there")


def test_a_file_that_nobody_may_execute(place: Place) -> None:
    (place.folder / "prog").write_text("#!/bin/sh\n")
    assert refused(place, "--command", "./prog") == f"{NODE}: ./prog is not executable: chmod +x ./prog"


@pytest.mark.thorough
def test_a_command_that_no_node_has(place: Place) -> None:
    told = refused(place, "--command", "no-such-program", "--mpi", "openmpi5")
    assert told == f"{NODE}: no-such-program is not there: name it in files, or install it"


@pytest.mark.thorough
def test_a_program_that_does_not_say_which_mpi_it_uses(place: Place) -> None:
    (place.folder / "prog.sh").write_text("exit 0\n")
    told = refused(place, "--command", "sh prog.sh")
    assert "does not say which MPI it uses" in told
    assert "give --mpi, one of " in told
