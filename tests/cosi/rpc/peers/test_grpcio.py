"""grpcio's C-core, the client of half the world, is served as by any gRPC server: plain and over TLS."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc import service
from cosi.rpc.address import Address
from cosi.rpc.tls import Identity, ServerTls
from tests.cosi.rpc.certificates import Authority
from tests.cosi.rpc.peers.server import HELD, NAME, Peers, serving_peers

PATIENCE_SECONDS = 20
LARGE = bytes(range(256)) * 12_000  # 3 MB


@pytest.fixture(scope="module")
def peers() -> Peers:
    return Peers()


@pytest.fixture(scope="module", params=["plain", "TLS"])
def channel(request: pytest.FixtureRequest, peers: Peers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory: Path = tmp_path_factory.mktemp("peers")
    if request.param == "plain":
        with (
            serving_peers(peers, Address(path=str(directory / "socket"))) as where,
            grpc.insecure_channel(where.target) as opened,
        ):
            yield opened
        return
    authority = Authority(directory)
    tls = ServerTls(Identity(*authority.issue("server")), authority.certificate)
    certificate, key = authority.issue("client")
    credentials = grpc.ssl_channel_credentials(authority.certificate, key, certificate)
    with (
        serving_peers(peers, Address(host="127.0.0.1"), tls) as where,
        grpc.secure_channel(where.target, credentials) as opened,
    ):
        yield opened


def test_a_call_of_each_kind_is_answered(channel: Any) -> None:
    words = [b"one", b"", b"three"]

    assert _unary(channel, "Echo")(b"hello") == b"hello"
    assert list(_stream(channel, "Count")(b"3")) == [b"0", b"1", b"2"]
    assert channel.stream_unary(f"/{NAME}/Join")(iter(words), timeout=PATIENCE_SECONDS) == b"one++three"
    answers = channel.stream_stream(f"/{NAME}/Answer")(iter(words), timeout=PATIENCE_SECONDS)
    assert list(answers) == [b"re: " + word for word in words]


def test_metadata_reaches_the_handler_and_an_error_the_client(channel: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        _unary(channel, "Refuse")(b"", metadata=[("who-bin", b"\0\xff"), ("other", "value")])

    assert (refused.value.code(), refused.value.details()) == (StatusCode.DATA_LOSS, "gone: é %\n")
    assert ("who", repr(b"\0\xff")) in _trailers(refused.value)


def test_a_deadline_ends_a_call(channel: Any, peers: Peers) -> None:
    peers.ended.clear()

    with pytest.raises(grpc.RpcError) as late:
        channel.unary_unary(f"/{NAME}/Sleep")(b"", timeout=0.05)

    assert late.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert peers.ended.wait(PATIENCE_SECONDS)


def test_a_stream_that_is_cancelled_ends_and_the_next_call_is_answered(channel: Any, peers: Peers) -> None:
    peers.ended.clear()
    counting = _stream(channel, "Count")(b"1000+")
    assert list(itertools.islice(counting, 1000)) == [b"%d" % number for number in range(1000)]

    counting.cancel()

    with pytest.raises(grpc.RpcError) as cancelled:
        list(counting)
    assert cancelled.value.code() is StatusCode.CANCELLED
    assert peers.ended.wait(PATIENCE_SECONDS)
    assert _unary(channel, "Echo")(b"hello") == b"hello"


def test_large_messages_go_both_ways(channel: Any) -> None:
    assert _unary(channel, "Echo")(LARGE) == LARGE
    answers = channel.stream_stream(f"/{NAME}/Answer")(iter([LARGE, LARGE]), timeout=PATIENCE_SECONDS)
    assert list(answers) == [b"re: " + LARGE] * 2


def test_many_large_answers_arrive_at_the_same_time(channel: Any) -> None:
    size = 1_000_000
    answers = [_unary(channel, "Fill").future(b"%d" % size) for _ in range(64)]

    assert [len(each.result()) for each in answers] == [size] * 64


def test_many_large_requests_are_taken_at_the_same_time(channel: Any) -> None:
    answers = [_unary(channel, "Echo").future(LARGE) for _ in range(30)]

    assert all(each.result() == LARGE for each in answers)


def test_a_message_over_the_limit_is_refused_and_the_connection_goes_on(channel: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        _unary(channel, "Echo")(LARGE * 2)

    assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert _unary(channel, "Echo")(b"hello") == b"hello"


def test_a_compressed_message_is_refused_in_words(channel: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        _unary(channel, "Echo")(bytes(1000), compression=grpc.Compression.Gzip)

    assert refused.value.code() is StatusCode.UNIMPLEMENTED
    assert "compressed with 'gzip'" in (refused.value.details() or "")


def test_hundreds_of_calls_go_on_at_the_same_time(channel: Any) -> None:
    many = 200
    counting = [_stream(channel, "Count")(b"2+") for _ in range(many)]
    first = [next(each) for each in counting]
    echoed = [_unary(channel, "Echo").future(b"%d" % number) for number in range(many)]
    second = [next(each) for each in counting]

    assert (first, second) == ([b"0"] * many, [b"1"] * many)
    assert [each.result() for each in echoed] == [b"%d" % number for number in range(many)]
    for each in counting:
        each.cancel()
    assert _unary(channel, "Echo")(b"hello") == b"hello"


def test_a_resource_is_got(channel: Any) -> None:
    pointer = HELD.pointer
    get = channel.unary_unary(
        f"/{service.NAME}/Get",
        request_serializer=state_pb2.GetRequest.SerializeToString,
        response_deserializer=state_pb2.GetResponse.FromString,
    )

    answer = get(state_pb2.GetRequest(namespace=pointer.namespace, type=pointer.type, id=pointer.id))

    assert (answer.resource.metadata.id, answer.resource.metadata.version) == ("held", "1")


def test_whoever_looks_after_the_server_is_told_that_it_is_well(channel: Any) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING

    for name in ("", NAME, service.NAME):
        request = health_pb2.HealthCheckRequest(service=name)
        assert health.Check(request).status == serving
        watch = health.Watch(request)
        assert next(watch).status == serving
        watch.cancel()
    with pytest.raises(grpc.RpcError) as unknown:
        health.Check(health_pb2.HealthCheckRequest(service="nonsense"))
    assert unknown.value.code() is StatusCode.NOT_FOUND


def test_a_tool_finds_out_what_is_served(channel: Any) -> None:
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=service.NAME),
    ]

    listed, described = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(asked))

    assert {NAME, service.NAME} < {each.name for each in listed.list_services_response.service}
    files = map(FileDescriptorProto.FromString, described.file_descriptor_response.file_descriptor_proto)
    assert state_pb2.DESCRIPTOR.name in [file.name for file in files]


def _trailers(error: Any) -> list[tuple[str, str]]:
    return [(key, value) for key, value in error.trailing_metadata()]


def _unary(channel: Any, method: str) -> Any:
    return channel.unary_unary(f"/{NAME}/{method}")


def _stream(channel: Any, method: str) -> Any:
    return channel.unary_stream(f"/{NAME}/{method}")
