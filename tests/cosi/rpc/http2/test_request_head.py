"""The headers of a request, held against HTTP/2 first and gRPC second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2.errors import ErrorCode, StreamError
from cosi.rpc.http2.grpc_request import request_headers
from cosi.rpc.http2.hpack import Header
from cosi.rpc.http2.request_head import GrpcRefusal, HttpRefusal, read_head, read_trailers
from cosi.rpc.http2.status import Code

METHOD: Header = (b":method", b"POST")
SCHEME: Header = (b":scheme", b"http")
PATH: Header = (b":path", b"/service/Method")
GRPC: Header = (b"content-type", b"application/grpc")
CALL = [METHOD, SCHEME, PATH, GRPC]

keys = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-.", min_size=1, max_size=20)
text_keys = keys.map(lambda key: "x-" + key).filter(lambda key: not key.endswith("-bin"))
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip)
some_names = st.sampled_from(
    [b":method", b":path", b"te", b"grpc-timeout", b"grpc-encoding", b"content-length", b"a-bin"]
)
metadata_pairs = st.tuples(text_keys, texts) | st.tuples(keys.map(lambda key: f"x-{key}-bin"), st.binary(max_size=30))


@given(st.lists(metadata_pairs, max_size=5), st.none() | st.floats(0.001, 1e6))
def test_what_our_client_says_is_understood(
    metadata: list[tuple[str, str | bytes]], timeout_seconds: float | None
) -> None:
    headers = request_headers(
        path="/service/Method", authority="localhost", metadata=metadata, timeout_seconds=timeout_seconds
    )

    head = read_head(headers, 1)

    assert head.refusal is None
    assert (head.path, head.authority) == ("/service/Method", "localhost")
    assert [pair for pair in head.metadata if pair[0] != "user-agent"] == metadata
    if timeout_seconds is None:
        assert head.timeout_seconds is None
    else:
        assert head.timeout_seconds is not None
        assert timeout_seconds <= head.timeout_seconds <= timeout_seconds + 1


def test_the_least_call_has_nothing_but_its_path() -> None:
    head = read_head(CALL, 1)

    assert (head.path, head.authority, head.metadata) == ("/service/Method", "", ())
    assert (head.timeout_seconds, head.content_length, head.refusal) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"2H", 7200.0), (b"3M", 180.0), (b"4S", 4.0), (b"5m", 0.005), (b"6u", 6e-6), (b"7n", 7e-9), (b"0n", 0.0)],
)
def test_every_unit_of_time_is_known(text: bytes, seconds: float) -> None:
    assert read_head([*CALL, (b"grpc-timeout", text)], 1).timeout_seconds == pytest.approx(seconds)


@pytest.mark.parametrize("text", [b"", b"1", b"S", b"123456789S", b"1s", b"-1S", b"1.5S", b"1S ,", "١S".encode()])
def test_a_malformed_timeout_is_refused_in_grpc(text: bytes) -> None:
    refusal = read_head([*CALL, (b"grpc-timeout", text)], 1).refusal

    assert isinstance(refusal, GrpcRefusal)
    assert refusal.code is Code.INTERNAL
    assert "malformed grpc-timeout" in refusal.message


def test_binary_metadata_may_be_padded_joined_and_repeated() -> None:
    head = read_head([*CALL, (b"a-bin", b"AQ==,Ag"), (b"a-bin", b"Aw"), (b"b-bin", b"")], 1)

    assert head.metadata == (("a-bin", b"\1"), ("a-bin", b"\2"), ("a-bin", b"\3"), ("b-bin", b""))


@pytest.mark.parametrize("text", [b"A", b"AQ==Ag", b"A Q", b"!!!!", b"\xff\xff"])
def test_binary_metadata_that_is_not_base64_is_refused_in_grpc(text: bytes) -> None:
    refusal = read_head([*CALL, (b"a-bin", text)], 1).refusal

    assert isinstance(refusal, GrpcRefusal)
    assert (refusal.code, refusal.message) == (Code.INTERNAL, "malformed metadata: a-bin is not base64")


def test_a_compressed_request_is_refused_with_what_is_accepted() -> None:
    refusal = read_head([*CALL, (b"grpc-encoding", b"gzip")], 1).refusal

    assert isinstance(refusal, GrpcRefusal)
    assert refusal.code is Code.UNIMPLEMENTED
    assert refusal.trailers == ((b"grpc-accept-encoding", b"identity"),)
    assert read_head([*CALL, (b"grpc-encoding", b"identity")], 1).refusal is None


def test_another_method_is_refused_in_http() -> None:
    refusal = read_head([(b":method", b"GET"), SCHEME, PATH], 1).refusal

    assert isinstance(refusal, HttpRefusal)
    assert (refusal.status, refusal.extra) == (405, [(b"allow", b"POST")])
    assert b"gRPC" in refusal.body


def test_head_is_answered_without_a_body() -> None:
    refusal = read_head([(b":method", b"HEAD"), SCHEME, PATH], 1).refusal

    assert isinstance(refusal, HttpRefusal)
    assert (refusal.status, refusal.body) == (405, b"")


@pytest.mark.parametrize(
    "content_type", [None, b"", b"application/json", b"application/grpc-web", b"application/grpcx"]
)
def test_another_content_is_refused_in_http(content_type: bytes | None) -> None:
    others = [] if content_type is None else [(b"content-type", content_type)]

    refusal = read_head([METHOD, SCHEME, PATH, *others], 1).refusal

    assert isinstance(refusal, HttpRefusal)
    assert refusal.status == 415


@pytest.mark.parametrize("content_type", [b"application/grpc", b"application/grpc+proto", b"application/grpc;v=1"])
def test_every_kind_of_grpc_is_taken(content_type: bytes) -> None:
    assert read_head([METHOD, SCHEME, PATH, (b"content-type", content_type)], 1).refusal is None


def test_the_length_that_was_announced_is_known_also_of_what_is_refused() -> None:
    length = (b"content-length", b"12")

    assert read_head([*CALL, length, length], 1).content_length == 12
    assert read_head([(b":method", b"PUT"), SCHEME, PATH, length], 1).content_length == 12


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        pytest.param([], "it lacks :method and :scheme and :path", id="nothing"),
        pytest.param([METHOD, SCHEME, GRPC], "it lacks :path", id="no path"),
        pytest.param([METHOD, SCHEME, (b":path", b""), GRPC], "it lacks :path", id="an empty path"),
        pytest.param([METHOD, METHOD, SCHEME, PATH], ":method comes twice", id="two methods"),
        pytest.param([METHOD, SCHEME, GRPC, PATH], "a pseudo-header is out of place", id="a late path"),
        pytest.param([*CALL[:3], (b":status", b"200")], "b':status' is no pseudo-header", id="a response's"),
        pytest.param([*CALL, (b"", b"")], "b'' is no header name", id="no name"),
        pytest.param([*CALL, (b"Upper", b"")], "b'Upper' is no header name", id="upper case"),
        pytest.param([*CALL, (b"a b", b"")], "b'a b' is no header name", id="a space"),
        pytest.param([*CALL, (b"a:b", b"")], "b'a:b' is no header name", id="a colon"),
        pytest.param([*CALL, (b"\xe4", b"")], r"b'\\xe4' is no header name", id="beyond ASCII"),
        pytest.param([*CALL, (b"connection", b"close")], "connection belongs to HTTP/1", id="connection"),
        pytest.param([*CALL, (b"te", b"gzip")], "te may only say trailers", id="te"),
        pytest.param([*CALL, (b"content-length", b"x")], "content-length is no number", id="length"),
        pytest.param([*CALL, (b"content-length", b"-1")], "content-length is no number", id="negative length"),
        pytest.param([*CALL, (b"content-length", b"1" * 13)], "content-length is no number", id="endless length"),
        pytest.param(
            [*CALL, (b"content-length", b"1"), (b"content-length", b"2")], "two content-lengths", id="two lengths"
        ),
        pytest.param([*CALL, (b"a", b"b\nc")], "the value of a has characters", id="a line feed"),
        pytest.param([*CALL, (b"a", b"b\0")], "the value of a has characters", id="a zero byte"),
        pytest.param([*CALL, (b"a", b" b")], "the value of a has characters", id="a space in front"),
        pytest.param([*CALL, (b"a", b"b\t")], "the value of a has characters", id="a tab behind"),
        pytest.param([METHOD, SCHEME, (b":path", b"/a\r")], "the value of :path has characters", id="in the path"),
    ],
)
def test_a_malformed_request_breaks_its_stream_and_says_why(headers: list[Header], reason: str) -> None:
    with pytest.raises(StreamError, match=rf"^the request is malformed: .*{reason}") as refused:
        read_head(headers, 7)

    assert (refused.value.code, refused.value.stream_id) == (ErrorCode.PROTOCOL_ERROR, 7)


def test_http_is_asked_before_grpc() -> None:
    with pytest.raises(StreamError):
        read_head([(b":method", b"GET"), SCHEME, PATH, (b"Upper", b"")], 1)


def test_trailers_are_taken_if_http_takes_them() -> None:
    read_trailers([], 1)
    read_trailers([(b"x-checksum", b"1")], 1)


@pytest.mark.parametrize("header", [PATH, (b":status", b"200"), (b"Upper", b""), (b"upgrade", b"h2c"), (b"a", b"\r")])
def test_malformed_trailers_break_their_stream(header: Header) -> None:
    with pytest.raises(StreamError, match=r"^the request's trailers are malformed") as refused:
        read_trailers([header], 7)

    assert (refused.value.code, refused.value.stream_id) == (ErrorCode.PROTOCOL_ERROR, 7)


@given(st.lists(st.tuples(some_names | st.binary(max_size=5), st.binary(max_size=10)), max_size=5), st.booleans())
def test_no_headers_do_worse_than_breaking_their_stream(headers: list[Header], of_a_call: bool) -> None:
    for read in (read_head, read_trailers):
        try:
            read([*CALL, *headers] if of_a_call else headers, 1)
        except StreamError:
            continue
