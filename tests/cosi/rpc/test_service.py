"""The service on bytes: what the specification leaves to the server, and what a careless client is told."""

from collections.abc import AsyncIterator

import anyio
import pytest
from google.protobuf.message import Message

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource.metadata import Kind
from cosi.resource.wire import Malformed
from cosi.rpc import codec
from cosi.rpc.codes import Method
from cosi.rpc.service import StateService
from cosi.state import errors
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import PathResource, PathSpec, path, sample_registry

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0
NAMESPACE = "default"
TYPE = PathResource.definition.type
CREATED, UPDATED, DESTROYED, BOOTSTRAPPED, ERRORED, NOOP = range(6)


@pytest.fixture
def state() -> State:
    return State(MemoryState(history=16, gap=2))


@pytest.fixture
def service(state: State) -> StateService:
    return StateService(state, sample_registry())


async def watch(service: StateService, request: state_pb2.WatchRequest, count: int) -> list[state_pb2.WatchResponse]:
    """Return the first `count` responses of a watch, then close it."""
    stream = service.watch(request.SerializeToString())
    responses = []
    with anyio.fail_after(PATIENCE_SECONDS):
        for _ in range(count):
            responses.append(state_pb2.WatchResponse.FromString(await anext(stream)))  # noqa: PERF401
    await aclose(stream)
    return responses


async def aclose(stream: AsyncIterator[bytes]) -> None:
    await stream.aclose()  # type: ignore[attr-defined]


def kind_request(*, api_version: int = 1, **options: object) -> state_pb2.WatchRequest:
    return state_pb2.WatchRequest(
        namespace=NAMESPACE,
        type=TYPE,
        options=state_pb2.WatchOptions(**options),  # type: ignore[arg-type]
        api_version=api_version,
    )


async def test_the_first_message_of_a_watch_is_empty_and_says_that_it_is_set_up(service: StateService) -> None:
    (first,) = await watch(service, kind_request(), 1)

    assert first == state_pb2.WatchResponse()


async def test_all_that_is_pending_comes_in_one_message(service: StateService, state: State) -> None:
    for index in range(5):
        await state.create(path(f"p{index}"))

    _, contents = await watch(service, kind_request(bootstrap_contents=True), 2)

    assert [event.event_type for event in contents.event] == [CREATED] * 5 + [BOOTSTRAPPED]
    assert [event.resource.metadata.id for event in contents.event[:5]] == [f"p{index}" for index in range(5)]


