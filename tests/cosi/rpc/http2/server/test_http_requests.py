"""What makes a request malformed in HTTP/2, and what is well-formed but no gRPC call (RFC 9113, section 8)."""

import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import Header, encode_block
from cosi.rpc.http2.server_events import Began
from tests.cosi.rpc.http2.server.peer import GET, GRPC, POST, Peer, changed, message, request

BROKEN = "RST_STREAM 1 PROTOCOL_ERROR"


def trailers(*fields: Header, end: bool = True) -> frames.Headers:
    return frames.Headers(1, encode_block(fields), end_stream=end)


@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        pytest.param(GET, "405", "This server speaks gRPC", id="GET"),
        pytest.param(changed(GET, {":method": "HEAD"}), "405", "", id="HEAD"),
        pytest.param(
            changed(GET, {":method": "OPTIONS", ":path": "*"}), "405", "This server speaks gRPC", id="OPTIONS"
        ),
        pytest.param(changed(GRPC, {":method": "PUT"}), "405", "This server speaks gRPC", id="PUT of gRPC"),
        pytest.param(POST, "415", "This server speaks gRPC", id="POST"),
        pytest.param(changed(GRPC, {"content-type": "text/html"}), "415", "This server speaks gRPC", id="html"),
        pytest.param(changed(GRPC, {"content-type": "application/grpcish"}), "415", "This server", id="nearly gRPC"),
    ],
)
def test_what_is_not_grpc_is_answered_in_words(fields: tuple[Header, ...], status: str, body: str) -> None:
    peer = Peer()

    events = peer.send(request(1, fields, end=True))

    answer = peer.answer(1)
    assert events == []
    assert answer.headers[":status"] == status
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers.get("allow") == ("POST" if status == "405" else None)
    assert answer.body.startswith(body.encode())
    assert answer.body.count(b"\n") <= 1
    assert answer.ended
    assert peer.connection.open_streams == 0


@pytest.mark.parametrize(
    "content_type", ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"]
)
def test_every_kind_of_grpc_is_taken(content_type: str) -> None:
    peer = Peer()

    (event,) = peer.send(request(1, changed(GRPC, {"content-type": content_type})))

    assert isinstance(event, Began)


def test_a_post_and_its_trailers_are_read_to_their_end() -> None:
    peer = Peer()

    peer.send(request(1, changed(POST, {"trailer": "x-test"})), frames.Data(1, b"test"), trailers((b"x-test", b"ok")))

    assert peer.verdict() == "answered 1 415"
    assert peer.connection.open_streams == 0


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(changed(GET, {"X-TEST": "ok"}), id="upper-case name"),
        pytest.param((*GET, (b"x test", b"ok")), id="space in a name"),
        pytest.param((*GET, (b"x:test", b"ok")), id="colon in a name"),
        pytest.param((*GET, (b"x\x7f", b"ok")), id="delete in a name"),
        pytest.param((*GET, (b"", b"ok")), id="no name"),
        pytest.param((*GET, (b"x-test", b"a\nb")), id="line feed in a value"),
        pytest.param((*GET, (b"x-test", b"a\rb")), id="carriage return in a value"),
        pytest.param((*GET, (b"x-test", b"a\0b")), id="zero in a value"),
        pytest.param((*GET, (b"x-test", b" a")), id="space before a value"),
        pytest.param((*GET, (b"x-test", b"a\t")), id="tab behind a value"),
        pytest.param(changed(GET, {":test": "ok"}), id="unknown pseudo-header"),
        pytest.param(changed(GET, {":status": "200"}), id="pseudo-header of answers"),
        pytest.param(((b"x-test", b"ok"), *GET), id="pseudo-headers behind a header"),
        pytest.param(changed(GET, {"connection": "keep-alive"}), id="connection"),
        pytest.param(changed(GET, {"keep-alive": "1"}), id="keep-alive"),
        pytest.param(changed(GET, {"proxy-connection": "close"}), id="proxy-connection"),
        pytest.param(changed(GET, {"transfer-encoding": "chunked"}), id="transfer-encoding"),
        pytest.param(changed(GET, {"upgrade": "websocket"}), id="upgrade"),
        pytest.param(changed(GET, {"trailers": "test", "te": "trailers, deflate"}), id="te"),
        pytest.param(changed(GET, {":path": ""}), id="empty path"),
        pytest.param(changed(GET, {":method": None}), id="no method"),
        pytest.param(changed(GET, {":scheme": None}), id="no scheme"),
        pytest.param(changed(GET, {":path": None}), id="no path"),
        pytest.param((GET[0], *GET), id="method twice"),
        pytest.param((GET[1], *GET), id="scheme twice"),
        pytest.param((GET[2], *GET), id="path twice"),
        pytest.param((GET[3], *GET), id="authority twice"),
        pytest.param((), id="nothing"),
        pytest.param(changed(GET, {"content-length": "1"}), id="no body where one is announced"),
        pytest.param(changed(GET, {"content-length": "-1"}), id="content-length below zero"),
        pytest.param((*GET, (b"content-length", b"0"), (b"content-length", b"1")), id="two content-lengths"),
    ],
)
@pytest.mark.parametrize("of_grpc", [False, True], ids=["http", "grpc"])
def test_a_malformed_request_breaks_its_stream(fields: tuple[Header, ...], of_grpc: bool) -> None:
    peer = Peer()
    if of_grpc:
        fields = (*((name, b"POST" if name == b":method" else value) for name, value in fields), *GRPC[4:])

    peer.send(request(1, fields, end=True))

    assert peer.verdict() == BROKEN
    assert all(call.cancelled for call in peer.calls.values())


