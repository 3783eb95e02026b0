"""What a broken or hostile server says is refused in one way, whatever it says."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Metadata
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.rpc import codec
from cosi.rpc.codes import Method
from cosi.rpc.remote import answer
from cosi.rpc.seam import messages
from cosi.state import errors
from cosi.state.event import Event, EventType
from cosi.testing.resources import PathResource, integer, path, sample_registry

REGISTRY = sample_registry()
A_PATH = Metadata(*PathResource.pointer_to("a"))
ANY_PATH = Metadata(*PathResource.kind(), "")
PREFIX = "the server's answer to {} makes no sense: "


def response(resource: AnyResource) -> bytes:
    (message,) = messages(codec.resource_response(resource))
    return message


def got(data: bytes, about: Metadata = A_PATH, registry: Registry = REGISTRY) -> AnyResource:
    return answer.resource(state_pb2.GetResponse, data, registry, Method.GET, about)


def problem_of_get(data: bytes, about: Metadata = A_PATH) -> str:
    with pytest.raises(errors.ProtocolViolation) as raised:
        got(data, about)
    return str(raised.value).removeprefix(PREFIX.format("Get"))


def problem_of_watch(data: bytes, about: Metadata = ANY_PATH) -> str:
    with pytest.raises(errors.ProtocolViolation) as raised:
        answer.events(data, REGISTRY, about)
    return str(raised.value).removeprefix(PREFIX.format("Watch"))


def test_an_answer_to_the_question_is_taken() -> None:
    assert got(response(path("a"))) == path("a")
    assert got(response(path("b")), ANY_PATH) == path("b")


def test_a_resource_that_is_none_is_refused_naming_the_field() -> None:
    no_version = resource_pb2.Resource.FromString(wire.encode(path("a")))
    no_version.metadata.version = "newest"
    unversioned = state_pb2.GetResponse(resource=no_version).SerializeToString()

    assert problem_of_get(b"") == "metadata: is missing"
    assert problem_of_get(b"\xff") == "not a cosi.resource.GetResponse"
    assert problem_of_get(unversioned).startswith("metadata.version: not a version: 'newest'")


def test_another_resource_than_the_one_asked_for_is_refused() -> None:
    other, elsewhere = response(path("b")), response(path("a", namespace="other"))
    number = response(integer("a", 1))

    assert problem_of_get(other) == f"{path('b').pointer} where {A_PATH.pointer} was asked for"
    assert problem_of_get(number, ANY_PATH).endswith("where Paths.test.cosi.dev(default) was asked for")
    assert problem_of_get(elsewhere, ANY_PATH).endswith("where Paths.test.cosi.dev(default) was asked for")


def test_events_that_say_nothing_are_refused() -> None:
    no_reason = state_pb2.WatchResponse(event=[state_pb2.Event(event_type=state_pb2.ERRORED)]).SerializeToString()

    assert problem_of_watch(codec.event_entry(Event(EventType.UPDATED))) == "an event UPDATED of no resource"
    assert problem_of_watch(no_reason) == "the watch failed, and nothing says why"


def test_an_event_of_another_resource_is_refused() -> None:
    number = codec.event_entry(Event(EventType.CREATED, integer("a", 1)))
    other = codec.event_entry(Event(EventType.DESTROYED, path("b")))

    assert problem_of_watch(number).startswith(f"{integer('a', 1).pointer} where")
    assert problem_of_watch(other, A_PATH) == f"{path('b').pointer} where {A_PATH.pointer} was asked for"


def test_a_watch_does_not_begin_with_events() -> None:
    answer.require_set_up(b"")

    with pytest.raises(errors.ProtocolViolation, match="events before the watch was set up"):
        answer.require_set_up(codec.event_entry(Event(EventType.CREATED, path("a"))))


def test_an_event_of_a_type_invented_later_is_none() -> None:
    later = state_pb2.WatchResponse(event=[state_pb2.Event(event_type=99)])  # type: ignore[arg-type]

    (event,) = answer.events(later.SerializeToString(), REGISTRY, ANY_PATH)

    assert event.type is EventType.NOOP


def corruptions(of: bytes) -> st.SearchStrategy[bytes]:
    """Return some bytes, and messages in which some bytes are others."""

    def corrupt(places: list[tuple[int, int]]) -> bytes:
        damaged = bytearray(of)
        for index, byte in places:
            damaged[index] = byte
        return bytes(damaged)

    place = st.tuples(st.integers(0, len(of) - 1), st.integers(0, 255))
    return st.binary(max_size=64) | st.lists(place, min_size=1, max_size=4).map(corrupt)


@given(corruptions(response(path("a"))))
def test_no_bytes_make_a_read_raise_anything_else(data: bytes) -> None:
    with suppress(errors.ProtocolViolation):
        assert got(data).pointer == A_PATH.pointer


@given(corruptions(codec.event_entry(Event(EventType.UPDATED, path("a"), path("a"), bookmark=b"bookmark"))))
def test_no_bytes_make_a_watch_raise_anything_else(data: bytes) -> None:
    with suppress(errors.ProtocolViolation):
        for event in answer.events(data, REGISTRY, ANY_PATH):
            assert event.type is not EventType.UPDATED or event.resource is not None
