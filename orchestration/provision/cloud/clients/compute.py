"""Google's compute interface, through Google's own client: quotas, guest attributes, what is there, its removal."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestration.provision.cloud.clients import remedies

ASK_S = 30.0
CHANGE_S = 300.0
# in the order in which they can be deleted: what is used comes after what uses it
KINDS = ("instance", "disk", "resource_policy", "router", "firewall", "address", "subnetwork", "network")
BILLING = ("instance", "disk", "address", "router")  # a router bills for its NAT


class GoogleError(Exception):
    """Google did not do it; the message is one line that says why, and what to do."""


@dataclass(frozen=True)
class Quota:
    """How much of something a project may have, and has."""

    limit: float
    usage: float


@dataclass(frozen=True)
class Resource:
    """Something that exists at Google; `place` is its zone or region, empty where it has none."""

    kind: str
    name: str
    place: str
    created: str
    status: str = ""

    @property
    def bills(self) -> bool:
        return self.kind in BILLING


class Google:
    """One project. `endpoint` replaces Google's own address; over plain http no credentials are sent."""

    def __init__(self, project: str | None, endpoint: str | None = None) -> None:
        self._project = project
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}

    @property
    def project(self) -> str:
        """Raises GoogleError where neither the stack nor the credentials name one."""
        name = self._project or self._login[1]
        if not name:
            raise GoogleError("no project is named: 'pulumi config set gcp:project NAME' for the stack, or --project")
        return str(name)

    def quotas(self, region: str) -> dict[str, Quota]:
        """By Google's metric names: the region's, and the project's own (of all regions). Raises GoogleError."""
        with _explained():
            of_region = self._client("Regions").get(project=self.project, region=region, **_once())
            of_project = self._client("Projects").get(project=self.project, **_once())
        return {str(item.metric): Quota(item.limit, item.usage) for item in (*of_project.quotas, *of_region.quotas)}

    def guest_attributes(self, zone: str, instance: str) -> dict[str, str]:
        """What a node published of itself, by `namespace/key`; empty before it did. Raises GoogleError."""
        from google.api_core.exceptions import NotFound
        from google.cloud import compute_v1

        request = compute_v1.GetGuestAttributesInstanceRequest(
            project=self.project, zone=zone, instance=instance, query_path=""
        )
        try:
            with _explained(NotFound):
                found = self._client("Instances").get_guest_attributes(request, **_once())
        except NotFound:
            return {}
        return {f"{item.namespace}/{item.key}": str(item.value) for item in found.query_value.items}

    def status(self, zone: str, instance: str) -> str | None:
        """Google's word for a node's state (RUNNING, TERMINATED, ...); None where there is none. Raises GoogleError."""
        from google.api_core.exceptions import NotFound

        try:
            with _explained(NotFound):
                found = self._client("Instances").get(project=self.project, zone=zone, instance=instance, **_once())
        except NotFound:
            return None
        return str(found.status)

    def cpu_platform(self, zone: str, instance: str) -> str:
        """Google's name of the processors that a node runs on; empty while it says none. Raises GoogleError."""
        with _explained():
            found = self._client("Instances").get(project=self.project, zone=zone, instance=instance, **_once())
        return str(found.cpu_platform)

    def addresses(self, zone: str, instance: str) -> list[str]:
        """A node's external addresses. Raises GoogleError."""
        with _explained():
            found = self._client("Instances").get(project=self.project, zone=zone, instance=instance, **_once())
        four = [config.nat_i_p for interface in found.network_interfaces for config in interface.access_configs]
        six = [each.external_ipv6 for interface in found.network_interfaces for each in interface.ipv6_access_configs]
        return [str(address) for address in (*four, *six) if address]

    def start(self, zone: str, instance: str) -> None:
        """Starts a stopped node, and waits until it runs. Raises GoogleError."""
        with _explained():
            client = self._client("Instances")
            client.start(project=self.project, zone=zone, instance=instance, **_once()).result(timeout=CHANGE_S)

    def stop(self, zone: str, instance: str) -> None:
        """Stops a node, whose disk stays. Raises GoogleError."""
        with _explained():
            client = self._client("Instances")
            client.stop(project=self.project, zone=zone, instance=instance, **_once()).result(timeout=CHANGE_S)

    def last_words(self, zone: str, instance: str) -> str:
        """The last line on a node's serial console; empty where nothing can be read."""
        from google.cloud import compute_v1

        request = compute_v1.GetSerialPortOutputInstanceRequest(project=self.project, zone=zone, instance=instance)
        try:
            with _explained():
                text = str(self._client("Instances").get_serial_port_output(request, **_once()).contents)
        except GoogleError:
            return ""
        lines = [line for line in remedies.COLOUR.sub("", text).splitlines() if line.strip()]
        return lines[-1].strip()[: remedies.LIMIT] if lines else ""

    def resources(self, prefix: str) -> list[Resource]:
        """Everything whose name begins so, in the order in which it can be deleted. Raises GoogleError."""
        found = []
        with _explained():
            for kind in KINDS:
                for place, item in self._all(kind):
                    if str(item.name).startswith(prefix):
                        status = str(getattr(item, "status", "") or "")
                        created = str(item.creation_timestamp)
                        found.append(Resource(kind, str(item.name), place, created, status))
        return found

    def delete(self, resource: Resource) -> None:
        """Deletes it and waits until it is gone; nothing where it is gone already. Raises GoogleError."""
        from google.api_core.exceptions import NotFound

        client = self._client(CLIENTS[resource.kind])
        where = {resource.kind: resource.name, "project": self.project}
        if resource.kind in ("instance", "disk"):
            where["zone"] = resource.place
        elif resource.kind in ("resource_policy", "router", "address", "subnetwork"):
            where["region"] = resource.place
        try:
            with _explained(NotFound):
                client.delete(**where, **_once()).result(timeout=CHANGE_S)
        except NotFound:
            return

    def _all(self, kind: str) -> Iterator[tuple[str, Any]]:
        client = self._client(CLIENTS[kind])
        if kind in ("firewall", "network"):
            for item in client.list(project=self.project, **_once()):
                yield "", item
            return
        for scope, within in client.aggregated_list(project=self.project, **_once()):
            for item in getattr(within, _plural(kind)):
                yield scope.rpartition("/")[2], item

    @functools.cached_property
    def _login(self) -> tuple[Any, str | None]:
        from google.auth.credentials import AnonymousCredentials

        if self._endpoint is not None and self._endpoint.startswith("http://"):
            return AnonymousCredentials(), None  # type: ignore[no-untyped-call]
        import google.auth
        from google.auth.exceptions import GoogleAuthError

        try:
            scopes = ["https://www.googleapis.com/auth/cloud-platform"]
            credentials, project = google.auth.default(scopes=scopes)
        except GoogleAuthError as error:
            raise GoogleError(f"this machine has no credentials for Google: {remedies.LOGIN}") from error
        return credentials, project

    def _client(self, what: str) -> Any:
        """Google's client of a kind of thing, with the credentials found once."""
        from google.cloud import compute_v1

        if what not in self._clients:
            options = None if self._endpoint is None else {"api_endpoint": _host(self._endpoint)}
            made = getattr(compute_v1, f"{what}Client")
            self._clients[what] = made(credentials=self._login[0], client_options=options)
        return self._clients[what]


