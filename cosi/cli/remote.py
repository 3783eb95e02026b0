"""The calls the command line makes, on the blocking client: metadata and YAML are all it looks at.

It does not use the full client (cosi.rpc.remote): importing that would take longer than the whole command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cosi._pb.v1alpha1 import meta_pb2, resource_pb2, state_pb2
from cosi.cli.output.record import Event, Record
from cosi.cli.resolve import Registered
from cosi.rpc.blocking import Channel

CALL_SECONDS: Final = 30.0
"""How long a call that should answer at once may take."""

DEFINITIONS_NAMESPACE: Final = "meta"
DEFINITIONS_TYPE: Final = "ResourceDefinitions.meta.cosi.dev"

_SERVICE: Final = "/cosi.resource.State"
RUNTIME_SERVICE: Final = "/cosi.controller.ControllerRuntime"
_NANOSECONDS: Final = 1_000_000_000
_EVENTS: Final[Sequence[Event]] = ("created", "updated", "destroyed", "bootstrapped", "errored", "noop")


class Remote:
    """A COSI server, to be looked at."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def definitions(self) -> list[Registered]:
        """Return every registered resource type."""
        return [_registered(resource) for resource in self._list(DEFINITIONS_NAMESPACE, DEFINITIONS_TYPE)]

    def get(self, namespace: str, type: str, id: str) -> Record:
        """Return one resource."""
        request = state_pb2.GetRequest(namespace=namespace, type=type, id=id)
        data = self._channel.unary(f"{_SERVICE}/Get", request.SerializeToString(), timeout_seconds=CALL_SECONDS)
        return _record(state_pb2.GetResponse.FromString(data).resource)

    def list(self, namespace: str, type: str) -> list[Record]:
        """Return the resources of a kind."""
        return [_record(resource) for resource in self._list(namespace, type)]

    def watch(self, namespace: str, type: str, id: str | None) -> Iterator[tuple[Event, Record | None, str]]:
        """Yield events for ever: what happened (in lower case), the resource, and the error of a failed watch."""
        options = state_pb2.WatchOptions(bootstrap_contents=id is None)
        request = state_pb2.WatchRequest(namespace=namespace, type=type, id=id, options=options, api_version=1)
        for data in self._channel.stream(f"{_SERVICE}/Watch", request.SerializeToString()):
            for event in state_pb2.WatchResponse.FromString(data).event:
                record = _record(event.resource) if event.HasField("resource") else None
                yield _EVENTS[event.event_type], record, event.error

    def _list(self, namespace: str, type: str) -> Iterator[resource_pb2.Resource]:
        request = state_pb2.ListRequest(namespace=namespace, type=type)
        for data in self._channel.stream(f"{_SERVICE}/List", request.SerializeToString(), timeout_seconds=CALL_SECONDS):
            yield state_pb2.ListResponse.FromString(data).resource


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
