"""What a server answers, believed only as far as it makes sense: messages to values, or one ProtocolViolation.

A broken or hostile server can't make a client raise anything but errors of a state, nor have it take one resource for
another.
"""

from __future__ import annotations

from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Metadata
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.rpc import codec
from cosi.rpc.codes import Method
from cosi.state import errors
from cosi.state.event import Event, EventType

MessageT = TypeVar("MessageT", bound=Message)
ResourceResponse = state_pb2.GetResponse | state_pb2.ListResponse | state_pb2.CreateResponse | state_pb2.UpdateResponse

_ABOUT_A_RESOURCE: Final = {EventType.CREATED, EventType.UPDATED, EventType.DESTROYED}


def message(message_class: type[MessageT], data: bytes, method: Method) -> MessageT:
    """Return the message of an answer. Raises ProtocolViolation."""
    try:
        return message_class.FromString(data)
    except DecodeError:
        raise _violation(method, f"not a {message_class.DESCRIPTOR.full_name}") from None


def resource(
    message_class: type[ResourceResponse], data: bytes, registry: Registry, method: Method, about: Metadata
) -> AnyResource:
    """Return the resource of an answer to a question about a resource, or a kind. Raises ProtocolViolation."""
    response = message(message_class, data, method)
    try:
        answered = wire.from_message(response.resource, registry)
    except wire.Malformed as error:
        raise _violation(method, str(error)) from None
    _require_asked_for(answered, method, about)
    return answered


def require_set_up(data: bytes) -> None:
    """Hold the first message of a watch against what it must be: one without events. Raises ProtocolViolation."""
    if message(state_pb2.WatchResponse, data, Method.WATCH).event:
        raise _violation(Method.WATCH, "events before the watch was set up")


def events(data: bytes, registry: Registry, about: Metadata) -> list[Event]:
    """Return the events of a message of a watch. Raises ProtocolViolation."""
    response = message(state_pb2.WatchResponse, data, Method.WATCH)
    try:
        told = [codec.event_of(event, registry) for event in response.event]
    except wire.Malformed as error:
        raise _violation(Method.WATCH, str(error)) from None
    for event in told:
        if event.type in _ABOUT_A_RESOURCE:
            if event.resource is None:
                raise _violation(Method.WATCH, f"an event {event.type.name} of no resource")
            _require_asked_for(event.resource, Method.WATCH, about)
        if event.type is EventType.ERRORED and event.error is None:
            raise _violation(Method.WATCH, "the watch failed, and nothing says why")
    return told


def _require_asked_for(answered: AnyResource, method: Method, about: Metadata) -> None:
    """Hold an answer against the question, which names a resource, or a kind by an empty id."""
    found = answered.metadata
    if found.type != about.type or found.namespace != about.namespace or (about.id and found.id != about.id):
        asked = str(about.pointer) if about.id else f"{about.type}({about.namespace})"
        raise _violation(method, f"{found.pointer} where {asked} was asked for")


def _violation(method: Method, problem: str) -> errors.ProtocolViolation:
    return errors.ProtocolViolation(f"the server's answer to {method} makes no sense: {problem}")
