"""Four hosts, and `fab sweep` on them through the real ssh, mpirun and supervisor."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestration.paths import SweepPaths
from tests.cluster.host import Host, wait_for
from tests.cluster.hosts import Hosts, reason_against
from tests.orchestration.support import FAB, copy_checkout
from tests.preloaded import Preloader, Process, completed
from workload.record.kinds import read_record

STUDY = """
schema_version = 1
name = "small"
launches = 1
repeats = {repeats}
warmups = 0
timeout_s = {timeout_s}
images = "synthetic"
backend = ["numpy"]
problem = {{ batch = 8, in_channels = 1, out_channels = 1, height = 64, width = 64, kernel_size = 3 }}
[[series]]
name = "weak"
scaling = "weak"
batch_per_rank = 2
ranks = {ranks}
"""


@dataclass
class Desk:
    """The operator's side: a folder with a study, and the sweeps of it."""

    folder: Path
    hosts: Hosts
    preloader: Preloader
    started: list[subprocess.Popen[str] | Process] = field(default_factory=list)

    @property
    def paths(self) -> SweepPaths:
        return SweepPaths(self.folder / "out")

    def study(self, ranks: list[int], repeats: int = 1, timeout_s: float = 300.0) -> None:
        """Repeats by the hundred thousand make a run that is at work until something happens."""
        (self.folder / "small.toml").write_text(STUDY.format(ranks=ranks, repeats=repeats, timeout_s=timeout_s))

    def begin(self, behaviour: str = "bare", **flags: object) -> subprocess.Popen[str] | Process:
        given = {"study": self.folder / "small.toml", "out": self.paths.folder, "cluster": self.hosts.inventory} | flags
        arguments = [str(self.folder / "runs"), behaviour, *(f"{name}={value}" for name, value in given.items())]
        process = self.preloader.start("tests.orchestration.driver", arguments, os.environ)
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str] | Process) -> subprocess.CompletedProcess[str]:
        return completed(process)

    def sweep(self, behaviour: str = "bare", **flags: object) -> subprocess.CompletedProcess[str]:
        return self.end(self.begin(behaviour, **flags))

    def fab(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """A task of the menu."""
        return self.end(self.preloader.start(FAB, list(map(str, arguments)), os.environ))

    def records(self) -> dict[int, dict]:
        """By rank count."""
        found = [read_record(path) for path in self.paths.records.glob("*.json")]
        return {record["run"]["ranks"]: record for record in found}

    def ledger(self) -> list[dict]:
        return [json.loads(line) for line in self.paths.ledger.read_text().splitlines()]

    def events(self) -> list[str]:
        return [event["event"] for event in self.ledger()]

    def canaries(self) -> list[dict]:
        return [event for event in self.ledger() if event["event"] == "canary"]

    def wait_for_exit(self) -> None:
        """Until a run of this sweep is over on the head, where those of other sweeps may lie."""
        jobs = self.hosts.head.folder / "convscale" / "jobs"
        wait_for(lambda: list(jobs.glob(f"*{self.paths.token('')}/exit.json")))

    def wait_for_ranks(self, host: Host) -> None:
        wait_for(lambda: host.ranks() or self._ended())
        wait_for(lambda: list(self.paths.jobs.glob("*")))

    def _ended(self) -> bool:
        """Never true: a sweep that ended before its time says why."""
        process = self.started[-1]
        assert process.poll() is None, "".join(process.communicate())
        return False

    def clear(self) -> bool:
        """Neither processes nor files of a run are left on any host, when what was ending has ended."""
        deadline = time.monotonic() + 60
        while left := self.left():
            assert time.monotonic() < deadline, left
            time.sleep(0.2)
        return True

    def left(self) -> list[str]:
        return [word for host in self.hosts.hosts for word in (*map(str, host.ours()), *host.leftovers())]

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="session")
def spared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preloader]:
    """Of a copy of the checkout, whose sweeps have neither canary nor report."""
    made = Preloader(copy_checkout(tmp_path_factory.mktemp("spared") / "tree", "canary", "report"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    if reason := reason_against():
        pytest.skip(reason)
    with Hosts(tmp_path_factory.mktemp("hosts"), 4) as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, hosts: Hosts, preloader: Preloader) -> Iterator[Desk]:
    made = Desk(tmp_path, hosts, preloader)
    made.study([2, 4])
    hosts.describe()
    yield made
    made.close()
    for host in hosts.hosts:
        host.go_on()
        host.join()
        host.clean()
