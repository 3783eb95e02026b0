"""The service on bytes: what the specification leaves to the server."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc import codec
from cosi.rpc.codes import Method
from cosi.rpc.seam import Call, Feed, Service, messages
from cosi.rpc.service import StateService
from cosi.state.memory.state import MemoryState
from cosi.state.metered import Metered, PrometheusMetrics
from cosi.state.state import State
from cosi.testing.resources import PathResource, PathSpec, path, sample_registry
from tests.cosi.rpc.calling import stream

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0
NAMESPACE = "default"
TYPE = PathResource.definition.type
CREATED, UPDATED, DESTROYED, BOOTSTRAPPED, ERRORED, NOOP = range(6)


@pytest.fixture
def state() -> State:
    return State(MemoryState(history=16, gap=2))


@pytest.fixture
def service(state: State) -> Service:
    return StateService(state, sample_registry()).service


def watching(service: Service, request: state_pb2.WatchRequest) -> AsyncGenerator[bytes, None]:
    return stream(service, Method.WATCH, request.SerializeToString())


async def watch(service: Service, request: state_pb2.WatchRequest, count: int) -> list[state_pb2.WatchResponse]:
    """Return the first `count` responses of a watch, then close it."""
    responses = []
    with anyio.fail_after(PATIENCE_SECONDS):
        async with aclosing(watching(service, request)) as answers:
            for _ in range(count):
                responses.append(state_pb2.WatchResponse.FromString(await anext(answers)))  # noqa: PERF401
    return responses


def kind_request(*, api_version: int = 1, **options: object) -> state_pb2.WatchRequest:
    return state_pb2.WatchRequest(
        namespace=NAMESPACE,
        type=TYPE,
        options=state_pb2.WatchOptions(**options),  # type: ignore[arg-type]
        api_version=api_version,
    )


async def test_the_first_message_of_a_watch_is_empty_and_says_that_it_is_set_up(service: Service) -> None:
    (first,) = await watch(service, kind_request(), 1)

    assert first == state_pb2.WatchResponse()


async def test_all_that_is_pending_comes_in_one_message_to_who_asked_for_that(service: Service, state: State) -> None:
    for index in range(5):
        await state.create(path(f"p{index}"))

    _, contents = await watch(service, kind_request(bootstrap_contents=True, aggregated=True), 2)

    assert [event.event_type for event in contents.event] == [CREATED] * 5 + [BOOTSTRAPPED]
    assert [event.resource.metadata.id for event in contents.event[:5]] == [f"p{index}" for index in range(5)]


async def test_a_message_of_events_stays_below_its_size(service: Service, state: State) -> None:
    large = PathSpec(path="x" * (codec.MAX_FRAME_BYTES // 5))  # and as much again as YAML
    for index in range(5):
        await state.create(path(f"p{index}").with_spec(large))

    _, *messages = await watch(service, kind_request(bootstrap_contents=True, aggregated=True), 4)

    assert [len(message.event) for message in messages] == [2, 2, 2]
    assert all(message.ByteSize() <= codec.MAX_FRAME_BYTES for message in messages)


async def test_a_client_of_api_version_0_is_not_told_of_bootstrapped_or_errored(service: Service, state: State) -> None:
    await state.create(path("a"))

    _, contents = await watch(service, kind_request(api_version=0, bootstrap_contents=True), 2)

    assert [event.event_type for event in contents.event] == [CREATED]


async def test_a_list_comes_in_parts_that_are_not_too_large_and_in_order(service: Service, state: State) -> None:
    sizes = [codec.LISTED_BYTES // 8] * 20 + [codec.LISTED_BYTES] + [1] * 20
    for index, size in enumerate(sizes):
        await state.create(path(f"p{index:03d}").with_spec(PathSpec(path="x" * size)))
    request = state_pb2.ListRequest(namespace=NAMESPACE, type=TYPE).SerializeToString()

    parts = [
        part async for part in service.server_streaming[Method.LIST](request, Call()) if not isinstance(part, Feed)
    ]

    listed = [[state_pb2.ListResponse.FromString(each).resource for each in messages(part)] for part in parts]
    assert [each.metadata.id for part in listed for each in part] == [f"p{index:03d}" for index in range(len(sizes))]
    assert all(len(part) <= codec.LISTED_BYTES for part, within in zip(parts, listed, strict=True) if len(within) > 1)
    assert len(parts) < len(sizes) / 2


async def test_a_resource_is_encoded_once_for_all_who_ask(service: Service, state: State) -> None:
    await state.create(path("a"))
    request = state_pb2.GetRequest(namespace=NAMESPACE, type=TYPE, id="a").SerializeToString()

    first, second = [await service.unary[Method.GET](request, Call()) for _ in range(2)]

    assert first is second


async def test_a_watch_that_has_to_be_waited_for_is_served_as_well(state: State) -> None:
    service = StateService(Metered(state, PrometheusMetrics()), sample_registry()).service
    await state.create(path("a"))

    for version, types in ((1, [CREATED, BOOTSTRAPPED]), (0, [CREATED])):
        first, contents = await watch(
            service, kind_request(api_version=version, bootstrap_contents=True, aggregated=True), 2
        )

        assert first == state_pb2.WatchResponse()
        assert [event.event_type for event in contents.event] == types


async def test_an_overrun_watch_is_told_once_and_ends(service: Service, state: State) -> None:
    answers = watching(service, kind_request())
    await anext(answers)
    for index in range(40):
        await state.create(path(f"p{index:02d}"))

    with anyio.fail_after(PATIENCE_SECONDS):
        responses = [state_pb2.WatchResponse.FromString(data) async for data in answers]

    assert len(responses) == 1
    (event,) = responses[0].event
    assert event.event_type == ERRORED
    assert event.error.startswith(f'buffer overrun: namespace "{NAMESPACE}" type "{TYPE}"')
    assert not event.HasField("resource")
