"""A tool that knows nothing finds out what is served, and gets every file it needs to call it."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc import health, reflection, service
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Refusal, Service
from cosi.state import errors
from tests.cosi.rpc.calling import conversation

pytestmark = pytest.mark.anyio

INFO = "ServerReflectionInfo"
NAMES = [service.NAME, health.NAME]
V1, V1ALPHA = reflection.services(NAMES)

each_version = pytest.mark.parametrize("served", [V1, V1ALPHA], ids=["v1", "v1alpha"])


async def ask(*requests: ServerReflectionRequest, served: Service = V1) -> list[ServerReflectionResponse]:
    sent = [request.SerializeToString() for request in requests]
    return [ServerReflectionResponse.FromString(answer) async for answer in conversation(served, INFO, *sent)]


def pool_of(answer: ServerReflectionResponse) -> DescriptorPool:
    """Return a pool of the files in an answer, which fails unless all that they import are there."""
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(content)
        for content in answer.file_descriptor_response.file_descriptor_proto
    ]
    by_name = {file.name: file for file in files}
    assert len(by_name) == len(files), "a file comes twice"
    pool = DescriptorPool()

    def add(name: str) -> None:
        file = by_name.pop(name, None)
        if file is not None:
            for imported in file.dependency:
                add(imported)
            pool.Add(file)

    for file in files:
        add(file.name)
    return pool


@each_version
async def test_all_services_are_listed_those_that_tell_of_them_too(served: Service) -> None:
    (answer,) = await ask(ServerReflectionRequest(list_services="*"), served=served)

    assert [each.name for each in answer.list_services_response.service] == sorted(
        [*NAMES, "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
    )


async def test_every_service_that_is_listed_is_described() -> None:
    (listed,) = await ask(ServerReflectionRequest(list_services=""))
    for each in listed.list_services_response.service:
        (answer,) = await ask(ServerReflectionRequest(file_containing_symbol=each.name))

        found = pool_of(answer).FindServiceByName(each.name)
        assert all(GetMessageClass(method.input_type)() is not None for method in found.methods)


@pytest.mark.parametrize(
    "symbol",
    ["cosi.resource.State", "cosi.resource.State.Watch", "cosi.resource.WatchRequest", "cosi.resource.GetRequest.id"],
)
async def test_a_file_is_found_by_what_it_declares(symbol: str) -> None:
    (answer,) = await ask(ServerReflectionRequest(file_containing_symbol=symbol))

    found = pool_of(answer).FindServiceByName("cosi.resource.State").methods_by_name["Watch"]
    assert found.output_type.full_name == "cosi.resource.WatchResponse"


async def test_a_file_is_found_by_its_name() -> None:
    (answer,) = await ask(ServerReflectionRequest(file_by_filename=state_pb2.DESCRIPTOR.name))

    assert pool_of(answer).FindFileByName(state_pb2.DESCRIPTOR.name).serialized_pb == state_pb2.DESCRIPTOR.serialized_pb


async def test_extensions_are_found_by_their_number() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="tests/cosi/rpc/test_reflection.proto", package="test.reflection")
    file.dependency.append(descriptor_pb2.DESCRIPTOR.name)
    file.extension.add(name="extended", number=54321, label=1, type=9, extendee=".google.protobuf.MethodOptions")
    descriptor_pool.Default().Add(file)
    extended = "google.protobuf.MethodOptions"

    numbers, found = await ask(
        ServerReflectionRequest(all_extension_numbers_of_type=extended),
        ServerReflectionRequest(
            file_containing_extension=ExtensionRequest(containing_type=extended, extension_number=54321)
        ),
    )

    assert numbers.all_extension_numbers_response.base_type_name == extended
    assert list(numbers.all_extension_numbers_response.extension_number) == [54321]
    assert pool_of(found).FindFileByName(file.name).name == file.name


@pytest.mark.parametrize(
    "request_message",
    [
        ServerReflectionRequest(file_by_filename="nonsense.proto"),
        ServerReflectionRequest(file_containing_symbol="non.sense"),
        ServerReflectionRequest(file_containing_symbol="cosi.resource.State.Nonsense"),
        ServerReflectionRequest(file_containing_symbol="\0"),
        ServerReflectionRequest(file_containing_extension=ExtensionRequest(containing_type="non.sense")),
        ServerReflectionRequest(
            file_containing_extension=ExtensionRequest(containing_type="cosi.resource.GetRequest", extension_number=-1)
        ),
        ServerReflectionRequest(all_extension_numbers_of_type="non.sense"),
    ],
    ids=str,
)
async def test_what_is_not_there_is_not_found_and_the_conversation_goes_on(
    request_message: ServerReflectionRequest,
) -> None:
    missing, listed = await ask(request_message, ServerReflectionRequest(list_services=""))

    assert missing.error_response.error_code == Code.NOT_FOUND
    assert listed.HasField("list_services_response")


async def test_an_answer_repeats_what_was_asked() -> None:
    request = ServerReflectionRequest(host="here", file_by_filename="nonsense.proto")
    (answer,) = await ask(request)

    assert (answer.valid_host, answer.original_request) == ("here", request)


@pytest.mark.parametrize(
    "request_message",
    [
        ServerReflectionRequest(),
        ServerReflectionRequest(file_containing_symbol="x" * reflection.MAX_REQUEST_BYTES),
    ],
    ids=["for nothing", "too large"],
)
async def test_a_request_that_makes_no_sense_ends_the_conversation(request_message: ServerReflectionRequest) -> None:
    with pytest.raises(Refusal) as refused:
        await ask(request_message)

    assert refused.value.code is Code.INVALID_ARGUMENT


async def test_a_request_that_is_none_ends_the_conversation() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"^not a grpc\.reflection\.v1alpha"):
        await anext(conversation(V1, INFO, b"\xff"))
