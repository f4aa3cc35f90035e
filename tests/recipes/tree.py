"""Copies of the project to which a recipe of docs/contributing.md adds a member."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.orchestration.support import ROOT

TOPS = ("workload", "orchestration", "results", "infra")


def grown(folder: Path, files: Mapping[str, Path], edits: Mapping[str, tuple[tuple[str, str], ...]]) -> Path:
    """A copy of the project with `files` (place in the tree: source) added, and texts of registers replaced."""
    copy = folder / "tree"
    for top in TOPS:
        leave_out = {"*.pyc.*"} if top == "orchestration" else {"*.pyc.*", "runs", "measured", "clusters", "stacks"}
        shutil.copytree(ROOT / top, copy / top, ignore=shutil.ignore_patterns(*leave_out))
    shutil.copy(ROOT / "fabfile.py", copy)
    for place, source in files.items():
        assert not (copy / place).exists()
        shutil.copy(source, copy / place)
    for place, pairs in edits.items():
        text = (copy / place).read_text()
        for old, new in pairs:
            assert text.count(old) == 1, f"{place} has {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        (copy / place).write_text(text)
    return copy


def run(tree: Path, script: Path, *arguments: object) -> str:
    """What a Python script prints that imports from the copy."""
    command = [sys.executable, "-c", f"import sys; sys.path[0] = {str(tree)!r}; sys.argv = sys.argv[1:]; "
               "exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'))"]  # fmt: skip
    command += [str(script), *map(str, arguments)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
