"""A state in another process, reached over gRPC: a core like any other, so whatever takes a state takes a remote one.

    async with connected(Address(path="/run/cosi.sock"), registry) as remote:
        state = State(remote)

Resources of types in the registry come back typed, all others opaque. Whatever goes wrong is a StateError: Unavailable
if the server can't be reached, ProtocolViolation if it can't be understood. A watch that breaks is resumed. Cancelling
a call gives it up on both sides; cancelling a read of a watch takes nothing from it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from google.protobuf.message import Message

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Kind, Metadata, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.rpc import codec
from cosi.rpc.address import Address, default_socket
from cosi.rpc.codes import Method
from cosi.rpc.remote import answer
from cosi.rpc.remote.calls import Calls
from cosi.rpc.remote.channel import open_channel
from cosi.rpc.remote.patience import Patience
from cosi.rpc.remote.watch import RemoteWatch
from cosi.rpc.tls import ClientTls
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, WatchKindOptions, WatchOptions
from cosi.state.state import State

API_VERSION: Final = 1
"""We know BOOTSTRAPPED and ERRORED events."""


@asynccontextmanager
async def connected(
    address: Address | None = None,
    registry: Registry | None = None,
    *,
    tls: ClientTls | None = None,
    resume: bool = True,
) -> AsyncIterator[RemoteState]:
    """Hold a connection to a server while the body runs, that of the local socket unless told; made when first needed.

    Types that are not in the registry are opaque, and decoded when they are asked for by their class.
    `tls` goes with any TCP address and is required for other machines; a unix socket is plain. Without `resume` a
    watch ends when its connection breaks. Raises ValueError for plain text to another machine.
    """
    where = address if address is not None else Address(path=default_socket())
    async with open_channel(where, tls) as channel:
        yield RemoteState(Calls(channel), registry if registry is not None else Registry(), resume=resume)


class RemoteState:
    """A core state over a channel, of use to tasks of the event loop on which that was opened."""

    def __init__(self, calls: Calls, registry: Registry, *, resume: bool = True) -> None:
        """Use a channel, which is somebody else's to close; see `connected`."""
        self._calls = calls
        self._registry = registry
        self._resume = resume
        self._missing: set[Method] = set()

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        request = state_pb2.GetRequest(namespace=pointer.namespace, type=pointer.type, id=pointer.id)
        about = Metadata(*pointer)
        data = await self._calls.unary(Method.GET, request, about)
        return answer.resource(state_pb2.GetResponse, data, self._registry, Method.GET, about)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, in the server's order."""
        options = state_pb2.ListOptions(label_query=codec.label_queries(query), id_query=codec.id_query(query))
        request = state_pb2.ListRequest(namespace=kind.namespace, type=kind.type, options=options)
        about = Metadata(*kind, "")
        stream = self._calls.stream(Method.LIST, request, about)
        resources: list[AnyResource] = []
        try:
            while (data := await stream.read()) is not None:
                resources.append(answer.resource(state_pb2.ListResponse, data, self._registry, Method.LIST, about))
        finally:
            stream.close()
        return resources

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict."""
        request = state_pb2.CreateRequest(
            resource=wire.to_message(resource), options=state_pb2.CreateOptions(owner=owner)
        )
        data = await self._calls.unary(Method.CREATE, request, resource.metadata)
        return answer.resource(state_pb2.CreateResponse, data, self._registry, Method.CREATE, resource.metadata)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        options = state_pb2.UpdateOptions(owner=owner, expected_phase=expected_phase)
        request = state_pb2.UpdateRequest(new_resource=wire.to_message(resource), options=options)
        data = await self._calls.unary(Method.UPDATE, request, resource.metadata)
        return answer.resource(state_pb2.UpdateResponse, data, self._registry, Method.UPDATE, resource.metadata)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        request = state_pb2.DestroyRequest(
            namespace=pointer.namespace,
            type=pointer.type,
            id=pointer.id,
            options=state_pb2.DestroyOptions(owner=owner),
        )
        await self._calls.unary(Method.DESTROY, request, Metadata(*pointer))

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        """Tear a resource down, in one call where the server has it; see `State.teardown`."""
        request = state_pb2.TeardownRequest(
            namespace=pointer.namespace,
            type=pointer.type,
            id=pointer.id,
            options=state_pb2.TeardownOptions(owner=owner),
        )
        data = await self._call_if_there(Method.TEARDOWN, request, Metadata(*pointer))
        if data is None:
            return await State(_Primitives(self)).teardown(pointer, owner=owner)
        return answer.message(state_pb2.TeardownResponse, data, Method.TEARDOWN).destroy_ready

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Tear a resource down and destroy it; where the server has it, in one call that lasts until it is gone."""
        request = state_pb2.TeardownAndDestroyRequest(
            namespace=pointer.namespace,
            type=pointer.type,
            id=pointer.id,
            options=state_pb2.TeardownAndDestroyOptions(owner=owner),
        )
        if await self._call_if_there(Method.TEARDOWN_AND_DESTROY, request, Metadata(*pointer)) is None:
            await State(_Primitives(self)).teardown_and_destroy(pointer, owner=owner)

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[RemoteWatch]:
        """Watch one resource. Raises InvalidBookmark, InvalidArgument."""
        message = state_pb2.WatchOptions(tail_events=options.tail_events, start_from_bookmark=options.bookmark)
        request = state_pb2.WatchRequest(namespace=pointer.namespace, type=pointer.type, id=pointer.id, options=message)
        async with self._watching(request, Metadata(*pointer)) as watch:
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
        async with self._watching(request, Metadata(*kind, "")) as watch:
            yield watch

    @asynccontextmanager
    async def _watching(self, request: state_pb2.WatchRequest, about: Metadata) -> AsyncIterator[RemoteWatch]:
        request.api_version = API_VERSION
        patience = Patience() if self._resume else None
        watch = RemoteWatch(self._calls, request, about, self._registry, patience=patience)
        try:
            await watch.open()
            yield watch
        finally:
            watch.close()

    async def _call_if_there(self, method: Method, request: Message, about: Metadata) -> bytes | None:
        """Call a method that older servers lack; None if this one does, which is asked once in a connection."""
        if method not in self._missing:
            try:
                return await self._calls.unary(method, request, about)
            except errors.Unsupported:
                self._missing.add(method)
        return None


class _Primitives:
    """The seven primitives of a core and nothing else, so that State derives from them what the core has as well."""

    def __init__(self, core: CoreState) -> None:
        self.get = core.get
        self.list = core.list
        self.create = core.create
        self.update = core.update
        self.destroy = core.destroy
        self.watch = core.watch
        self.watch_kind = core.watch_kind
