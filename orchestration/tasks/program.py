"""The program `convscale`: the tasks of the menu under a name of its own. bin/convscale starts it from any folder."""

from __future__ import annotations

import io
import os
import signal
import site
import sys
import tomllib
from collections.abc import Sequence

from invoke.collection import Collection
from invoke.program import Program

from orchestration.tasks.common import ROOT

NAME = "convscale"
LISTING = ("--list", "-l", "--help", "-h", "--version", "-V")  # options that print something and do nothing


def begin(arguments: Sequence[str]) -> None:
    """Prepares the process, whether fab or convscale started it: its packages, and how it prints."""
    own_packages()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the person's encoding has no character for becomes "?"
            stream.reconfigure(errors="replace")
    listing = any(word in LISTING for word in arguments)
    # ends quietly where the reader goes away, as `head` does; never of a task, which has things to clean up
    signal.signal(signal.SIGPIPE, signal.SIG_DFL if listing else signal.SIG_IGN)


def own_packages() -> None:
    """Takes packages from the project's own installation alone: others would not be those that the ranks use."""
    foreign = {*os.environ.get("PYTHONPATH", "").split(os.pathsep), site.getusersitepackages()} - {"", str(ROOT)}
    sys.path[:] = [folder for folder in sys.path if folder not in foreign]


def run(menu: str) -> None:
    """Runs the command line with the tasks of an imported module, and ends the process."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    tasks = Collection.from_module(sys.modules[menu])
    try:
        Program(version, tasks, name=NAME, binary=NAME, binary_names=[NAME]).run()
    except BrokenPipeError:  # whoever reads our output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
