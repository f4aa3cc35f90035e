"""A folder with a program of a person's own, and `fab sweep` of it on this machine."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestration.paths import SweepPaths
from tests.orchestration.support import FAB, ROOT
from workload.record.kinds import read_record


@dataclass
class Place:
    """Where the person stands."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def paths(self) -> SweepPaths:
        return SweepPaths(self.folder / "out")

    def begin(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(FAB), "--search-root", str(ROOT), *words], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        self.started.append(process)
        return process

    def fab(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.begin(*words)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def sweep(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return self.fab("sweep", "--out", "out", *flags)

    def records(self) -> list[dict]:
        return [read_record(path) for path in sorted(self.paths.records.glob("*.json"))]

    def events(self, *names: str) -> list[dict]:
        """Those of the ledger with these names."""
        events = [json.loads(line) for line in self.paths.ledger.read_text().splitlines()]
        return [event for event in events if event["event"] in names]

    def log(self, name: str) -> str:
        return self.paths.log(name).read_text()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=600)
