"""Whatever a client sends, it is told what is wrong with which field, and the server's log stays empty."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest
from google.protobuf.message import Message
from grpc import StatusCode as Code
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Kind
from cosi.rpc import codec
from cosi.rpc.address import Address
from cosi.rpc.codes import Method, code_of
from cosi.rpc.service import NAME, StateService
from cosi.rpc.serving import serving
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, PathResource, sample_registry
from tests.cosi.rpc.calling import stream, unary

pytestmark = pytest.mark.anyio

_PATIENCE_SECONDS = 5.0
_TYPE = PathResource.definition.type
_LONG = "x" * (wire.MAX_NAME_CHARACTERS + 1)
_STREAMING = {Method.LIST, Method.WATCH}


class Client:
    """Calls methods with any bytes, and returns the status."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def call(self, method: str, request: bytes) -> tuple[Code, str]:
        with anyio.fail_after(_PATIENCE_SECONDS):
            try:
                if method in _STREAMING:
                    stream: Any = self._channel.unary_stream(f"/{NAME}/{method}")
                    async for _ in stream(request):
                        break
                else:
                    unary: Any = self._channel.unary_unary(f"/{NAME}/{method}")
                    await unary(request)
            except grpc.aio.AioRpcError as error:
                return error.code(), error.details() or ""
        return Code.OK, ""


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[Address]:
    where = Address(path=str(tmp_path / "cosi.sock"))
    async with serving(MemoryState(), sample_registry(), [where]):
        yield where


@pytest.fixture
async def client(address: Address) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(address.target) as channel:
        yield Client(channel)


@pytest.fixture(autouse=True)
def nothing_is_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], None]:
    """Return what fails if anything was logged, by us, by grpc or by its C core."""
    caplog.set_level(logging.WARNING)

    def check() -> None:
        assert capfd.readouterr() == ("", "")
        assert caplog.records == []

    return check


def resource(*, spec: resource_pb2.Spec | None = None, **metadata: object) -> resource_pb2.Resource:
    defaults = {"namespace": "default", "type": _TYPE, "id": "a", "version": "undefined", "phase": "running"}
    return resource_pb2.Resource(
        metadata=resource_pb2.Metadata(**{**defaults, **metadata}),  # type: ignore[arg-type]
        spec=spec or resource_pb2.Spec(proto_spec=b"\x0a\x01x"),
    )


def create(**parts: Any) -> state_pb2.CreateRequest:
    return state_pb2.CreateRequest(resource=resource(**parts))


def listing(*terms: resource_pb2.LabelTerm, pattern: str = "") -> state_pb2.ListRequest:
    query = state_pb2.ListOptions(
        label_query=[resource_pb2.LabelQuery(terms=terms)], id_query=resource_pb2.IDQuery(regexp=pattern)
    )
    return state_pb2.ListRequest(namespace="default", type=_TYPE, options=query)


def names(count: int) -> list[str]:
    return [f"{number}" for number in range(count)]


