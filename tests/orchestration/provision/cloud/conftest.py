"""A project's root with one stack, Google's stand-in, a `pulumi` that plays, and a person who answers."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.clusters.folder import ClusterFolder
from orchestration.operator import Operator, Person, WallClock
from orchestration.paths import RunsFolder
from orchestration.provision.cloud.service import Cloud
from orchestration.ssh.keys import make_pair
from tests.orchestration.provision.cloud import plays
from tests.orchestration.provision.cloud.compute import Compute, serving

UTC = "2026-11-23T02:10:00+00:00"


@pytest.fixture
def compute() -> Iterator[Compute]:
    with serving() as made:
        yield made


@dataclass
class Desk:
    """Where a person sits; `answers` are taken one after the other."""

    root: Path
    engine: plays.Engine
    compute: Compute
    printed: io.StringIO = field(default_factory=io.StringIO)
    answers: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[], None] = lambda: None
    utc: str = UTC

    def cloud(self, yes: bool = False, terminal: bool = True) -> Cloud:
        who = self.operator(yes, terminal)
        return Cloud(who.root, who.environment, who.person, who.clock)

    def operator(self, yes: bool = False, terminal: bool = True) -> Operator:
        def ask(question: str) -> str:
            self.asked.append(question)
            return self.answers.pop(0)

        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.on_sleep()

        console = Console(file=self.printed, width=300)
        ticks = itertools.count()
        clock = WallClock(lambda: float(next(ticks)), lambda: self.utc, sleep)
        environment = {"PATH": str(self.engine.folder)}
        person = Person(console, yes, ask if terminal else None)
        return Operator(self.root, RunsFolder(self.root / "results" / "runs"), environment, person, clock)

    @property
    def text(self) -> str:
        return self.printed.getvalue()

    def live(self, **changes: Any) -> dict[str, Any]:
        """The cluster stands, and its key lies here."""
        play = plays.living_cluster(**changes)
        self.engine.play(play)
        self.folder.mkdir(parents=True)
        make_pair(ClusterFolder(self.folder))
        return play

    @property
    def folder(self) -> Path:
        return self.root / "infra" / "clusters" / "fat"


@pytest.fixture
def desk(tmp_path: Path, compute: Compute, monkeypatch: pytest.MonkeyPatch) -> Desk:
    root = tmp_path / "project"
    (root / "infra" / "stacks").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: convscale\nruntime: python\n")
    (root / "Pulumi.fat.yaml").write_text("config:\n  convscale:nodes: 2\n")
    own = f"config:\n  gcp:project: lab\n  gcp:computeCustomEndpoint: {compute.endpoint}\n"
    (root / "infra" / "stacks" / "Pulumi.fat.yaml").write_text(own)
    engine = plays.Engine(tmp_path / "bin", plays.new_cluster())
    monkeypatch.setenv("PATH", str(engine.folder), prepend=":")
    monkeypatch.setattr(
        "orchestration.provision.cloud.pairing.pair", lambda *_: None
    )  # tests/cluster does that over real SSH
    compute.quotas = {
        "us-central1": [
            {"metric": "CPUS", "limit": 24, "usage": 4},
            {"metric": "IN_USE_ADDRESSES", "limit": 4, "usage": 0},
        ]
    }
    for number in (1, 2):
        name = f"convscale-fat-node{number}"
        compute.arriving[f"zones/us-central1-a/instances/{name}"] = {"status": "RUNNING"}
        compute.attributes[name] = {
            "convscale/bootstrap": "ready",
            "convscale/hostkey": f"ssh-ed25519 {plays.HOST_KEY}",
        }
    return Desk(root, engine, compute)
