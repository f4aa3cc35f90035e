"""For tests: inventories, and the tasks as a person types them."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from invoke.collection import Collection
from invoke.program import Program

import fabfile
from orchestration import experiments
from orchestration.clusters.inventory import Inventory, parse
from orchestration.planning.study import LoadedStudy, Overrides

ROOT = Path(__file__).resolve().parents[2]
FAB = Path(sys.executable).parent / "fab"


def make_inventory(slots: int, nodes: int = 1, memory_bytes: int = 2**34, profile: str = "local") -> Inventory:
    document = {
        "schema_version": 1,
        "cluster": "test",
        "profile": profile,
        "default_study": "quick",
        "python": sys.executable,
        "workdir": str(ROOT),
        "executor": "local",
        "transport": "auto",
        "created_at": "2026-01-01T00:00:00Z",
        "nodes": [
            {"name": f"node{n + 1}", "address": _address(n), "slots": slots, "memory_bytes": memory_bytes}
            for n in range(nodes)
        ],
    }
    return parse(document, "test")


def _address(index: int) -> str:
    """The first node is this machine."""
    return f"10.0.0.{index + 1}" if index else os.uname().nodename


def fab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`fab` in the checkout, with nobody to ask."""
    return subprocess.run(
        [str(FAB), *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def refused(*arguments: str, **environment: str) -> str:
    """What `fab` prints where it refuses: one line, and exit status 2.

    In this process, by invoke's own way from a command line to a task: a process of its own would take a second.
    """
    out, err = io.StringIO(), io.StringIO()
    program = Program(namespace=Collection.from_module(fabfile), name="fab", binary="fab")
    with (
        patch.dict(os.environ, environment),
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        program.run(["fab", *arguments])
    assert ended.value.code == 2, out.getvalue() + err.getvalue()
    assert len(err.getvalue().strip().splitlines()) == 1, err.getvalue()
    return err.getvalue()


def make_overrides(**flags: object) -> Overrides:
    """The command line's flags: those of every study, and the experiment's own."""
    common = {name: flags.pop(name) for name in ("series", "ranks", "launches") if name in flags}
    return Overrides(**common, values=flags)  # type: ignore[arg-type]


def load_study(name: str, **flags: object) -> LoadedStudy:
    """A study that comes along, or one at a path, with flags of the command line."""
    return experiments.load(name, make_overrides(**flags))[1]


# What costs several times the few runs of a test's sweep: file, line, and what stands there without it
SPARED = {
    "canary": ("orchestration/forecast/sweep.py", "LedgerExtras(forecast, ask)", "LedgerExtras(forecast)"),
    "report": ("orchestration/tasks/carried_out.py", "    print_report([paths.folder], None)\n", ""),
}


def copy_checkout(target: Path, *spared: str, with_tests: bool = False) -> Path:
    """A copy of the checkout, with its venv but without results of sweeps: what is swept there is nobody's latest.

    What Python has compiled comes along, but not what it is just writing. Sweeps there are without what is `spared`:
    canary, report.
    """
    left_out = (".git", ".venv", "*.pyc.*", "runs", "benchmarks", ".*_cache", *(() if with_tests else ("tests",)))
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*left_out))
    (target / ".venv").symlink_to(ROOT / ".venv")
    for file, line, now in map(SPARED.__getitem__, spared):
        text = (target / file).read_text()
        assert line in text, f"{file} has changed"
        (target / file).write_text(text.replace(line, now))
    return target
