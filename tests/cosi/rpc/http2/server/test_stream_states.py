"""Which frames a stream takes, by how far it has come (RFC 9113, 5.1), and which numbers streams may have (5.1.1).

Every closed or half-closed stream comes in two kinds: a gRPC call, which a user answers, and a request in plain HTTP,
which the connection answers by itself.
"""

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import Header, encode_block
from cosi.rpc.http2.server_events import Cancelled
from tests.cosi.rpc.http2.server.peer import GET, GOES_ON, GRPC, Peer, message, raw, request

TRAILERS = frames.Headers(1, encode_block([(b"x-test", b"ok")]), end_stream=True)
PRIORITY = frames.Priority(1, depends_on=0, exclusive=False, weight=255)
ON_ITSELF = frames.Priority(1, depends_on=1, exclusive=False, weight=255)
PIECE = frames.Continuation(1, encode_block(GET), end_headers=True)
RESET = frames.RstStream(1, ErrorCode.CANCEL)


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        pytest.param(frames.Data(1, b"test", end_stream=True), "GOAWAY PROTOCOL_ERROR", id="data"),
        pytest.param(RESET, "GOAWAY PROTOCOL_ERROR", id="reset"),
        pytest.param(frames.WindowUpdate(1, 100), "GOAWAY PROTOCOL_ERROR", id="window update"),
        pytest.param(PIECE, "GOAWAY PROTOCOL_ERROR", id="continuation"),
        pytest.param(PRIORITY, GOES_ON, id="priority"),
        pytest.param(request(1, GET, end=True), "answered 1 405", id="headers"),
    ],
)
def test_an_idle_stream_takes_headers_and_priorities(spoken: frames.Frame, verdict: str) -> None:
    peer = Peer()

    peer.send(spoken)

    assert peer.verdict() == verdict


@pytest.mark.parametrize("stream_id", [2, 4, 7])
@pytest.mark.parametrize("frame_type", [frames.DATA, frames.RST_STREAM, frames.WINDOW_UPDATE])
def test_a_stream_is_idle_whatever_came_before_it(frame_type: int, stream_id: int) -> None:
    peer = Peer()
    peer.send(request(5))

    peer.send(raw(frame_type, b"\0\0\0\1", stream_id=stream_id))

    assert peer.verdict() == "GOAWAY PROTOCOL_ERROR"


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        pytest.param(frames.Data(1, b"test", end_stream=True), "RST_STREAM 1 STREAM_CLOSED", id="data"),
        pytest.param(frames.Data(1, b""), "RST_STREAM 1 STREAM_CLOSED", id="empty data"),
        pytest.param(request(1, end=True), "RST_STREAM 1 STREAM_CLOSED", id="headers"),
        pytest.param(TRAILERS, "RST_STREAM 1 STREAM_CLOSED", id="trailers"),
        pytest.param(PIECE, "GOAWAY PROTOCOL_ERROR", id="continuation"),
        pytest.param(frames.WindowUpdate(1, 1), GOES_ON, id="window update"),
        pytest.param(PRIORITY, GOES_ON, id="priority"),
        pytest.param(RESET, GOES_ON, id="reset"),
    ],
)
def test_a_request_that_has_ended_takes_no_more_of_itself(spoken: frames.Frame, verdict: str) -> None:
    peer = Peer()
    peer.send(request(1), message(1, b"question", end=True))

    peer.send(spoken)

    assert peer.verdict() == verdict
    assert peer.contents(1) == [b"question"]


def test_a_call_that_breaks_is_cancelled_and_no_other() -> None:
    peer = Peer()
    peer.send(request(1), message(1, end=True), request(3))

    (event,) = peer.send(frames.Data(1, b"too late"), message(3, b"in time", end=True))[:1]

    assert isinstance(event, Cancelled)
    assert event.stream_id == 1
    assert peer.contents(3) == [b"in time"]


CLOSED = [
    pytest.param(frames.Data(1, b"test", end_stream=True), "RST_STREAM 1 STREAM_CLOSED", id="data"),
    pytest.param(request(1, end=True), "GOAWAY STREAM_CLOSED", id="headers"),
    pytest.param(TRAILERS, "GOAWAY STREAM_CLOSED", id="trailers"),
    pytest.param(PIECE, "GOAWAY PROTOCOL_ERROR", id="continuation"),
]


