"""A call names the node it is for, and is answered here or passed on to there. Faithful to Talos's apid (pkg/director).

    no node, or the node is this one      answered here
    another node that this one knows      passed on to it, and the answers streamed back
    `nodes`, which old clients send       each of them asked, and the answers joined: see `one_to_many`
    passed on already (`proxyfrom`)       answered here, whatever it names: so no call goes in circles
    another node, in maintenance          refused: nobody has said who they are

Who may not call a method is told so here; who may is held against the same rules once more where the call arrives.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import (
    Bidirectional,
    Call,
    ClientStreaming,
    Feed,
    Frames,
    Refusal,
    ServerStreaming,
    Service,
    Unary,
)
from machined import access, one_to_many
from machined.address_book import AddressBook, Peer, UnknownNode
from machined.maintenance import Maintenance
from machined.one_to_many import Asked
from machined.peers import PROXY_KEY, Peers
from talos.access.roles import allowed

NODE_KEY: Final = "node"
NODES_KEY: Final = "nodes"

MAX_NODES: Final = 64
"""How many nodes one call may ask."""

ONE_TO_MANY: Final = frozenset(
    {
        "machine.MachineService", "cluster.ClusterService", "inspect.InspectService",
        "storage.StorageService", "time.TimeService",
    }
)  # fmt: skip
"""The services whose answers can be joined."""


class Here(NamedTuple):
    """This node answers."""


class There(NamedTuple):
    """A peer answers."""

    peer: Peer


class Everywhere(NamedTuple):
    """Each of these nodes answers; by the names they were called."""

    targets: Sequence[str]


def destination(service: str, method: str, call: Call, book: AddressBook) -> Here | There | Everywhere:
    """Return where a call goes. Raises Refusal if it is nowhere, or nobody could tell."""
    if _values(call, PROXY_KEY):
        return Here()
    node, nodes = _values(call, NODE_KEY), _values(call, NODES_KEY)
    if len(node) > 1:
        raise Refusal(Code.INVALID_ARGUMENT, "node metadata must be single-valued")
    if nodes:
        if service not in ONE_TO_MANY:
            problem = f"one-2-many proxying is not supported for method /{service}/{method}"
            raise Refusal(Code.INVALID_ARGUMENT, problem)
        if len(nodes) > MAX_NODES:
            raise Refusal(Code.INVALID_ARGUMENT, f"{len(nodes)} nodes are too many: one call asks {MAX_NODES} at most")
        return Everywhere(nodes)
    if not node:
        return Here()
    try:
        peer = book.find(node[0])
    except UnknownNode as unknown:
        raise Refusal(Code.UNAVAILABLE, str(unknown)) from None
    return Here() if peer is None else There(peer)


def only_here(call: Call, book: AddressBook) -> Here:
    """Return where a call goes in maintenance, when none is passed on. Raises Refusal if it is for another node."""
    for target in (*_values(call, NODE_KEY), *_values(call, NODES_KEY)):
        try:
            elsewhere = book.find(target) is not None
        except UnknownNode:
            elsewhere = True
        if elsewhere:
            raise Refusal(Code.PERMISSION_DENIED, "no request forwarding")
    return Here()


class Router:
    """Sends the calls of services where they are meant to go."""

    def __init__(self, book: AddressBook, peers: Peers, maintenance: Maintenance) -> None:
        self._book = book
        self._peers = peers
        self._maintenance = maintenance

    def routed(self, service: Service) -> Service:
        """Return a service whose calls are answered here by `service`, or elsewhere by one of its name."""
        return Service(
            service.name,
            {method: self._unary(service, method) for method in service.unary},
            {method: self._server_streaming(service, method) for method in service.server_streaming},
            {method: self._client_streaming(service, method) for method in service.client_streaming},
            {method: self._bidirectional(service, method) for method in service.bidirectional},
        )

    def _destination(self, service: Service, method: str, call: Call) -> Here | There | Everywhere:
        if self._maintenance.on:
            return only_here(call, self._book)
        if not allowed(service.name, method) & access.roles(call):
            return Here()  # where it is refused, without a call to anybody
        return destination(service.name, method, call, self._book)

    def _unary(self, service: Service, method: str) -> Unary:
        path = f"/{service.name}/{method}"

        async def handler(request: bytes, call: Call) -> Frames:
            match self._destination(service, method, call):
                case There(peer):
                    return await self._peers.ask(peer, path, request, call)
                case Everywhere(targets):
                    return await one_to_many.joined(self._asked(service, method, targets), request, call)
                case _:
                    return await service.unary[method](request, call)

        return handler

    def _server_streaming(self, service: Service, method: str) -> ServerStreaming:
        path = f"/{service.name}/{method}"

        async def handler(request: bytes, call: Call) -> AsyncGenerator[Frames | Feed, None]:
            answers: AsyncGenerator[Frames | Feed, None]
            match self._destination(service, method, call):
                case There(peer):
                    answers = self._peers.stream(peer, path, request, call)
                case Everywhere(targets):
                    answers = one_to_many.interleaved(self._asked(service, method, targets), request, call)
                case _:
                    answers = service.server_streaming[method](request, call)
            async with aclosing(answers):
                async for answer in answers:
                    yield answer

        return handler

    def _client_streaming(self, service: Service, method: str) -> ClientStreaming:
        async def handler(requests: AsyncIterator[bytes], call: Call) -> Frames:
            self._require_here(service, method, call)
            return await service.client_streaming[method](requests, call)

        return handler

    def _bidirectional(self, service: Service, method: str) -> Bidirectional:
        async def handler(requests: AsyncIterator[bytes], call: Call) -> AsyncGenerator[Frames | Feed, None]:
            self._require_here(service, method, call)
            async with aclosing(service.bidirectional[method](requests, call)) as answers:
                async for answer in answers:
                    yield answer

        return handler

    def _require_here(self, service: Service, method: str, call: Call) -> None:
        match self._destination(service, method, call):
            case There(peer):
                remedy = f"connect to {peer.name} itself, at {peer.address}"
                raise Refusal(Code.UNIMPLEMENTED, f"uploads ({service.name}/{method}) are not passed on: {remedy}")
            case Everywhere():
                problem = f"one-2-many proxying is not supported for method /{service.name}/{method}"
                raise Refusal(Code.INVALID_ARGUMENT, problem)

    def _asked(self, service: Service, method: str, targets: Sequence[str]) -> Sequence[Asked]:
        return [Asked(target, self._asker(service, method, target)) for target in targets]

    def _asker(self, service: Service, method: str, target: str) -> ServerStreaming:
        """Return how one of many nodes answers, in as many messages as it has."""

        async def handler(request: bytes, call: Call) -> AsyncGenerator[Frames | Feed, None]:
            alone = one_to_many.addressed_to(target, call)
            if method in service.unary:
                yield await self._unary(service, method)(request, alone)
                return
            async with aclosing(self._server_streaming(service, method)(request, alone)) as answers:
                async for answer in answers:
                    yield answer

        return handler


def _values(call: Call, key: str) -> Sequence[str]:
    return [str(value) for name, value in call.metadata if name == key]
