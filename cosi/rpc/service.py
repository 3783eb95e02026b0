"""The State service: requests to calls of a state, and what it answers to frames.

Faithful to the Go runtime's server (pkg/state/protobuf/server). Where it answers a malformed request with UNKNOWN, ours
says INVALID_ARGUMENT and names the field.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Final

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.registry import Registry
from cosi.rpc import codec
from cosi.rpc.codes import Method
from cosi.rpc.seam import Call, Feed, Frames, Service, frame
from cosi.rpc.watch_feed import Broadcast, WatchFeed, known_to_version_0
from cosi.state import errors
from cosi.state.core import CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.state import State
from cosi.state.stream import Pollable

NAME: Final = state_pb2.DESCRIPTOR.services_by_name["State"].full_name

_PHASES: Final = {phase.value: phase for phase in Phase}
_EMPTY: Final = frame(b"")
_TORN_DOWN: Final = {
    ready: frame(state_pb2.TeardownResponse(destroy_ready=ready).SerializeToString()) for ready in (False, True)
}


class StateService:
    """A state's methods on bytes; they raise what the state raises, and Malformed."""

    def __init__(self, core: CoreState, registry: Registry) -> None:
        self._state = core if isinstance(core, State) else State(core)
        # What a State derives is not asked for where the core answers itself.
        self._core: CoreState = core.core if type(core) is State else core
        self._registry = registry
        self._aggregated = Broadcast(aggregated=True)
        self._single = Broadcast(aggregated=False)
        self.service = Service(
            NAME,
            unary={
                Method.GET: self.get,
                Method.CREATE: self.create,
                Method.UPDATE: self.update,
                Method.DESTROY: self.destroy,
                Method.TEARDOWN: self.teardown,
                Method.TEARDOWN_AND_DESTROY: self.teardown_and_destroy,
            },
            server_streaming={Method.LIST: self.list, Method.WATCH: self.watch},
        )

    async def get(self, request: bytes, _: Call) -> Frames:
        """Answer GetRequest with GetResponse."""
        message = codec.parse(state_pb2.GetRequest, request)
        return codec.resource_response(await self._core.get(_pointer(message, request)))

    async def list(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Answer ListRequest with a ListResponse for each resource, many at a time."""
        message = codec.parse(state_pb2.ListRequest, request)
        query = codec.query_of(message.options.label_query, message.options.id_query)
        for responses in codec.list_responses(await self._core.list(_kind(message), query=query)):
            yield responses

    async def create(self, request: bytes, _: Call) -> Frames:
        """Answer CreateRequest with CreateResponse."""
        message = codec.parse(state_pb2.CreateRequest, request)
        resource = wire.received(message.resource, self._registry)
        return codec.resource_response(await self._core.create(resource, owner=_owner(message.options)))

    async def update(self, request: bytes, _: Call) -> Frames:
        """Answer UpdateRequest with UpdateResponse; no expected phase means any."""
        message = codec.parse(state_pb2.UpdateRequest, request)
        resource = wire.received(message.new_resource, self._registry)
        options = message.options
        expected = _phase(options.expected_phase) if options.HasField("expected_phase") else None
        stored = await self._core.update(resource, owner=_owner(options), expected_phase=expected)
        return codec.resource_response(stored)

    async def destroy(self, request: bytes, _: Call) -> Frames:
        """Answer DestroyRequest with DestroyResponse."""
        message = codec.parse(state_pb2.DestroyRequest, request)
        await self._core.destroy(_pointer(message, request), owner=_owner(message.options))
        return _EMPTY

    async def teardown(self, request: bytes, _: Call) -> Frames:
        """Answer TeardownRequest with TeardownResponse."""
        message = codec.parse(state_pb2.TeardownRequest, request)
        return _TORN_DOWN[await self._state.teardown(_pointer(message, request), owner=_owner(message.options))]

    async def teardown_and_destroy(self, request: bytes, _: Call) -> Frames:
        """Answer TeardownAndDestroyRequest with its response, once the resource is gone."""
        message = codec.parse(state_pb2.TeardownAndDestroyRequest, request)
        await self._state.teardown_and_destroy(_pointer(message, request), owner=_owner(message.options))
        return _EMPTY

    async def watch(self, request: bytes, _: Call) -> AsyncGenerator[Frames | Feed, None]:
        """Answer WatchRequest: an empty WatchResponse once the watch is set up, then one for each event.

        Or for all that are pending, if the client asked for it.

        A client that does not read stops this generator or its feed, and nobody else. What it costs while it stands:
        the batch that was pending when it stopped (no more events than the state's history), and one response.
        """
        message = codec.parse(state_pb2.WatchRequest, request)
        async with self._opening(message, request) as watch:
            # Of a single resource there are never several events in one response.
            broadcast = self._aggregated if message.options.aggregated and not message.HasField("id") else self._single
            feed = WatchFeed(watch, message.api_version, broadcast) if isinstance(watch, Pollable) else None
            version = message.api_version
            del message, request, _  # a watch may stand for days, and there may be many
            yield _EMPTY
            if feed is not None:
                yield feed
                return
            while events := await watch.batch():
                if version < 1:
                    events = known_to_version_0(events)
                position = 0
                while position < len(events):
                    responses, position = broadcast.responses(events, position)
                    yield responses

    def _opening(self, message: state_pb2.WatchRequest, request: bytes) -> AbstractAsyncContextManager[Watch]:
        options = message.options
        bookmark = options.start_from_bookmark if options.HasField("start_from_bookmark") else None
        if message.HasField("id"):
            if options.bootstrap_contents:
                raise errors.Unsupported("bootstrap contents is not implemented for resource watch")
            if options.label_query:
                raise errors.Unsupported("label query is not implemented for resource watch")
            about = WatchOptions(tail_events=options.tail_events, bookmark=bookmark)
            return self._core.watch(_pointer(message, request), about)
        kind_options = WatchKindOptions(
            query=codec.query_of(options.label_query, options.id_query),
            bootstrap_contents=options.bootstrap_contents,
            bootstrap_bookmark=options.bootstrap_bookmark,
            tail_events=options.tail_events,
            bookmark=bookmark,
        )
        return self._core.watch_kind(_kind(message), kind_options)


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
    request: bytes,
) -> Pointer:
    pointer = Pointer(message.namespace, message.type, message.id)
    if len(request) > wire.MAX_NAME_CHARACTERS:  # no name is longer than the request it is in
        for field, name in zip(pointer._fields, pointer, strict=True):
            wire.check_name(field, name)
    return pointer


def _owner(
    options: state_pb2.CreateOptions
    | state_pb2.UpdateOptions
    | state_pb2.DestroyOptions
    | state_pb2.TeardownOptions
    | state_pb2.TeardownAndDestroyOptions,
) -> str:
    owner = options.owner
    wire.check_name("options.owner", owner)
    return owner


def _phase(text: str) -> Phase:
    phase = _PHASES.get(text)
    if phase is None:
        shown = text[: wire.SHOWN_CHARACTERS]
        raise errors.InvalidArgument(f"options.expected_phase: unknown phase: {shown!r}")
    return phase