CLIENTS: Mapping[str, str] = {
    "instance": "Instances",
    "disk": "Disks",
    "resource_policy": "ResourcePolicies",
    "router": "Routers",
    "firewall": "Firewalls",
    "address": "Addresses",
    "subnetwork": "Subnetworks",
    "network": "Networks",
}


def _plural(kind: str) -> str:
    if kind.endswith("y"):
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _host(endpoint: str) -> str:
    """Scheme and host: Google's client knows the path itself."""
    found = re.match(r"https?://[^/]+", endpoint)
    return found[0] if found else endpoint


def _once() -> dict[str, Any]:
    """A moment's trouble is waited out; a lasting one is told within half a minute."""
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    passing = if_exception_type(exceptions.ServiceUnavailable, exceptions.BadGateway, exceptions.InternalServerError)
    return {"timeout": ASK_S, "retry": Retry(predicate=passing, initial=0.2, maximum=4.0, timeout=ASK_S)}


@contextmanager
def _explained(*let_through: type[Exception]) -> Iterator[None]:
    """Turns what Google's client raises into one line."""
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except let_through:
        raise
    except GoogleAPIError as error:
        raise GoogleError(remedies.explained(f"Google answers: {_words(error)}")) from error
    except GoogleAuthError as error:
        words = remedies.one_line(str(error))
        raise GoogleError(f"Google does not take the credentials ({words}): {remedies.LOGIN}") from error
    except requests.RequestException as error:
        raise GoogleError(f"Google is not reached ({type(error).__name__}): is this machine online?") from error


def _words(error: Any) -> str:
    """The message, and the reasons that only the error's parts name (accessNotConfigured, quotaExceeded)."""
    parts = [str(item.get("reason", "")) for item in getattr(error, "errors", ()) if isinstance(item, Mapping)]
    cause = getattr(error, "cause", None) or getattr(error, "__cause__", None)
    words = [str(error), *parts, "" if cause is None else str(cause)]
    return re.sub(r"(GET|POST|DELETE) https?://\S+: ", "", " ".join(dict.fromkeys(filter(None, words))))