@pytest.mark.parametrize("fields", [GET, GRPC], ids=["http", "grpc"])
@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        *CLOSED,
        pytest.param(PRIORITY, "answered", id="priority"),
        pytest.param(frames.WindowUpdate(1, 1), "answered", id="window update"),
        pytest.param(RESET, "answered", id="reset"),
    ],
)
def test_an_answered_stream_takes_only_what_crossed_the_answer(
    fields: tuple[Header, ...], spoken: frames.Frame, verdict: str
) -> None:
    peer = Peer()
    peer.send(request(1, fields, end=True))
    peer.connection.respond(1, envelope(b"answer"))
    assert peer.answer(1).ended

    peer.send(spoken)

    assert peer.verdict().startswith(verdict)


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [*CLOSED, pytest.param(PRIORITY, GOES_ON, id="priority"), pytest.param(RESET, GOES_ON, id="another reset")],
)
def test_a_stream_that_the_client_reset_is_closed(spoken: frames.Frame, verdict: str) -> None:
    peer = Peer()
    peer.send(request(1), RESET)

    peer.send(spoken)

    assert peer.verdict() == verdict


def test_what_crosses_our_reset_of_a_stream_is_ignored() -> None:
    peer = Peer()
    peer.send(request(1), frames.WindowUpdate(1, 2**31 - 1))
    assert peer.answer(1).reset == ErrorCode.FLOW_CONTROL_ERROR

    events = peer.send(message(1, b"late"), frames.WindowUpdate(1, 5), TRAILERS, RESET)

    assert events == []
    assert peer.verdict() == "RST_STREAM 1 FLOW_CONTROL_ERROR"


def test_headers_that_cross_our_reset_still_move_the_table() -> None:
    peer = Peer()
    peer.send(request(1), frames.WindowUpdate(1, 2**31 - 1))

    peer.send(frames.Headers(1, b"\x40\x06cosi-a\x01b", end_stream=True))
    peer.send(frames.Headers(3, encode_block(GRPC) + b"\xbe", end_stream=True))

    assert [event.head.metadata for event in peer.events if hasattr(event, "head")][-1] == (("cosi-a", "b"),)


def test_only_so_many_of_our_resets_are_remembered() -> None:
    peer = Peer()
    last = 2 * limits.REMEMBERED_STREAMS + 1
    for stream_id in range(1, last + 1, 2):
        peer.send(request(stream_id), frames.WindowUpdate(stream_id, 2**31 - 1))
    peer.heard()

    peer.send(frames.Data(last, b""))
    assert peer.heard() == []
    peer.connection.receive(frames.Data(1, b"").serialize())

    assert frames.RstStream(1, ErrorCode.STREAM_CLOSED).serialize() in peer.connection.data_to_send()


@pytest.mark.parametrize(
    ("stream_ids", "verdict"),
    [
        pytest.param([2], "GOAWAY PROTOCOL_ERROR", id="even"),
        pytest.param([0], "GOAWAY PROTOCOL_ERROR", id="zero"),
        pytest.param([5, 3], "GOAWAY PROTOCOL_ERROR", id="decreasing"),
        pytest.param([1, 3, 99, 2**31 - 1], "answered 1 405, answered 3 405, answered 99 405, answered 2147483647 405"),
    ],
)
def test_the_numbers_of_streams_are_odd_and_grow(stream_ids: list[int], verdict: str) -> None:
    peer = Peer()

    peer.send(*(request(stream_id, GET, end=True) for stream_id in stream_ids))

    assert peer.verdict() == verdict


@pytest.mark.parametrize("fields", [GET, GRPC], ids=["http", "grpc"])
def test_streams_beyond_the_limit_are_refused_and_the_others_live(fields: tuple[Header, ...]) -> None:
    peer = Peer({frames.INITIAL_WINDOW_SIZE: 0})  # so that plain requests stay open as well: their answers have a body
    refused = 2 * limits.MAX_CONCURRENT_STREAMS + 1

    peer.send(b"".join(request(stream_id, fields, end=True).serialize() for stream_id in range(1, refused + 1, 2)))

    assert peer.verdict() == f"RST_STREAM {refused} REFUSED_STREAM"
    assert peer.connection.open_streams == limits.MAX_CONCURRENT_STREAMS


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        pytest.param(
            [raw(frames.HEADERS, b"\0\0\0\1\xff" + encode_block(GET), stream_id=1, flags=0x25)],
            "RST_STREAM 1 PROTOCOL_ERROR",
            id="headers",
        ),
        pytest.param([request(1), ON_ITSELF], "RST_STREAM 1 PROTOCOL_ERROR", id="priority"),
        # What is idle can't be reset (6.4), so the connection has to bear it.
        pytest.param([ON_ITSELF], "GOAWAY PROTOCOL_ERROR", id="priority of an idle stream"),
    ],
)
def test_a_stream_cannot_depend_on_itself(spoken: list[frames.Frame | bytes], verdict: str) -> None:
    peer = Peer()

    peer.send(*spoken)

    assert peer.verdict() == verdict
