"""The State service apart from any transport: request bytes in, response bytes out.

Faithful to the Go runtime's server (pkg/state/protobuf/server). Where it answers a malformed request with UNKNOWN, ours
says INVALID_ARGUMENT and names the field.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.registry import Registry
from cosi.rpc import codec
from cosi.rpc.codes import Method
from cosi.state import errors
from cosi.state.core import CoreState, WatchKindOptions, WatchOptions
from cosi.state.event import EventType
from cosi.state.state import State

NAME: Final = state_pb2.DESCRIPTOR.services_by_name["State"].full_name

Unary = Callable[[bytes], Awaitable[bytes]]
Streaming = Callable[[bytes], AsyncIterator[bytes]]

_ONLY_SINCE_1: Final = {EventType.BOOTSTRAPPED, EventType.ERRORED}
"""Event types that a client of API version 0 does not know."""


class StateService:
    """A state's methods on bytes; they raise what the state raises, and Malformed."""

    def __init__(self, core: CoreState, registry: Registry) -> None:
        self._state = core if isinstance(core, State) else State(core)
        self._registry = registry
        self.unary: Mapping[Method, Unary] = {
            Method.GET: self.get,
            Method.CREATE: self.create,
            Method.UPDATE: self.update,
            Method.DESTROY: self.destroy,
            Method.TEARDOWN: self.teardown,
            Method.TEARDOWN_AND_DESTROY: self.teardown_and_destroy,
        }
        self.streaming: Mapping[Method, Streaming] = {Method.LIST: self.list, Method.WATCH: self.watch}

    async def get(self, request: bytes) -> bytes:
        """Answer GetRequest with GetResponse."""
        message = codec.parse(state_pb2.GetRequest, request)
        return codec.resource_response(await self._state.get(_pointer(message)))

    async def list(self, request: bytes) -> AsyncIterator[bytes]:
        """Answer ListRequest with one ListResponse for each resource."""
        message = codec.parse(state_pb2.ListRequest, request)
        query = codec.query_of(message.options.label_query, message.options.id_query)
        for resource in await self._state.list(_kind(message), query=query):
            yield codec.resource_response(resource)

    async def create(self, request: bytes) -> bytes:
        """Answer CreateRequest with CreateResponse."""
        message = codec.parse(state_pb2.CreateRequest, request)
        resource = wire.received(message.resource, self._registry)
        wire.check_name("options.owner", message.options.owner)
        return codec.resource_response(await self._state.create(resource, owner=message.options.owner))

    async def update(self, request: bytes) -> bytes:
        """Answer UpdateRequest with UpdateResponse; no expected phase means any."""
        message = codec.parse(state_pb2.UpdateRequest, request)
        resource = wire.received(message.new_resource, self._registry)
        expected = None
        if message.options.HasField("expected_phase"):
            try:
                expected = Phase(message.options.expected_phase)
            except ValueError:
                phase = message.options.expected_phase[: wire.SHOWN_CHARACTERS]
                raise errors.InvalidArgument(f"options.expected_phase: unknown phase: {phase!r}") from None
        stored = await self._state.update(resource, owner=message.options.owner, expected_phase=expected)
        return codec.resource_response(stored)

    async def destroy(self, request: bytes) -> bytes:
        """Answer DestroyRequest with DestroyResponse."""
        message = codec.parse(state_pb2.DestroyRequest, request)
        await self._state.destroy(_pointer(message), owner=message.options.owner)
        return b""

    async def teardown(self, request: bytes) -> bytes:
        """Answer TeardownRequest with TeardownResponse."""
        message = codec.parse(state_pb2.TeardownRequest, request)
        ready = await self._state.teardown(_pointer(message), owner=message.options.owner)
        return state_pb2.TeardownResponse(destroy_ready=ready).SerializeToString()

    async def teardown_and_destroy(self, request: bytes) -> bytes:
        """Answer TeardownAndDestroyRequest with its response, once the resource is gone."""
        message = codec.parse(state_pb2.TeardownAndDestroyRequest, request)
        await self._state.teardown_and_destroy(_pointer(message), owner=message.options.owner)
        return b""

    async def watch(self, request: bytes) -> AsyncIterator[bytes]:
        """Answer WatchRequest: an empty WatchResponse once the watch is set up, then all pending events in each.

        A client that does not read stops this generator, and nobody else. What it costs while it stands: the batch that
        was pending when it stopped (no more events than the state's history), and one response of MAX_FRAME_BYTES.
        """
        message = codec.parse(state_pb2.WatchRequest, request)
        options = message.options
        bookmark = options.start_from_bookmark if options.HasField("start_from_bookmark") else None
        if message.HasField("id"):
            if options.bootstrap_contents:
                raise errors.Unsupported("bootstrap contents is not implemented for resource watch")
            if options.label_query:
                raise errors.Unsupported("label query is not implemented for resource watch")
            opening = self._state.watch(
                _pointer(message), WatchOptions(tail_events=options.tail_events, bookmark=bookmark)
            )
        else:
            kind_options = WatchKindOptions(
                query=codec.query_of(options.label_query, options.id_query),
                bootstrap_contents=options.bootstrap_contents,
                bootstrap_bookmark=options.bootstrap_bookmark,
                tail_events=options.tail_events,
                bookmark=bookmark,
            )
            opening = self._state.watch_kind(_kind(message), kind_options)
        async with opening as watch:
            yield b""
            while events := await watch.batch():
                if message.api_version < 1:
                    events = [event for event in events if event.type not in _ONLY_SINCE_1]
                for response in codec.watch_responses(events):
                    yield response


def _kind(message: state_pb2.ListRequest | state_pb2.WatchRequest) -> Kind:
    wire.check_name("namespace", message.namespace)
    wire.check_name("type", message.type)
    return Kind(message.namespace, message.type)


def _pointer(
    message: state_pb2.GetRequest
    | state_pb2.DestroyRequest
    | state_pb2.WatchRequest
    | state_pb2.TeardownRequest
    | state_pb2.TeardownAndDestroyRequest,
) -> Pointer:
    pointer = Pointer(message.namespace, message.type, message.id)
    if max(map(len, pointer)) > wire.MAX_NAME_CHARACTERS:
        for field, name in zip(pointer._fields, pointer, strict=True):
            wire.check_name(field, name)
    return pointer