async def test_a_message_of_events_stays_below_its_size(service: StateService, state: State) -> None:
    large = PathSpec(path="x" * (codec.MAX_FRAME_BYTES // 5))  # and as much again as YAML
    for index in range(5):
        await state.create(path(f"p{index}").with_spec(large))

    _, *messages = await watch(service, kind_request(bootstrap_contents=True), 4)

    assert [len(message.event) for message in messages] == [2, 2, 2]
    assert all(message.ByteSize() <= codec.MAX_FRAME_BYTES for message in messages)


async def test_a_client_of_api_version_0_is_not_told_of_bootstrapped_or_errored(
    service: StateService, state: State
) -> None:
    await state.create(path("a"))

    _, contents = await watch(service, kind_request(api_version=0, bootstrap_contents=True), 2)

    assert [event.event_type for event in contents.event] == [CREATED]


async def test_an_overrun_watch_is_told_once_and_ends(service: StateService, state: State) -> None:
    stream = service.watch(kind_request().SerializeToString())
    await anext(stream)
    for index in range(40):
        await state.create(path(f"p{index:02d}"))

    with anyio.fail_after(PATIENCE_SECONDS):
        responses = [state_pb2.WatchResponse.FromString(data) async for data in stream]

    assert len(responses) == 1
    (event,) = responses[0].event
    assert event.event_type == ERRORED
    assert event.error.startswith(f'buffer overrun: namespace "{NAMESPACE}" type "{TYPE}"')
    assert not event.HasField("resource")


async def test_every_watcher_is_sent_the_same_bytes(service: StateService, state: State) -> None:
    first, second = (service.watch(kind_request().SerializeToString()) for _ in range(2))
    await anext(first)
    await anext(second)
    await state.create(path("a"))

    sent = await anext(first), await anext(second)

    assert sent[0] == sent[1]
    await aclose(first)
    await aclose(second)


def resource(**metadata: object) -> resource_pb2.Resource:
    defaults = {"namespace": NAMESPACE, "type": TYPE, "id": "a", "version": "undefined", "phase": "running"}
    return resource_pb2.Resource(
        metadata=resource_pb2.Metadata(**{**defaults, **metadata}),  # type: ignore[arg-type]
        spec=resource_pb2.Spec(proto_spec=b"\x0a\x01x"),
    )


@pytest.mark.parametrize(
    ("method", "request_message", "error", "message"),
    [
        (
            Method.CREATE,
            state_pb2.CreateRequest(),
            Malformed,
            "metadata: is missing",
        ),
        (
            Method.CREATE,
            state_pb2.CreateRequest(resource=resource_pb2.Resource(metadata=resource().metadata)),
            Malformed,
            "spec: is missing",
        ),
        (Method.CREATE, state_pb2.CreateRequest(resource=resource(type="")), Malformed, "metadata.type: is empty"),
        (
            Method.CREATE,
            state_pb2.CreateRequest(resource=resource(version="one")),
            Malformed,
            "metadata.version: not a version: 'one'",
        ),
        (
            Method.CREATE,
            state_pb2.CreateRequest(resource=resource(phase="gone")),
            Malformed,
            "metadata.phase: unknown phase: 'gone'",
        ),
        (
            Method.UPDATE,
            state_pb2.UpdateRequest(
                new_resource=resource(version="1"), options=state_pb2.UpdateOptions(expected_phase="gone")
            ),
            errors.InvalidArgument,
            "options.expected_phase: unknown phase: 'gone'",
        ),
        (
            Method.LIST,
            state_pb2.ListRequest(options=state_pb2.ListOptions(id_query=resource_pb2.IDQuery(regexp="("))),
            errors.InvalidArgument,
            "failed to compile regexp",
        ),
        (
            Method.LIST,
            state_pb2.ListRequest(
                options=state_pb2.ListOptions(
                    label_query=[
                        resource_pb2.LabelQuery(
                            terms=[resource_pb2.LabelTerm(key="a", op=resource_pb2.LabelTerm.EQUAL)]
                        )
                    ]
                )
            ),
            errors.InvalidArgument,
            "label_query: the term on 'a' has no value",
        ),
        (
            Method.LIST,
            state_pb2.ListRequest(
                options=state_pb2.ListOptions(
                    label_query=[resource_pb2.LabelQuery(terms=[resource_pb2.LabelTerm(key="a")] * 300)]
                )
            ),
            errors.InvalidArgument,
            "label_query: more than 256 terms",
        ),
        (
            Method.WATCH,
            state_pb2.WatchRequest(id="a", options=state_pb2.WatchOptions(bootstrap_contents=True)),
            errors.Unsupported,
            "bootstrap contents is not implemented for resource watch",
        ),
        (
            Method.WATCH,
            kind_request(bootstrap_contents=True, tail_events=1),
            errors.InvalidArgument,
            "a watch takes only one of bootstrap_contents and tail_events",
        ),
        (
            Method.WATCH,
            kind_request(start_from_bookmark=b"nonsense"),
            errors.InvalidBookmark,
            "invalid watch bookmark",
        ),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_by_its_field(
    service: StateService, method: Method, request_message: Message, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as refusal:
        await _call(service, method, request_message.SerializeToString())

    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize("method", list(Method))
async def test_bytes_that_are_no_message_are_refused(service: StateService, method: Method) -> None:
    with pytest.raises(errors.InvalidArgument, match=f"^not a cosi.resource.{method}Request"):
        await _call(service, method, b"\xff\xff")


async def test_a_spec_that_is_not_of_its_type_is_refused_and_not_stored(service: StateService, state: State) -> None:
    broken = resource()
    broken.spec.proto_spec = b"\x0a\xff"

    with pytest.raises(Malformed, match=r"^spec\.proto_spec: not a spec of "):
        await service.create(state_pb2.CreateRequest(resource=broken).SerializeToString())

    assert await state.list(Kind(NAMESPACE, TYPE)) == []


async def _call(service: StateService, method: Method, request: bytes) -> None:
    if method in service.unary:
        await service.unary[method](request)
    else:
        async for _ in service.streaming[method](request):
            pass