_REFUSED: list[tuple[Method, Message, Code, str]] = [
    (Method.CREATE, create(type=""), Code.INVALID_ARGUMENT, "metadata.type: is empty"),
    (Method.CREATE, create(version=""), Code.INVALID_ARGUMENT, "metadata.version: not a version: ''"),
    (Method.CREATE, create(version="-1"), Code.INVALID_ARGUMENT, "metadata.version: not a version: '-1'"),
    (Method.CREATE, create(version="١"), Code.INVALID_ARGUMENT, "metadata.version: not a version: '١'"),
    (Method.CREATE, create(version="9" * 5000), Code.INVALID_ARGUMENT, "metadata.version: not a version: '999"),
    (Method.CREATE, create(phase="gone"), Code.INVALID_ARGUMENT, "metadata.phase: unknown phase: 'gone'"),
    (Method.CREATE, create(phase="x" * 50_000), Code.INVALID_ARGUMENT, "metadata.phase: unknown phase: 'xxx"),
    (Method.CREATE, create(namespace=_LONG), Code.INVALID_ARGUMENT, "metadata.namespace: longer than 1024 characters"),
    (Method.CREATE, create(type=_LONG), Code.INVALID_ARGUMENT, "metadata.type: longer than 1024 characters"),
    (Method.CREATE, create(id=_LONG), Code.INVALID_ARGUMENT, "metadata.id: longer than 1024 characters"),
    (Method.CREATE, create(owner=_LONG), Code.INVALID_ARGUMENT, "metadata.owner: longer than 1024 characters"),
    (
        Method.CREATE,
        state_pb2.CreateRequest(resource=resource(), options=state_pb2.CreateOptions(owner=_LONG)),
        Code.INVALID_ARGUMENT,
        "options.owner: longer than 1024 characters",
    ),
    (
        Method.CREATE,
        create(finalizers=names(wire.MAX_FINALIZERS + 1)),
        Code.INVALID_ARGUMENT,
        "metadata.finalizers: 1025 of them, at most 1024 are allowed",
    ),
    (
        Method.CREATE,
        create(labels=dict.fromkeys(names(wire.MAX_LABELS + 1), "")),
        Code.INVALID_ARGUMENT,
        "metadata.labels: 1025 of them, at most 1024 are allowed",
    ),
    (
        Method.CREATE,
        create(annotations=dict.fromkeys(names(wire.MAX_ANNOTATIONS + 1), "")),
        Code.INVALID_ARGUMENT,
        "metadata.annotations: 1025 of them, at most 1024 are allowed",
    ),
    (
        Method.CREATE,
        create(labels={"large": "x" * wire.MAX_METADATA_BYTES}),
        Code.INVALID_ARGUMENT,
        "metadata: 65",
    ),
    (
        Method.CREATE,
        create(spec=resource_pb2.Spec(proto_spec=bytes(wire.MAX_SPEC_BYTES + 1))),
        Code.INVALID_ARGUMENT,
        "spec.proto_spec: 1000001 bytes, at most 1000000 are allowed",
    ),
    (
        Method.CREATE,
        create(spec=resource_pb2.Spec(yaml_spec="é" * (wire.MAX_SPEC_BYTES // 2) + "x")),
        Code.INVALID_ARGUMENT,
        "spec.yaml_spec: 1000001 bytes, at most 1000000 are allowed",
    ),
    (
        Method.CREATE,
        create(spec=resource_pb2.Spec(proto_spec=b"\x0a\xff")),
        Code.INVALID_ARGUMENT,
        f"spec.proto_spec: not a spec of {_TYPE}: ",
    ),
    (
        Method.UPDATE,
        state_pb2.UpdateRequest(new_resource=resource(id=_LONG)),
        Code.INVALID_ARGUMENT,
        "metadata.id: longer than 1024 characters",
    ),
    (
        Method.UPDATE,
        state_pb2.UpdateRequest(
            new_resource=resource(version="1"), options=state_pb2.UpdateOptions(expected_phase="x" * 50_000)
        ),
        Code.INVALID_ARGUMENT,
        "options.expected_phase: unknown phase: 'xxx",
    ),
    (Method.GET, state_pb2.GetRequest(id=_LONG), Code.INVALID_ARGUMENT, "id: longer than 1024 characters"),
    (Method.DESTROY, state_pb2.DestroyRequest(type=_LONG), Code.INVALID_ARGUMENT, "type: longer than 1024 characters"),
    (
        Method.TEARDOWN,
        state_pb2.TeardownRequest(namespace=_LONG),
        Code.INVALID_ARGUMENT,
        "namespace: longer than 1024 characters",
    ),
    (
        Method.TEARDOWN_AND_DESTROY,
        state_pb2.TeardownAndDestroyRequest(id=_LONG),
        Code.INVALID_ARGUMENT,
        "id: longer than 1024 characters",
    ),
    (Method.LIST, state_pb2.ListRequest(type=_LONG), Code.INVALID_ARGUMENT, "type: longer than 1024 characters"),
    (Method.WATCH, state_pb2.WatchRequest(id=_LONG), Code.INVALID_ARGUMENT, "id: longer than 1024 characters"),
    (
        Method.WATCH,
        state_pb2.WatchRequest(namespace=_LONG),
        Code.INVALID_ARGUMENT,
        "namespace: longer than 1024 characters",
    ),
    (
        Method.LIST,
        listing(resource_pb2.LabelTerm(key="a", op=99)),  # type: ignore[arg-type]
        Code.INVALID_ARGUMENT,
        "label_query: unknown operator: 99",
    ),
    (
        Method.LIST,
        listing(resource_pb2.LabelTerm(key="k" * 50_000, op=resource_pb2.LabelTerm.EQUAL)),
        Code.INVALID_ARGUMENT,
        "label_query: the term on 'kkk",
    ),
    (
        Method.LIST,
        listing(*[resource_pb2.LabelTerm(key="a")] * (codec.MAX_LABEL_TERMS + 1)),
        Code.INVALID_ARGUMENT,
        "label_query: more than 256 terms",
    ),
    (
        Method.LIST,
        state_pb2.ListRequest(
            options=state_pb2.ListOptions(label_query=[resource_pb2.LabelQuery()] * (codec.MAX_LABEL_TERMS + 1))
        ),
        Code.INVALID_ARGUMENT,
        "label_query: more than 256 queries",
    ),
    (
        Method.LIST,
        listing(resource_pb2.LabelTerm(key="a", op=resource_pb2.LabelTerm.IN, value=names(codec.MAX_LABEL_VALUES + 1))),
        Code.INVALID_ARGUMENT,
        "label_query: more than 1024 values",
    ),
    (Method.LIST, listing(pattern="("), Code.INVALID_ARGUMENT, "failed to compile regexp: missing )"),
    (Method.LIST, listing(pattern="é(" * 2000), Code.INVALID_ARGUMENT, "failed to compile regexp: missing )"),
    (Method.LIST, listing(pattern="x" * 50_000), Code.INVALID_ARGUMENT, "failed to compile regexp: longer than 4096"),
    (
        Method.WATCH,
        state_pb2.WatchRequest(type=_TYPE, options=state_pb2.WatchOptions(start_from_bookmark=b"x" * 50_000)),
        Code.FAILED_PRECONDITION,
        "invalid watch bookmark",
    ),
]


@pytest.mark.parametrize(("method", "request_message", "code", "details"), _REFUSED)
async def test_what_makes_no_sense_is_refused_by_its_field(
    client: Client,
    nothing_is_logged: Callable[[], None],
    method: Method,
    request_message: Message,
    code: Code,
    details: str,
) -> None:
    status = await client.call(method, request_message.SerializeToString())

    assert status[0] is code
    assert status[1].startswith(details)
    nothing_is_logged()


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xff", b"\x0a\x02\xff\xfe\x12\x02\xff\xfe", b"\x0b" * 200, b"\x0a\xff\xff\xff\xff\x0f"],
    ids=["no field", "invalid UTF-8", "groups in groups", "length past the end"],
)
async def test_bytes_that_are_no_message_are_refused(
    client: Client, nothing_is_logged: Callable[[], None], method: Method, garbage: bytes
) -> None:
    code, details = await client.call(method, garbage)

    assert code is Code.INVALID_ARGUMENT
    assert details.startswith(f"not a cosi.resource.{method}Request: ")
    nothing_is_logged()


async def test_an_unknown_method_is_unimplemented(client: Client, nothing_is_logged: Callable[[], None]) -> None:
    code, _ = await client.call("Explode", b"")

    assert code is Code.UNIMPLEMENTED
    nothing_is_logged()


@pytest.mark.parametrize("tail_events", [-1, -(2**31), 2**31 - 1])
async def test_a_tail_that_cannot_be_is_what_it_is_to_go(
    client: Client, nothing_is_logged: Callable[[], None], tail_events: int
) -> None:
    """A negative one is none; one larger than the history is all of it."""
    options = state_pb2.WatchOptions(tail_events=tail_events)

    code, _ = await client.call(
        Method.WATCH, state_pb2.WatchRequest(type=_TYPE, id="a", options=options).SerializeToString()
    )

    assert code is Code.OK
    nothing_is_logged()


async def test_empty_names_are_names(client: Client, nothing_is_logged: Callable[[], None]) -> None:
    created = await client.call(Method.CREATE, create(namespace="", id="").SerializeToString())
    found = await client.call(Method.GET, state_pb2.GetRequest(type=_TYPE).SerializeToString())

    assert created == found == (Code.OK, "")
    nothing_is_logged()


async def test_what_is_just_within_the_limits_is_stored_and_watched_by_clients_with_default_limits(
    client: Client, address: Address, nothing_is_logged: Callable[[], None]
) -> None:
    largest = resource(
        type="Unknown.test.cosi.dev",
        labels={"large": "x" * (wire.MAX_METADATA_BYTES - 200)},
        spec=resource_pb2.Spec(proto_spec=bytes(wire.MAX_SPEC_BYTES), yaml_spec="y" * wire.MAX_SPEC_BYTES),
    )
    created = await client.call(Method.CREATE, state_pb2.CreateRequest(resource=largest).SerializeToString())
    largest.metadata.version = "1"
    updated = await client.call(Method.UPDATE, state_pb2.UpdateRequest(new_resource=largest).SerializeToString())
    request = state_pb2.WatchRequest(
        namespace="default",
        type="Unknown.test.cosi.dev",
        options=state_pb2.WatchOptions(tail_events=2),
    )
    async with grpc.aio.insecure_channel(address.target) as channel:
        watch: Any = channel.unary_stream(f"/{NAME}/{Method.WATCH}")
        events: list[int] = []
        async for message in watch(request.SerializeToString()):
            events += [event.event_type for event in state_pb2.WatchResponse.FromString(message).event]
            if len(events) == 2:
                break

    assert created == updated == (Code.OK, "")
    assert events == [state_pb2.CREATED, state_pb2.UPDATED]
    nothing_is_logged()


async def test_a_connection_that_speaks_no_http2_harms_nobody(client: Client, address: Address) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(1024), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address.path)
            connection.sendall(garbage)

    assert await client.call(Method.CREATE, create().SerializeToString()) == (Code.OK, "")


_PARTS = st.binary(max_size=64) | st.builds(
    lambda *fields: b"".join(bytes((number << 3 | 2, len(content))) + content for number, content in fields),
    *[st.tuples(st.integers(1, 8), st.binary(max_size=40))] * 3,
)


@given(method=st.sampled_from(sorted(set(Method) - {Method.WATCH})), request=_PARTS)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_bytes_make_a_handler_fail_in_a_way_that_has_no_status(method: Method, request: bytes) -> None:
    service = StateService(MemoryState(), sample_registry()).service
    try:
        if method in service.unary:
            await unary(service, method, request)
        else:
            async for _ in stream(service, method, request):
                pass
    except Exception as error:
        assert code_of(error) is not None, error  # noqa: PT017


_TEXTS = st.text(max_size=8)
_RESOURCES = st.builds(
    lambda namespace, type, id, version, phase, owner, finalizers, labels, proto, yaml: resource_pb2.Resource(
        metadata=resource_pb2.Metadata(
            namespace=namespace, type=type, id=id, version=version, phase=phase, owner=owner,
            finalizers=finalizers, labels=labels,
        ),
        spec=resource_pb2.Spec(proto_spec=proto, yaml_spec=yaml),
    ),
    _TEXTS, st.sampled_from([_TYPE, IntResource.definition.type, "Unknown"]), _TEXTS,
    st.sampled_from(["undefined", "1", "0"]) | _TEXTS, st.sampled_from(["running", "tearingDown"]) | _TEXTS, _TEXTS,
    st.lists(_TEXTS, max_size=3), st.dictionaries(_TEXTS, _TEXTS, max_size=3), st.binary(max_size=8), _TEXTS,
)  # fmt: skip


@given(sent=_RESOURCES)
@settings(max_examples=200)
async def test_what_is_accepted_comes_back_and_all_else_is_refused_by_its_field(sent: resource_pb2.Resource) -> None:
    state = State(MemoryState())
    service = StateService(state, sample_registry()).service
    owner = state_pb2.CreateOptions(owner=sent.metadata.owner)
    try:
        request = state_pb2.CreateRequest(resource=sent, options=owner).SerializeToString()
        answer = await unary(service, Method.CREATE, request)
    except wire.Malformed as refusal:
        assert refusal.field.startswith(("metadata.", "spec."))  # noqa: PT017
        return

    stored = state_pb2.CreateResponse.FromString(answer).resource
    kind = Kind(sent.metadata.namespace, sent.metadata.type)
    assert [found.id for found in await state.list(kind)] == [sent.metadata.id]
    assert stored.metadata.version == "1"
    assert stored.metadata.labels == sent.metadata.labels
    assert stored.metadata.phase == sent.metadata.phase
    assert list(stored.metadata.finalizers) == list(dict.fromkeys(sent.metadata.finalizers))
    if sent.metadata.type == "Unknown":
        assert stored.spec == sent.spec
    else:
        assert stored.spec.yaml_spec
