"""A state in another process, reached over gRPC: a core like any other, so whatever takes a state takes a remote one.

Resources of types in the registry come back typed, all others opaque. A watch whose connection breaks delivers one
ERRORED event and ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, cast

import anyio.lowlevel
import grpc
from google.protobuf.message import Message

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Kind, Metadata, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.rpc import codec, service
from cosi.rpc.address import Address
from cosi.rpc.codes import Method, error_of
from cosi.rpc.http2.status import Code
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, WatchKindOptions, WatchOptions
from cosi.state.event import Event, EventType
from cosi.state.stream import EventStream

MAX_RESPONSE_BYTES: Final = 32 << 20
"""The largest message accepted from a server; what talosctl accepts."""

API_VERSION: Final = 1
"""We know BOOTSTRAPPED and ERRORED events."""

_OPTIONS: Final = (("grpc.max_receive_message_length", MAX_RESPONSE_BYTES), ("grpc.use_local_subchannel_pool", 1))

ResultT = TypeVar("ResultT")
MessageT = TypeVar("MessageT", bound=Message)


@asynccontextmanager
async def connected(address: Address, registry: Registry) -> AsyncIterator[RemoteState]:
    """Hold a connection to a server while the body runs; it is made when first needed."""
    async with grpc.aio.insecure_channel(address.target, options=_OPTIONS) as channel:
        yield RemoteState(channel, registry)


class RemoteState:
    """A core state over a channel. Runs on asyncio only, as grpc.aio does."""

    def __init__(self, channel: grpc.aio.Channel, registry: Registry) -> None:
        self._registry = registry
        self._unary: dict[Method, Any] = {method: channel.unary_unary(f"/{service.NAME}/{method}") for method in Method}
        self._list: Any = channel.unary_stream(f"/{service.NAME}/{Method.LIST}")
        self._watch: Any = channel.unary_stream(f"/{service.NAME}/{Method.WATCH}")

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        request = state_pb2.GetRequest(namespace=pointer.namespace, type=pointer.type, id=pointer.id)
        response = await self._call(Method.GET, request, state_pb2.GetResponse, Metadata(*pointer))
        return wire.from_message(response.resource, self._registry)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, in the server's order."""
        options = state_pb2.ListOptions(label_query=codec.label_queries(query), id_query=codec.id_query(query))
        request = state_pb2.ListRequest(namespace=kind.namespace, type=kind.type, options=options)
        call = self._list(request.SerializeToString())
        resources: list[AnyResource] = []
        try:
            while (data := await _cancellable(call, call.read())) is not grpc.aio.EOF:
                response = codec.parse(state_pb2.ListResponse, cast(bytes, data))
                resources.append(wire.from_message(response.resource, self._registry))
        except grpc.RpcError as error:
            raise _error_of(error, Method.LIST, Metadata(*kind, "")) from None
        finally:
            call.cancel()
        return resources

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict."""
        request = state_pb2.CreateRequest(resource=_message(resource), options=state_pb2.CreateOptions(owner=owner))
        response = await self._call(Method.CREATE, request, state_pb2.CreateResponse, resource.metadata)
        return wire.from_message(response.resource, self._registry)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        options = state_pb2.UpdateOptions(owner=owner, expected_phase=expected_phase)
        request = state_pb2.UpdateRequest(new_resource=_message(resource), options=options)
        response = await self._call(Method.UPDATE, request, state_pb2.UpdateResponse, resource.metadata)
        return wire.from_message(response.resource, self._registry)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        request = state_pb2.DestroyRequest(
            namespace=pointer.namespace,
            type=pointer.type,
            id=pointer.id,
            options=state_pb2.DestroyOptions(owner=owner),
        )
        await self._call(Method.DESTROY, request, state_pb2.DestroyResponse, Metadata(*pointer))

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        """Tear a resource down in one call; see `State.teardown`."""
        request = state_pb2.TeardownRequest(
            namespace=pointer.namespace,
            type=pointer.type,
            id=pointer.id,
            options=state_pb2.TeardownOptions(owner=owner),
        )
        response = await self._call(Method.TEARDOWN, request, state_pb2.TeardownResponse, Metadata(*pointer))
        return response.destroy_ready

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Tear a resource down and destroy it in one call that lasts until it is gone."""
        request = state_pb2.TeardownAndDestroyRequest(
            namespace=pointer.namespace,
            type=pointer.type,
            id=pointer.id,
            options=state_pb2.TeardownAndDestroyOptions(owner=owner),
        )
        method = Method.TEARDOWN_AND_DESTROY
        await self._call(method, request, state_pb2.TeardownAndDestroyResponse, Metadata(*pointer))

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[RemoteWatch]:
        """Watch one resource. Raises InvalidBookmark, InvalidArgument."""
        message = state_pb2.WatchOptions(tail_events=options.tail_events, start_from_bookmark=options.bookmark)
        request = state_pb2.WatchRequest(namespace=pointer.namespace, type=pointer.type, id=pointer.id, options=message)
        async with self._open(request, Metadata(*pointer)) as watch:
            yield watch

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[RemoteWatch]:
        """Watch a kind. Raises InvalidBookmark, InvalidArgument."""
        message = state_pb2.WatchOptions(
            bootstrap_contents=options.bootstrap_contents,
            bootstrap_bookmark=options.bootstrap_bookmark,
            tail_events=options.tail_events,
            start_from_bookmark=options.bookmark,
            label_query=codec.label_queries(options.query),
            id_query=codec.id_query(options.query),
            aggregated=True,
        )
        request = state_pb2.WatchRequest(namespace=kind.namespace, type=kind.type, options=message)
        async with self._open(request, Metadata(*kind, "")) as watch:
            yield watch

    @asynccontextmanager
    async def _open(self, request: state_pb2.WatchRequest, about: Metadata) -> AsyncIterator[RemoteWatch]:
        request.api_version = API_VERSION
        call = self._watch(request.SerializeToString())
        try:
            try:
                # The first message is empty and says that the watch is set up.
                await _cancellable(call, call.read())
                if call.done():
                    await _cancellable(call, call.code())
            except grpc.RpcError as error:
                raise _error_of(error, Method.WATCH, about) from None
            yield RemoteWatch(call, about, self._registry)
        finally:
            call.cancel()

    async def _call(
        self, method: Method, request: Message, response_class: type[MessageT], about: Metadata
    ) -> MessageT:
        call = self._unary[method](request.SerializeToString())
        try:
            data = await _cancellable(call, call)
        except grpc.RpcError as error:
            raise _error_of(error, method, about) from None
        return codec.parse(response_class, cast(bytes, data))