@pytest.mark.parametrize("fields", [POST, GRPC], ids=["http", "grpc"])
@pytest.mark.parametrize(
    "spoken",
    [
        pytest.param([trailers((b"x-test", b"ok"), end=False)], id="headers that end nothing"),
        pytest.param([frames.Data(1, envelope(b"")), trailers((b":method", b"POST"))], id="pseudo-header in trailers"),
        pytest.param(
            [frames.Data(1, envelope(b"")), trailers((b":method", b"POST"), end=False)], id="both of that at once"
        ),
        pytest.param([frames.Data(1, envelope(b"")), trailers((b"X-Test", b"ok"))], id="upper case in trailers"),
    ],
)
def test_malformed_trailers_break_their_stream(fields: tuple[Header, ...], spoken: list[frames.Frame]) -> None:
    peer = Peer()

    peer.send(request(1, fields), *spoken)

    assert peer.verdict() == BROKEN


@pytest.mark.parametrize("fields", [POST, GRPC], ids=["http", "grpc"])
@pytest.mark.parametrize(
    ("announced", "sent"),
    [
        pytest.param(1, [b"test\0"], id="more in one frame"),
        pytest.param(1, [b"\0" * 5, b"\0" * 5], id="more in two frames"),
        pytest.param(11, [b"\0" * 5, b"\0" * 5], id="less in two frames"),
        pytest.param(1, [b""], id="nothing"),
    ],
)
def test_a_body_of_another_size_than_announced_breaks_its_stream(
    fields: tuple[Header, ...], announced: int, sent: list[bytes]
) -> None:
    peer = Peer()
    *first, last = sent

    peer.send(request(1, changed(fields, {"content-length": str(announced)})))
    peer.send(*(frames.Data(1, piece) for piece in first), frames.Data(1, last, end_stream=True))

    assert peer.verdict() == BROKEN


def test_a_body_of_the_announced_size_is_taken_whatever_its_padding() -> None:
    peer = Peer()

    peer.send(request(1, changed(GRPC, {"content-length": "9"})), message(1, b"four", padding=30), trailers())

    assert peer.contents(1) == [b"four"]
    assert peer.calls[1].ended


def test_a_body_that_ends_short_with_trailers_breaks_its_stream() -> None:
    peer = Peer()

    peer.send(request(1, changed(GRPC, {"content-length": "10"})), message(1, b"four"), trailers())

    assert peer.verdict() == BROKEN


@pytest.mark.parametrize("window", [0, 10, 65_535])
def test_a_client_that_sends_a_long_body_nobody_wants_is_stopped_in_good_order(window: int) -> None:
    peer = Peer({frames.INITIAL_WINDOW_SIZE: window})

    peer.send(request(1, POST), *[frames.Data(1, b"x" * 16_384)] * 40)
    peer.send(frames.WindowUpdate(1, 1000))

    answer = peer.answer(1)
    assert answer.headers[":status"] == "415"
    assert answer.ended
    assert answer.reset == ErrorCode.NO_ERROR
    assert peer.connection.open_streams == 0
