"""A stand-in for Pulumi's provider `gcp`, as the engine asks one over gRPC: attached to it, never found on PATH."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.infra.engine import shapes
from tests.infra.engine.cloud import Cloud, GoogleRefusesError, noun, outputs
from tests.infra.engine.replacing import changed, refusal, replacing

VERSION = "10.2.0"


@dataclass
class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Hears the name of whatever is about to be made (`before`), was made (`after`), or is about to go (`parting`).

    What hears it may take its time.
    """

    cloud: Cloud
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    parting: Callable[[str], None] = lambda _: None
    done: list[str] = field(default_factory=list)  # "create NAME", ...: what Google was asked for
    configured: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: N802  gRPC's names
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return provider_pb2.GetSchemaResponse(schema=f'{{"name": "gcp", "version": "{VERSION}"}}')

    def CheckConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, _context: Any) -> Any:  # noqa: N802
        self.configured = dict(request.variables)
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, _context: Any) -> Any:  # noqa: N802
        found = shapes.faults(request.type, read(request.news))
        failures = [provider_pb2.CheckFailure(property=path, reason=why) for path, why in found]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, _context: Any) -> Any:  # noqa: N802
        old, new = read(request.old_inputs), read(request.news)
        ignored = list(request.ignoreChanges)
        paths = [path for path in changed(old, new) if path not in ignored]
        fixed = [path for path in paths if replacing(noun(request.type), path, old, new)]
        kinds = provider_pb2.PropertyDiff
        detailed = {
            path: kinds(kind=kinds.UPDATE_REPLACE if path in fixed else kinds.UPDATE, inputDiff=True) for path in paths
        }
        some = provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE
        tops = sorted({re.split(r"[.\[]", path)[0] for path in paths})
        return provider_pb2.DiffResponse(
            changes=some, diffs=tops, replaces=fixed, detailedDiff=detailed, hasDetailedDiff=True
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs = read(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=written(outputs(request.type, inputs, preview=True)))
        self.before(request.name)
        with self.lock, _told(context):
            path, made = self.cloud.create(request.type, inputs)
            self.done.append(f"create {request.name}")
        self.after(request.name)
        return provider_pb2.CreateResponse(id=path, properties=written(made))

    def Read(self, request: Any, _context: Any) -> Any:  # noqa: N802
        if (found := self.cloud.read(request.id)) is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=written(found.outputs), inputs=written(found.inputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs = read(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=written(read(request.olds) | inputs))
        with self.lock, _told(context):
            if why := refusal(noun(request.type), read(request.old_inputs), inputs):
                raise GoogleRefusesError(why)
            made = self.cloud.update(request.id, inputs)
            self.done.append(f"update {request.name}")
        return provider_pb2.UpdateResponse(properties=written(made))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.parting(request.name)
        with self.lock, _told(context):
            self.cloud.delete(request.id)
            self.done.append(f"delete {request.name}")
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


def read(struct: Any) -> dict[str, Any]:
    """Properties as the wire has them."""
    return dict(json_format.MessageToDict(struct))


def written(properties: dict[str, Any]) -> Any:
    """Properties for the wire."""
    return json_format.ParseDict(properties, struct_pb2.Struct())


@contextmanager
def _told(context: Any) -> Iterator[None]:
    try:
        yield
    except GoogleRefusesError as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


@dataclass
class Serving:
    """A provider at work on a port of this machine; a crash closes every connection in mid-answer."""

    provider: Provider
    port: int = 0
    server: grpc.Server | None = None

    def start(self) -> None:
        self.server = grpc.server(ThreadPoolExecutor(32))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self.provider, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def crash(self) -> None:
        assert self.server is not None
        self.server.stop(None)

    @property
    def environment(self) -> dict[str, str]:
        return {"PULUMI_DEBUG_PROVIDERS": f"gcp:{self.port}"}
