"""What a careless client is told: which field of its request makes no sense, and why."""

import pytest
from google.protobuf.message import Message

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource import wire
from cosi.resource.metadata import Kind
from cosi.resource.wire import Malformed
from cosi.rpc.codes import Method
from cosi.rpc.seam import Service
from cosi.rpc.service import StateService
from cosi.state import errors
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import PathResource, sample_registry
from tests.cosi.rpc.calling import stream, unary

pytestmark = pytest.mark.anyio

NAMESPACE = "default"
TYPE = PathResource.definition.type
LONG = "x" * (wire.MAX_NAME_CHARACTERS + 1)


@pytest.fixture
def state() -> State:
    return State(MemoryState())


@pytest.fixture
def service(state: State) -> Service:
    return StateService(state, sample_registry()).service


def kind_request(**options: object) -> state_pb2.WatchRequest:
    return state_pb2.WatchRequest(
        namespace=NAMESPACE,
        type=TYPE,
        options=state_pb2.WatchOptions(**options),  # type: ignore[arg-type]
    )


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
    service: Service, method: Method, request_message: Message, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as refusal:
        await _call(service, method, request_message.SerializeToString())

    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("method", "request_message"),
    [
        (
            Method.CREATE,
            state_pb2.CreateRequest(resource=resource(), options=state_pb2.CreateOptions(owner=LONG)),
        ),
        (
            Method.UPDATE,
            state_pb2.UpdateRequest(new_resource=resource(version="1"), options=state_pb2.UpdateOptions(owner=LONG)),
        ),
        (Method.DESTROY, state_pb2.DestroyRequest(options=state_pb2.DestroyOptions(owner=LONG))),
        (Method.TEARDOWN, state_pb2.TeardownRequest(options=state_pb2.TeardownOptions(owner=LONG))),
        (
            Method.TEARDOWN_AND_DESTROY,
            state_pb2.TeardownAndDestroyRequest(options=state_pb2.TeardownAndDestroyOptions(owner=LONG)),
        ),
    ],
)
async def test_an_owner_too_long_to_be_one_is_refused_wherever_one_is_named(
    service: Service, method: Method, request_message: Message
) -> None:
    with pytest.raises(Malformed, match=r"^options\.owner: longer than"):
        await unary(service, method, request_message.SerializeToString())


@pytest.mark.parametrize("method", list(Method))
async def test_bytes_that_are_no_message_are_refused(service: Service, method: Method) -> None:
    with pytest.raises(errors.InvalidArgument, match=f"^not a cosi.resource.{method}Request"):
        await _call(service, method, b"\xff\xff")


async def test_a_spec_that_is_not_of_its_type_is_refused_and_not_stored(service: Service, state: State) -> None:
    broken = resource()
    broken.spec.proto_spec = b"\x0a\xff"

    with pytest.raises(Malformed, match=r"^spec\.proto_spec: not a spec of "):
        await unary(service, Method.CREATE, state_pb2.CreateRequest(resource=broken).SerializeToString())

    assert await state.list(Kind(NAMESPACE, TYPE)) == []


async def _call(service: Service, method: Method, request: bytes) -> None:
    if method in service.unary:
        await unary(service, method, request)
    else:
        async for _ in stream(service, method, request):
            pass
