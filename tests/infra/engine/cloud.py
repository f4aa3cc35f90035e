"""What Google does with what the provider asks for: a name is taken once, a link leads somewhere, what is used stays.

All of it lies in the stand-in of Google's interface, so that Google's client sees the same things.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.infra.engine.shapes import UNKNOWN
from tests.orchestration.provision.cloud.compute import Compute
from tests.orchestration.provision.cloud.plays import HOST_KEY

READY = {
    "convscale/bootstrap": "ready",
    "convscale/hostkey": f"ssh-ed25519 {HOST_KEY}",
    "hostkeys/ssh-ed25519": HOST_KEY,
}
HEAD = "198.51.100.9"
PLACES = {
    "Instance": "zones/{zone}/instances/{name}",
    "Address": "regions/{region}/addresses/{name}",
    "Subnetwork": "regions/{region}/subnetworks/{name}",
    "Router": "regions/{region}/routers/{name}",
    "RouterNat": "regions/{region}/routers/{router}/nats/{name}",
    "Firewall": "global/firewalls/{name}",
    "Network": "global/networks/{name}",
    "ResourcePolicy": "regions/{region}/resourcePolicies/{name}",
}
LINK = "https://www.googleapis.com/compute/v1/projects/"


class GoogleRefusesError(Exception):
    """As the provider tells it."""


def noun(kind: str) -> str:
    """`Instance` for gcp:compute/instance:Instance."""
    return kind.rpartition(":")[2]


def outputs(kind: str, inputs: dict[str, Any], preview: bool, head: str = HEAD) -> dict[str, Any]:
    """What the provider gives back: the inputs and what Google alone says, which no preview knows."""
    found = copy.deepcopy(inputs)
    path = PLACES[noun(kind)].format_map(inputs)
    found["selfLink"] = UNKNOWN if preview else f"{LINK}{inputs['project']}/{path}"
    if noun(kind) != "Instance":
        return found
    pacific = datetime.timezone(datetime.timedelta(hours=-8))
    found["creationTimestamp"] = UNKNOWN if preview else datetime.datetime.now(pacific).isoformat("T", "milliseconds")
    for interface in found["networkInterfaces"]:
        for config in interface.get("accessConfigs", []):
            config["natIp"] = UNKNOWN if preview else head
        for config in interface.get("ipv6AccessConfigs", []):
            config["externalIpv6"] = UNKNOWN if preview else "2600:1900::9"
    return found


@dataclass
class Made:
    """A resource of the provider's."""

    kind: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass
class Cloud:
    """One project; what `compute` no longer holds is gone, whoever took it away."""

    compute: Compute
    head: str = HEAD  # where the internet finds rank 0
    heads: dict[str, str] = field(default_factory=dict)  # the same by a node's name, if not `head`
    made: dict[str, Made] = field(default_factory=dict)
    publishes: dict[str, dict[str, str]] = field(default_factory=dict)  # what a node says of itself, if not READY
    refuses: dict[str, str] = field(default_factory=dict)  # by name: Google's words
    platforms: dict[str, str] = field(default_factory=dict)  # by name: the processors, if not Intel Broadwell

    def create(self, kind: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The new resource's id and outputs. Raises GoogleRefusesError."""
        path = PLACES[noun(kind)].format_map(inputs)
        if inputs["name"] in self.refuses and noun(kind) == "Instance":
            raise GoogleRefusesError(self.refuses[inputs["name"]])
        if path in self.compute.held:
            raise GoogleRefusesError(f"googleapi: Error 409: The resource '{path}' already exists, alreadyExists")
        if missing := [link for link in _links(inputs) if link not in self.compute.held]:
            raise GoogleRefusesError(f"googleapi: Error 404: The resource '{missing[0]}' was not found, notFound")
        self.made[path] = Made(kind, inputs, outputs(kind, inputs, preview=False, head=self._head(inputs)))
        uses = [*_links(inputs), *self._addresses(kind, inputs)]
        platform = self.platforms.get(str(inputs["name"]), "Intel Broadwell")
        self.compute.put(path, status="RUNNING", cpuPlatform=platform, uses=uses)
        if noun(kind) == "Instance":
            name, disk = str(inputs["name"]), path.replace("/instances/", "/disks/")
            self.compute.put(disk)
            self.compute.held[path]["takes"] = [disk]
            self.compute.attributes[name] = self.publishes.get(name, READY)
        return path, self.made[path].outputs

    def read(self, path: str) -> Made | None:
        """None where it is gone."""
        return self.made.get(path) if path in self.compute.held else None

    def update(self, path: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """The changed resource's outputs. Raises GoogleRefusesError."""
        if (found := self.read(path)) is None:
            raise GoogleRefusesError(f"googleapi: Error 404: The resource '{path}' was not found, notFound")
        kept = {key: found.outputs[key] for key in ("creationTimestamp", "selfLink") if key in found.outputs}
        found.inputs, found.outputs = inputs, outputs(found.kind, inputs, preview=False, head=self._head(inputs)) | kept
        return found.outputs

    def delete(self, path: str) -> None:
        """Nothing where it is gone already. Raises GoogleRefusesError."""
        if path not in self.compute.held:
            return
        status, document = self.compute.answer("DELETE", f"/compute/v1/projects/{self.compute.project}/{path}")
        if status != 200:
            raise GoogleRefusesError(f"googleapi: Error {status}: {document['error']['message']}, resourceInUse")

    def names(self, noun_: str) -> list[str]:
        """Google's names of what there is of a kind."""
        words = PLACES[noun_].split("/")[-2]
        return sorted(path.rpartition("/")[2] for path in self.compute.held if path.split("/")[-2] == words)

    def take(self, name: str) -> None:
        """A node goes behind everybody's back, as at its lifetime's end."""
        self.delete(next(path for path in self.compute.held if path.endswith(f"/instances/{name}")))

    def _head(self, inputs: dict[str, Any]) -> str:
        return self.heads.get(str(inputs["name"]), self.head)

    def _addresses(self, kind: str, inputs: dict[str, Any]) -> list[str]:
        """The reserved addresses that a node holds."""
        if noun(kind) != "Instance":
            return []
        own = inputs["networkInterfaces"][0]["networkIp"]
        alike = [path for path, each in self.made.items() if each.inputs.get("address") == own]
        return [path for path in alike if path in self.compute.held]


def _links(value: Any) -> Iterator[str]:
    """The resources that a resource's inputs point to."""
    if isinstance(value, str) and value.startswith(LINK):
        yield value.removeprefix(LINK).partition("/")[2]
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _links(each)
