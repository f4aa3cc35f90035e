"""A small study on disk, and `fab sweep` of it through real processes, with a stand-in for the ranks."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestration.paths import SweepPaths
from tests.cluster.host import wait_for
from tests.orchestration.support import FAB, ROOT
from tests.preloaded import Preloader, Process, completed
from workload.agent import supervise
from workload.record.kinds import read_record

STUDY = """
schema_version = 1
name = "small"
launches = 1
repeats = 1
warmups = 0
timeout_s = 300.0
images = "synthetic"
problem = { batch = 4, in_channels = 1, out_channels = 1, height = 8, width = 8, kernel_size = 3 }
[[series]]
name = "weak"
scaling = "weak"
batch_per_rank = 2
ranks = [2]
oversubscribe = 2
"""

DRIVER = "tests.orchestration.driver"


def given_environment() -> dict[str, str]:
    """The environment of the tests, without what pytest changes at each step."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@cache
def this_machine() -> str:
    """What a sweep has a process of its own say of this machine: by stand-ins it is the same each time."""
    command = [sys.executable, "-E", "-s", "-m", "workload.instruments.machine"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@dataclass
class Lab:
    """A folder with a study of one run of two ranks; sweeps of it go to `out`."""

    folder: Path
    preloader: Preloader
    started: list[subprocess.Popen[str] | Process] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=given_environment)
    before: list[str] = field(default_factory=list)  # words in front of the command, for example taskset's
    anew: bool = False  # with an interpreter of its own, as also with words or an environment of its own

    @property
    def study(self) -> Path:
        return self.folder / "small.toml"

    @property
    def paths(self) -> SweepPaths:
        return SweepPaths(self.folder / "out")

    def begin(self, behaviour: str, **flags: object) -> subprocess.Popen[str] | Process:
        """Starts a sweep; `flags` are those of `fab sweep`."""
        given = {"study": self.study, "out": self.paths.folder} | flags
        arguments = [str(self.folder / "runs"), behaviour]
        arguments += [f"{name}={value}" for name, value in given.items() if value is not None]
        if self.anew or self.before or self.environment != given_environment():
            process = self._begin_anew(arguments)
        else:
            process = self.preloader.start(DRIVER, [*arguments, f"machine={this_machine()}"], self.environment)
        self.started.append(process)
        return process

    def _begin_anew(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Isolated as bin/convscale is."""
        return subprocess.Popen(
            [*self.before, sys.executable, "-E", "-s", "-m", DRIVER, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sweep(self, behaviour: str, **flags: object) -> subprocess.CompletedProcess[str]:
        return completed(self.begin(behaviour, **flags))

    def records(self) -> list[dict[str, object]]:
        return [read_record(path) for path in sorted(self.paths.records.glob("*.json"))]

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.paths.ledger.read_text().splitlines()]

    def events(self) -> list[str]:
        return [event["event"] for event in self.ledger()]

    def ranks(self) -> list[psutil.Process]:
        """Living processes of this lab's ranks."""
        found = []
        for process in psutil.process_iter():
            try:
                arguments = process.cmdline()
                if "--run" in arguments and str(self.paths.jobs) in " ".join(arguments) and "-n" not in arguments:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_for(self, condition: Callable[[], object]) -> None:
        wait_for(condition)

    def wait_for_ranks(self) -> None:
        wait_for(lambda: len(self.ranks()) >= 2)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()
        end_jobs(self.paths.jobs)


def end_jobs(jobs: Path) -> None:
    """Kills what the jobs in this folder left, supervisors included, and removes the folders that these had made."""
    for job in jobs.glob("*-*"):
        supervise.end_leftovers(job)


@pytest.fixture
def menu(preloader: Preloader) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`menu("audit", ...)`: `fab` in the checkout, with nobody to ask."""

    def type_(*arguments: str) -> subprocess.CompletedProcess[str]:
        return completed(preloader.start(FAB, arguments, os.environ))

    return type_


@pytest.fixture
def lab(tmp_path: Path, preloader: Preloader) -> Iterator[Lab]:
    made = Lab(tmp_path, preloader)
    made.study.write_text(STUDY)
    yield made
    made.close()
