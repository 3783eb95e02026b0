"""The ControllerRuntime service: engines in other processes join, and people ask what controllers did and why.

A call of Join lasts as long as its controllers work: when it ends, for whatever reason, they are dismissed. So a
process that is killed leaves nobody on the roster. Not part of the COSI specification: proto/v1alpha1/runtime.proto.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final, Protocol

import anyio

from cosi._pb.v1alpha1 import runtime_pb2
from cosi.journal import codec as journal_codec
from cosi.journal.records import Write
from cosi.resource import wire
from cosi.resource.controllers import ControllerDefinition
from cosi.resource.metadata import Pointer
from cosi.resource.registry import Registry
from cosi.rpc.codec import parse
from cosi.rpc.codes import RuntimeMethod
from cosi.rpc.health import Nothing
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Frames, Refusal, Service, frame

NAME: Final = runtime_pb2.DESCRIPTOR.services_by_name["ControllerRuntime"].full_name

MAX_JOINING: Final = 256
"""How many controllers may join in one call."""

MAX_REPORTED: Final = 1024
"""How many writes may be reported in one call."""

_REGISTRY: Final = Registry((ControllerDefinition,))
_NOTHING: Final = frame(b"")


class RuntimeHost(Protocol):
    """What the service tells of, and lets others join."""

    async def join(self, members: Sequence[ControllerDefinition]) -> None:
        """Admit the controllers of another process. Raises ValueError if they can't join."""

    async def leave(self, members: Sequence[ControllerDefinition]) -> None:
        """Dismiss them."""

    def report(self, writes: Sequence[Write]) -> None:
        """Take note of what controllers of another process have written."""

    async def explain(self, pointer: Pointer) -> Sequence[Write]:
        """Return the write of a resource as it is and those that led to it. Raises NotFound."""

    def metrics(self) -> str:
        """Return the numbers of all controllers in this process, in Prometheus's text format."""


def service(host: RuntimeHost) -> Service:
    """Return the service of a host."""
    methods = _Methods(host)
    return Service(
        NAME,
        unary={
            RuntimeMethod.REPORT: methods.report,
            RuntimeMethod.EXPLAIN: methods.explain,
            RuntimeMethod.METRICS: methods.metrics,
        },
        server_streaming={RuntimeMethod.JOIN: methods.join},
    )


class _Methods:
    def __init__(self, host: RuntimeHost) -> None:
        self._host = host

    async def join(self, request: bytes, _: Call) -> AsyncGenerator[Frames | Feed, None]:
        message = parse(runtime_pb2.JoinRequest, request)
        if len(message.controllers) > MAX_JOINING:
            raise Refusal(Code.INVALID_ARGUMENT, f"at most {MAX_JOINING} controllers join at once")
        members = [ControllerDefinition.of(wire.received(each, _REGISTRY)) for each in message.controllers]
        try:
            await self._host.join(members)
        except ValueError as error:
            raise Refusal(Code.FAILED_PRECONDITION, str(error)) from None
        try:
            yield _NOTHING
            yield Nothing()
        finally:
            with anyio.CancelScope(shield=True):
                await self._host.leave(members)

    async def report(self, request: bytes, _: Call) -> Frames:
        message = parse(runtime_pb2.ReportRequest, request)
        if len(message.writes) > MAX_REPORTED:
            raise Refusal(Code.INVALID_ARGUMENT, f"at most {MAX_REPORTED} writes are reported at once")
        try:
            self._host.report(journal_codec.from_messages(message.writes))
        except ValueError as error:
            raise Refusal(Code.INVALID_ARGUMENT, f"a write makes no sense: {error}") from None
        return _NOTHING

    async def explain(self, request: bytes, _: Call) -> Frames:
        message = parse(runtime_pb2.ExplainRequest, request)
        writes = await self._host.explain(Pointer(message.namespace, message.type, message.id))
        return frame(runtime_pb2.ExplainResponse(writes=journal_codec.to_messages(writes)).SerializeToString())

    async def metrics(self, request: bytes, _: Call) -> Frames:
        parse(runtime_pb2.MetricsRequest, request)
        return frame(runtime_pb2.MetricsResponse(text=self._host.metrics()).SerializeToString())