class RemoteWatch(EventStream):
    """A watch whose events come over a stream."""

    def __init__(self, call: Any, about: Metadata, registry: Registry) -> None:
        super().__init__()
        self._call = call
        self._about = about
        self._registry = registry
        self._ended = False

    async def receive(self) -> Sequence[Event]:
        """Return the events of the next message that has any; empty once the watch has ended."""
        while not self._ended:
            try:
                data = await _cancellable(self._call, self._call.read())
                if data is grpc.aio.EOF:
                    break
                response = codec.parse(state_pb2.WatchResponse, data)
                events = [codec.event_of(message, self._registry) for message in response.event]
            except (grpc.RpcError, wire.Malformed) as error:
                reason = _error_of(error, Method.WATCH, self._about) if isinstance(error, grpc.RpcError) else error
                events = [Event(EventType.ERRORED, error=reason)]
            if any(event.type is EventType.ERRORED for event in events):
                self._ended = True
            if events:
                return events
        self._ended = True
        return ()


async def _cancellable(call: Any, awaitable: Awaitable[ResultT]) -> ResultT:
    """Await a grpc.aio call so that anyio knows its own cancellation.

    grpc.aio awaits an inner task and loses the message by which anyio tells that one of its scopes was cancelled; the
    bare CancelledError would escape the scope.
    """
    try:
        return await awaitable
    except asyncio.CancelledError:
        call.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()
        raise


def _error_of(error: Exception, method: Method, about: Metadata) -> Exception:
    assert isinstance(error, grpc.aio.AioRpcError)
    return error_of(Code(error.code().value[0]), error.details() or error.code().name, method, about)


def _message(resource: AnyResource) -> resource_pb2.Resource:
    return resource_pb2.Resource.FromString(wire.encode(resource))
