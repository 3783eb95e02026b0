"""The calls the command line makes, on the blocking client: metadata and YAML are all it looks at.

It does not use the full client (cosi.rpc.remote): importing that would take longer than the whole command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from cosi._pb.v1alpha1 import meta_pb2, resource_pb2, state_pb2
from cosi.cli.output.record import Event, Record
from cosi.cli.resolve import Registered
from cosi.rpc.blocking import Channel, MessageStream
from cosi.rpc.http2.status import Code, RpcError

CALL_SECONDS: Final = 30.0
"""How long a call that should answer at once may take."""

DEFINITIONS_NAMESPACE: Final = "meta"
DEFINITIONS_TYPE: Final = "ResourceDefinitions.meta.cosi.dev"

Metadata = Sequence[tuple[str, str]]

_SERVICE: Final = "/cosi.resource.State"
_MACHINE: Final = "/machine.MachineService"
RUNTIME_SERVICE: Final = "/cosi.controller.ControllerRuntime"
WATCH_ENDED: Final = "the server ended the watch; it is probably shutting down"
_NANOSECONDS: Final = 1_000_000_000
_EVENTS: Final[Sequence[Event]] = ("created", "updated", "destroyed", "bootstrapped", "errored", "noop")


class Change(NamedTuple):
    """What a watch tells: what happened (in lower case), the resource, and the error of a failed watch."""

    event: Event
    record: Record | None
    error: str


class Remote:
    """A COSI server, to be looked at; `metadata` goes along with every call."""

    def __init__(self, channel: Channel, metadata: Metadata = ()) -> None:
        self._channel = channel
        self._metadata = metadata

    def version(self) -> None:
        """Ask a Talos node for its version, which tells that it can be asked for anything. Raises RpcError."""
        self._unary(f"{_MACHINE}/Version", b"")

    def definitions(self) -> list[Registered]:
        """Return every registered resource type."""
        return [_registered(resource) for resource in self._list(DEFINITIONS_NAMESPACE, DEFINITIONS_TYPE)]

    def get(self, namespace: str, type: str, id: str) -> Record:
        """Return one resource."""
        request = state_pb2.GetRequest(namespace=namespace, type=type, id=id, options=state_pb2.GetOptions())
        data = self._unary(f"{_SERVICE}/Get", request.SerializeToString())
        return _record(state_pb2.GetResponse.FromString(data).resource)

    def list(self, namespace: str, type: str) -> list[Record]:
        """Return the resources of a kind."""
        return [_record(resource) for resource in self._list(namespace, type)]

    def watch(self, namespace: str, type: str, id: str | None) -> MessageStream:
        """Begin a watch, of which `changes` tells. Raises RpcError if the server does not set it up."""
        options = state_pb2.WatchOptions(bootstrap_contents=id is None)
        request = state_pb2.WatchRequest(namespace=namespace, type=type, id=id, options=options, api_version=1)
        stream = self._channel.stream(f"{_SERVICE}/Watch", request.SerializeToString(), metadata=self._metadata)
        # The first answer is empty: it tells that the watch is set up.
        if next(stream, None) is None:
            raise RpcError(Code.UNAVAILABLE, WATCH_ENDED)
        return stream

    def _list(self, namespace: str, type: str) -> Iterator[resource_pb2.Resource]:
        request = state_pb2.ListRequest(namespace=namespace, type=type, options=state_pb2.ListOptions())
        stream = self._channel.stream(
            f"{_SERVICE}/List",
            request.SerializeToString(),
            metadata=self._metadata,
            timeout_seconds=CALL_SECONDS,
        )
        for data in stream:
            yield state_pb2.ListResponse.FromString(data).resource

    def _unary(self, method: str, request: bytes) -> bytes:
        return self._channel.unary(method, request, metadata=self._metadata, timeout_seconds=CALL_SECONDS)


class Node(NamedTuple):
    """A server, and what people call it."""

    name: str
    remote: Remote


def changes(watches: Sequence[MessageStream]) -> Iterator[tuple[int, Change]]:
    """Yield what watches tell as it comes, each with its watch's position, for ever. Raises RpcError."""
    for position, data in MessageStream.interleaved(watches):
        for event in state_pb2.WatchResponse.FromString(data).event:
            record = _record(event.resource) if event.HasField("resource") else None
            yield position, Change(_EVENTS[event.event_type], record, event.error)
    raise RpcError(Code.UNAVAILABLE, WATCH_ENDED)


def _record(resource: resource_pb2.Resource) -> Record:
    metadata = resource.metadata
    return Record(
        namespace=metadata.namespace,
        type=metadata.type,
        id=metadata.id,
        version=metadata.version,
        owner=metadata.owner,
        phase=metadata.phase,
        created_ns=metadata.created.seconds * _NANOSECONDS + metadata.created.nanos,
        updated_ns=metadata.updated.seconds * _NANOSECONDS + metadata.updated.nanos,
        labels=dict(metadata.labels),
        annotations=dict(metadata.annotations),
        finalizers=tuple(metadata.finalizers),
        yaml_spec=resource.spec.yaml_spec,
    )


def _registered(resource: resource_pb2.Resource) -> Registered:
    spec = meta_pb2.ResourceDefinitionSpec.FromString(resource.spec.proto_spec)
    return Registered(
        id=resource.metadata.id,
        type=spec.resource_type,
        display_type=spec.display_type,
        default_namespace=spec.default_namespace,
        all_aliases=tuple(spec.all_aliases),
        columns=tuple((column.name, column.json_path) for column in spec.print_columns),
    )
