"""The Pulumi program, run whole under mocks in a copy of the tree: what it registered, exported and wrote."""

from __future__ import annotations

import asyncio
import json
import runpy
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.output import Unknown
from pulumi.runtime import mocks, settings, stack, sync_await

from tests.infra.engine.shapes import UNKNOWN

ROOT = Path(__file__).parents[2]
CREATED = "2026-11-22T18:00:00.000-08:00"  # as Google says it
NEEDED = {"gcp:project": "my-project", "convscale:ssh_from": "203.0.113.7/32"}


@dataclass(frozen=True)
class Resource:
    """What the program asked for, by Pulumi's names."""

    kind: str
    name: str
    inputs: dict[str, Any]


class Monitor(mocks.MockMonitor):
    """Keeps what the program asked the engine for each resource: its options as well."""

    def __init__(self, google: Google) -> None:
        super().__init__(google)
        self.requests: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  gRPC's name
        self.requests[request.name] = request
        return super().RegisterResource(request)


@dataclass(frozen=True)
class Ran:
    """`requests` by Pulumi's name, as the engine's wire has them.

    `outputs` are collected outside any apply; an unknown one is None.
    """

    resources: list[Resource]
    requests: dict[str, Any]
    outputs: dict[str, Any]
    folder: Path

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type's last word, by Google's name."""
        found = [each for each in self.resources if each.kind.endswith(f":{kind}")]
        return sorted(found, key=lambda each: each.inputs["name"])

    @property
    def text(self) -> str:
        """All inputs and outputs as text: what a state would hold."""
        return json.dumps([[each.kind, each.name, each.inputs] for each in self.resources]) + json.dumps(self.outputs)


class Google(mocks.Mocks):
    """Answers as Google would where a value is its own to give, unless it is `silent` as in a first preview."""

    def __init__(self, silent: bool) -> None:
        self.silent = silent
        self.seen: list[Resource] = []

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(f"{args.token}: nothing may be asked while the program runs")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.seen.append(Resource(args.typ, args.name, _plain(args.inputs)))
        outputs = dict(args.inputs)
        if self.silent:
            return None, outputs
        outputs["selfLink"] = f"https://google/{args.inputs.get('name', '')}"
        if args.typ == "gcp:compute/instance:Instance":
            outputs["creationTimestamp"] = CREATED
            for interface in outputs["networkInterfaces"]:
                for config in interface.get("accessConfigs", []):
                    config["natIp"] = "198.51.100.9"
                for config in interface.get("ipv6AccessConfigs", []):
                    config["externalIpv6"] = "2600:1900::9"
        return f"{args.name}-id", outputs


def _plain(value: Any) -> Any:
    """A copy as the engine's wire has it."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return UNKNOWN if isinstance(value, Unknown) else value


def tree(folder: Path) -> Path:
    """A copy of what the program reads."""
    (folder / "infra").mkdir(parents=True)
    for file in [*ROOT.glob("Pulumi*.yaml"), ROOT / "constraints.txt"]:
        shutil.copy(file, folder)
    for file in [*(ROOT / "infra").glob("*.py"), *(ROOT / "infra").glob("*.toml"), *(ROOT / "infra").glob("*.sh")]:
        shutil.copy(file, folder / "infra")
    return folder


def run(
    root: Path,
    name: str,
    config: dict[str, str] | None = None,
    preview: bool = False,
    *,
    stands: bool = False,
    secret: Sequence[str] = (),
) -> Ran:
    """One `pulumi up` (or preview) of a stack, the personal settings beside the needed ones. Raises RunError.

    A preview of a cluster that `stands` knows Google's values. `secret` names the settings that were given as secrets.
    """
    google = Google(preview and not stands)
    monitor = Monitor(google)
    settings.reset_options()
    mocks.set_mocks(google, project="convscale", stack=name, preview=preview, monitor=monitor)
    pulumi.runtime.set_all_config(NEEDED | (config or {}), list(secret))
    settings.ROOT.set(None)
    outputs: dict[str, Any] = {}

    async def program() -> None:
        made = stack.Stack()
        runpy.run_path(str(root / "infra"), run_name="__main__")
        waiting = {key: pulumi.Output.from_input(value).future() for key, value in made.outputs.items()}
        outputs.update(zip(waiting, await asyncio.gather(*waiting.values()), strict=True))

    sync_await._ensure_event_loop().run_until_complete(stack.run_pulumi_func(program))
    resources = [each for each in google.seen if each.kind.startswith("gcp:")]
    return Ran(resources, monitor.requests, outputs, root / "infra" / "clusters" / name)
