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
from tests.preloaded import Preloader, Process, completed
from workload.record.kinds import read_record


@dataclass
class Place:
    """Where the person stands."""

    folder: Path
    preloader: Preloader
    started: list[Process] = field(default_factory=list)

    @property
    def paths(self) -> SweepPaths:
        return SweepPaths(self.folder / "out")

    def begin(self, *words: str) -> Process:
        environment = {**os.environ, "COLUMNS": "200"}
        process = self.preloader.start(FAB, ["--search-root", str(ROOT), *words], environment, self.folder)
        self.started.append(process)
        return process

    def fab(self, *words: str) -> subprocess.CompletedProcess[str]:
        return completed(self.begin(*words))

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
def place(tmp_path: Path, preloader: Preloader) -> Iterator[Place]:
    made = Place(tmp_path, preloader)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=600)
