"""Reflection of gRPC: what services there are, and the .proto files that describe them, for tools such as grpcurl.

Served under both its names, v1 and v1alpha, whose messages are the same on the wire. What can be looked up is what
protobuf knows in this process; each answer brings the file asked for and all that it imports.
Faithful to reflection/v1/reflection.proto.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Bidirectional, Call, Frames, Refusal, Service, frame

V1ALPHA_NAME: Final = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
V1_NAME: Final = V1ALPHA_NAME.replace("v1alpha", "v1")

MAX_REQUEST_BYTES: Final = 4096
"""A request holds one name, and is sent back with the answer."""

_NOT_FOUND: Final = ServerReflectionResponse(
    error_response=reflection_pb2.ErrorResponse(error_code=Code.NOT_FOUND, error_message="not found")
)


def services(names: Iterable[str]) -> tuple[Service, Service]:
    """Return the two services that tell of these services, and of themselves."""
    described = _Described(sorted({*names, V1_NAME, V1ALPHA_NAME}))
    methods: dict[str, Bidirectional] = {"ServerReflectionInfo": described.info}
    return Service(V1_NAME, bidirectional=methods), Service(V1ALPHA_NAME, bidirectional=methods)


class _Described:
    """Answers about services, and about whatever a descriptor pool holds."""

    def __init__(self, names: Iterable[str]) -> None:
        listed = [reflection_pb2.ServiceResponse(name=name) for name in names]
        self._services = ServerReflectionResponse(
            list_services_response=reflection_pb2.ListServiceResponse(service=listed)
        )
        self._pools: tuple[DescriptorPool, ...] = (descriptor_pool.Default(), _pool_of_v1())

    async def info(self, requests: AsyncIterator[bytes], _: Call) -> AsyncGenerator[Frames, None]:
        """Answer each ServerReflectionRequest with a ServerReflectionResponse."""
        async for request in requests:
            if len(request) > MAX_REQUEST_BYTES:
                raise Refusal(Code.INVALID_ARGUMENT, f"a request is at most {MAX_REQUEST_BYTES} bytes")
            message = parse(ServerReflectionRequest, request)
            response = ServerReflectionResponse(valid_host=message.host, original_request=message)
            response.MergeFrom(self._answer(message))
            yield frame(response.SerializeToString())

    def _answer(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        if request.HasField("list_services"):
            return self._services
        for pool in self._pools:
            try:
                return _looked_up(pool, request)
            except KeyError:
                continue
        return _NOT_FOUND


def _looked_up(
    pool: DescriptorPool, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    """Return the answer to a request from one pool. Raises KeyError."""
    match request.WhichOneof("message_request"):
        case "file_by_filename":
            return _files(pool.FindFileByName(request.file_by_filename))
        case "file_containing_symbol":
            return _files(_file_of(pool, request.file_containing_symbol))
        case "file_containing_extension":
            asked = request.file_containing_extension
            extended = pool.FindMessageTypeByName(asked.containing_type)
            extension = pool.FindExtensionByNumber(extended, asked.extension_number)
            return _files(pool.FindFileContainingSymbol(extension.full_name))
        case "all_extension_numbers_of_type":
            extended = pool.FindMessageTypeByName(request.all_extension_numbers_of_type)
            numbers = sorted(extension.number for extension in pool.FindAllExtensions(extended))
            found = reflection_pb2.ExtensionNumberResponse(base_type_name=extended.full_name, extension_number=numbers)
            return ServerReflectionResponse(all_extension_numbers_response=found)
        case _:
            raise Refusal(Code.INVALID_ARGUMENT, "a request must ask for something")


def _file_of(pool: DescriptorPool, symbol: str) -> FileDescriptor:
    try:
        return pool.FindFileContainingSymbol(symbol)
    except KeyError:
        service, _, method = symbol.rpartition(".")  # the pool finds everything but methods
        return pool.FindServiceByName(service).methods_by_name[method].containing_service.file


def _files(wanted: FileDescriptor) -> ServerReflectionResponse:
    """Return a file and all that it imports, each once."""
    files = {wanted.name: wanted}
    unread = [wanted]
    while unread:
        for imported in unread.pop().dependencies:
            if imported.name not in files:
                files[imported.name] = imported
                unread.append(imported)
    content = [file.serialized_pb for file in files.values()]
    return ServerReflectionResponse(
        file_descriptor_response=reflection_pb2.FileDescriptorResponse(file_descriptor_proto=content)
    )


def _pool_of_v1() -> DescriptorPool:
    """Return a pool with the file of v1, which is that of v1alpha but for its name and its package."""
    file = descriptor_pb2.FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    file.ClearField("options")
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = V1_NAME.rpartition(".")[0]
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(".v1alpha.", ".v1.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(".v1alpha.", ".v1.")
        method.output_type = method.output_type.replace(".v1alpha.", ".v1.")
    pool = DescriptorPool()
    pool.Add(file)
    return pool
