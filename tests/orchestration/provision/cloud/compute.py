"""Google's compute interface over plain HTTP, as far as fab asks it: a stand-in that holds what tests put there."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCOPED = ("instances", "disks", "addresses", "routers", "subnetworks")
GLOBAL = ("firewalls", "networks")


@dataclass
class Compute:
    """One project. `held` maps `zones/z/instances/name` and the like to its document; faults answer in their place."""

    endpoint: str = ""
    project: str = "lab"
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    quotas: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by region, "" for the project's
    arriving: dict[str, dict[str, Any]] = field(default_factory=dict)  # held from the first question after nodes on
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)  # by instance
    consoles: dict[str, str] = field(default_factory=dict)
    fault: tuple[int, dict[str, Any]] | None = None
    faults_left: int = 10**9
    asked: list[str] = field(default_factory=list)
    next_address: str = ""
    deleted: list[str] = field(default_factory=list)

    def put(self, path: str, **values: Any) -> None:
        self.held[path] = {
            "name": path.rpartition("/")[2],
            "creationTimestamp": "2026-11-23T02:00:00.000-00:00",
        } | values

    def fail(self, status: int, message: str, reason: str = "", times: int = 10**9) -> None:
        errors = [{"message": message, "domain": "usageLimits", "reason": reason}]
        self.fault = status, {"error": {"code": status, "message": message, "errors": errors}}
        self.faults_left = times

    def answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(f"{method} {path}")
        if self.fault is not None and self.faults_left > 0:
            self.faults_left -= 1
            return self.fault
        found = re.fullmatch(r"/compute/v1/projects/([^/]+)/?(.*)", path.partition("?")[0])
        if found is None or found[1] != self.project:
            return _missing(path)
        verbs = {"DELETE": self._delete, "POST": self._post, "GET": self._get}
        return verbs[method](found[2])

    def _post(self, rest: str) -> tuple[int, dict[str, Any]]:
        """start and stop of an instance; Google may give a started one another address."""
        path, _, verb = rest.rpartition("/")
        if path not in self.held:
            return _missing(path)
        self.held[path]["status"] = {"start": "RUNNING", "stop": "TERMINATED"}[verb]
        if verb == "start" and self.next_address:
            access = {"accessConfigs": [{"natIP": self.next_address}]}
            self.held[path]["networkInterfaces"] = [access]
        return 200, {"name": "operation-1", "status": "DONE", "zone": f"x/{'/'.join(path.split('/')[:2])}"}

    def _delete(self, rest: str) -> tuple[int, dict[str, Any]]:
        if rest not in self.held:
            return _missing(rest)
        users = [name for name, item in self.held.items() if rest in item.get("uses", ())]
        if users:
            return 400, {"error": {"code": 400, "message": f"The resource {rest} is already being used by {users[0]}"}}
        for path in [path for path in self.held if path == rest or path.startswith(f"{rest}/")]:
            for gone in (path, *self.held[path].get("takes", ())):  # a node's own disk goes with it
                self.held.pop(gone, None)
        self.deleted.append(rest)
        place = "/".join(rest.split("/")[:-2])
        own = {"zone": f"x/{place}"} if place.startswith("zones") else {"region": f"x/{place}"} if place else {}
        return 200, {"name": "operation-1", "status": "DONE", "progress": 100, **own}

    def _get(self, rest: str) -> tuple[int, dict[str, Any]]:
        words = rest.split("/")
        if rest == "":
            return 200, {"name": self.project, "quotas": self.quotas.get("", [])}
        if words[0] == "regions" and len(words) == 2:
            return 200, {"name": words[1], "quotas": self.quotas.get(words[1], [])}
        if words[0] == "aggregated":
            return 200, {"items": self._scopes(words[1])}
        if words[0] == "global" and len(words) == 2:
            return 200, {"items": [item for path, item in self.held.items() if path.startswith(f"{rest}/")]}
        return self._of_instance(rest, words)

    def _of_instance(self, rest: str, words: list[str]) -> tuple[int, dict[str, Any]]:
        if words[-1] == "getGuestAttributes":
            return self._attributes(words[-2])
        if words[-1] == "serialPort":
            return 200, {"contents": self.consoles.get(words[-2], "")}
        return (200, self.held[rest]) if rest in self.held else _missing(rest)

    def _scopes(self, kind: str) -> dict[str, Any]:
        # Google names every zone, also those that hold nothing
        scopes: dict[str, Any] = {"zones/us-east1-b": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for path, item in self.held.items():
            scope, _, found = path.rpartition("/")[0].rpartition("/")
            if found == kind:
                scopes.setdefault(scope, {}).setdefault(kind, []).append(item)
        return scopes

    def _attributes(self, instance: str) -> tuple[int, dict[str, Any]]:
        for path in self.arriving:
            self.put(path, **self.arriving[path])
        self.arriving = {}
        published = self.attributes.get(instance)
        if not published:
            return _missing(f"guest attributes of {instance}")
        items = []
        for name, value in published.items():
            namespace, _, key = name.partition("/")
            items.append({"namespace": namespace, "key": key, "value": value})
        return 200, {"queryPath": "", "queryValue": {"items": items}}


def _missing(what: str) -> tuple[int, dict[str, Any]]:
    return 404, {"error": {"code": 404, "message": f"The resource '{what}' was not found"}}


@contextmanager
def serving() -> Iterator[Compute]:
    """The stand-in on a free port of this machine."""
    compute = Compute()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, document = compute.answer(self.command, self.path)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        compute.endpoint = f"http://127.0.0.1:{server.server_port}/compute/v1/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield compute
        finally:
            server.shutdown()
            thread.join()
