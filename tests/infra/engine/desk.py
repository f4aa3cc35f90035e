"""A person's desk with Pulumi's real engine: a fresh checkout, a state of its own, the provider's stand-in attached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.infra.engine.cloud import Cloud
from tests.infra.engine.provider import Provider, Serving
from tests.infra.program import NEEDED, ROOT

LIMIT_S = 300  # of one command: a fault must not hang
PASSPHRASE = "of-the-tests"
SECRET = "ya29.of-the-tests-alone"
NOT_CLONED = (".git", ".venv", "__pycache__", "build", "*.egg-info", ".*_cache")
OWN = ("infra/clusters", "infra/stacks", "results/runs")  # of this checkout: no other begins with them
DRIVER = str(Path(__file__).with_name("driver.py"))


@dataclass
class Desk:
    """`fab` and `pulumi` in a checkout of their own; `stack` is what most tests are about."""

    folder: Path
    serving: Serving
    stack: str
    tree: Path = field(init=False)
    menu: list[str] = field(default_factory=lambda: [DRIVER])
    changes: dict[str, str | None] = field(default_factory=dict)  # of the environment; None takes away
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tree = self.clone("checkout")
        (self.folder / "state").mkdir()

    @property
    def provider(self) -> Provider:
        return self.serving.provider

    @property
    def cloud(self) -> Cloud:
        return self.provider.cloud

    @property
    def files(self) -> Path:
        return self.tree / "infra" / "clusters" / self.stack

    @property
    def environment(self) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "GOOGLE_"))}
        found: dict[str, str | None] = {
            **mine,
            **self.serving.environment,
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "COLUMNS": "300",
            **self.changes,
        }
        return {name: value for name, value in found.items() if value is not None}

    def clone(self, name: str) -> Path:
        """A fresh checkout, with the venv that `make cloud` makes."""
        tree = self.folder / name
        shutil.copytree(ROOT, tree, ignore=_not_cloned)
        (tree / ".venv").symlink_to(sys.prefix)
        return tree

    def init(self, **settings: str) -> None:
        """What README tells a person to do once."""
        self.pulumi("stack", "select", "--create", self.stack)
        for key, value in NEEDED.items():
            self.pulumi("config", "set", key, value)
        for key, value in settings.items():
            self.pulumi("config", "set", f"convscale:{key}", value)

    def point(self) -> None:
        """Google's own client to the stand-in, and a token that must stay secret."""
        self.pulumi("config", "set", "gcp:computeCustomEndpoint", self.cloud.compute.endpoint)
        self.pulumi("config", "set", "--secret", "gcp:accessToken", SECRET)

    def begin(self, *command: str, tree: Path | None = None, environment: Mapping[str, str] | None = None) -> Any:
        process = subprocess.Popen(
            command,
            cwd=tree or self.tree,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str], status: int | None = 0) -> str:
        """What it printed; None for `status` where any will do."""
        out, _ = process.communicate(timeout=LIMIT_S)
        assert status is None or process.returncode == status, out
        return out

    def pulumi(self, *words: str, fails: bool = False, tree: Path | None = None) -> str:
        """A command of the engine; what it printed. How it says that it failed is another number in other versions."""
        process = self.begin("pulumi", *words, "--non-interactive", tree=tree)
        said = self.end(process, None)
        assert (process.returncode != 0) == fails, said
        return said

    def up(self, *words: str, fails: bool = False) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", *words, fails=fails)

    def destroy(self) -> None:
        """Plain `pulumi destroy` once rank 0's node is no longer protected."""
        self.pulumi("state", "unprotect", "--all", "--yes")
        self.pulumi("destroy", "--yes")

    def fab(self, *words: str, status: int | None = 0, tree: Path | None = None) -> str:
        """A task of the checkout's menu; what it printed."""
        return self.end(self.begin_fab(*words, tree=tree), status)

    def begin_fab(self, *words: str, tree: Path | None = None) -> Any:
        environment = {"PYTHONPATH": str(tree or self.tree)}
        return self.begin(sys.executable, *self.menu, *words, tree=tree, environment=environment)

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.pulumi("stack", "output", "--json")))

    @property
    def state(self) -> str:
        """The state's file, as it lies on the disk; empty where there is none."""
        file = self.folder / "state" / ".pulumi" / "stacks" / "convscale" / f"{self.stack}.json"
        return file.read_text() if file.exists() else ""

    def known(self) -> list[str]:
        """What the state has of Google's, by Pulumi's name, sorted."""
        resources = json.loads(self.state)["checkpoint"]["latest"].get("resources", [])
        return sorted(each["urn"].rpartition("::")[2] for each in resources if each["type"].startswith("gcp:"))

    def locks(self) -> list[Path]:
        return list((self.folder / "state" / ".pulumi" / "locks").rglob("*.json"))

    def asked(self) -> list[str]:
        """What Google was asked to do since the last time, sorted."""
        done = sorted(self.provider.done)
        self.provider.done.clear()
        return done

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _not_cloned(folder: str, names: list[str]) -> set[str]:
    """What a fresh checkout does not have, of the names in a folder."""
    own = {name for name in names if (Path(folder) / name).relative_to(ROOT).as_posix() in OWN}
    return own | shutil.ignore_patterns(*NOT_CLONED)(folder, names)
