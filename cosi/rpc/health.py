"""The health service of gRPC: who asks whether a service is there is told that it is, and not told otherwise later.

A server of ours serves everything it has from its first moment to its last, so a health never changes and a watch of
one is a feed to which nothing comes. Faithful to health/v1/health.proto.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Final

from grpc_health.v1 import health_pb2

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Frames, Refusal, Service, Waiter, frame

NAME: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
WHOLE_SERVER: Final = ""

_SHOWN_CHARACTERS: Final = 100
_Response = health_pb2.HealthCheckResponse
_SERVING: Final = frame(_Response(status=_Response.SERVING).SerializeToString())
_SERVICE_UNKNOWN: Final = frame(_Response(status=_Response.SERVICE_UNKNOWN).SerializeToString())


def service(names: Iterable[str]) -> Service:
    """Return the service that knows these services, itself, and the server as a whole."""
    health = _Health((WHOLE_SERVER, *names, NAME))
    return Service(NAME, unary={"Check": health.check, "List": health.list}, server_streaming={"Watch": health.watch})


class _Health:
    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        statuses = {name: _Response(status=_Response.SERVING) for name in sorted(self._names)}
        self._all = frame(health_pb2.HealthListResponse(statuses=statuses).SerializeToString(deterministic=True))

    async def check(self, request: bytes, _: Call) -> Frames:
        name = parse(health_pb2.HealthCheckRequest, request).service
        if name not in self._names:
            raise Refusal(Code.NOT_FOUND, f"unknown service {name[:_SHOWN_CHARACTERS]!r}")
        return _SERVING

    async def list(self, request: bytes, _: Call) -> Frames:
        parse(health_pb2.HealthListRequest, request)
        return self._all

    async def watch(self, request: bytes, _: Call) -> AsyncGenerator[Frames | Feed, None]:
        name = parse(health_pb2.HealthCheckRequest, request).service
        yield _SERVING if name in self._names else _SERVICE_UNKNOWN
        yield Nothing()


class Nothing(Feed):
    """A feed that neither brings anything nor ends."""

    __slots__ = ()

    def take(self) -> Frames:
        return b""

    def when_ready(self, waiter: Waiter) -> None:
        pass

    def forget(self, waiter: Waiter) -> None:
        pass
