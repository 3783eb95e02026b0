"""What each type of frame may look like, and what it does (RFC 9113, section 6); settings have a file of their own."""

import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import Header, encode_block
from cosi.rpc.http2.server_events import Cancelled
from tests.cosi.rpc.http2.server.peer import GET, GOES_ON, GRPC, POST, Peer, message, raw, request

BLOCK = encode_block(GET)
UNPRIORITISED = b"\0\0\0\0\xff"

PADDED_DATA = frames.END_STREAM | frames.PADDED
PADDED_HEADERS = frames.END_STREAM | frames.END_HEADERS | frames.PADDED
PRIORITISED = frames.END_STREAM | frames.END_HEADERS | frames.WITH_PRIORITY


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        pytest.param([frames.Data(1, b"test", end_stream=True)], "answered 1 415", id="one"),
        pytest.param([frames.Data(1, b"test"), frames.Data(1, b"test", end_stream=True)], "answered 1 415", id="two"),
        pytest.param([frames.Data(1, b"test", end_stream=True, padding=5)], "answered 1 415", id="padded"),
        pytest.param([frames.Data(1, b"", end_stream=True, padding=255)], "answered 1 415", id="nothing but padding"),
        pytest.param([raw(frames.DATA, b"test", stream_id=0)], "GOAWAY PROTOCOL_ERROR", id="of no stream"),
        pytest.param(
            [raw(frames.DATA, b"\x06Test", stream_id=1, flags=PADDED_DATA)], "GOAWAY PROTOCOL_ERROR", id="too padded"
        ),
        pytest.param(
            [raw(frames.DATA, b"\x05Test", stream_id=1, flags=PADDED_DATA)],
            "GOAWAY PROTOCOL_ERROR",
            id="just too padded",
        ),
        pytest.param(
            [raw(frames.DATA, b"", stream_id=1, flags=PADDED_DATA)], "GOAWAY FRAME_SIZE_ERROR", id="no padding"
        ),
    ],
)
def test_data(spoken: list[frames.Frame | bytes], verdict: str) -> None:
    peer = Peer()

    peer.send(request(1, POST), *spoken)

    assert peer.verdict() == verdict


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        pytest.param(request(1, GET, end=True), "answered 1 405", id="plain"),
        pytest.param(frames.Headers(1, BLOCK, end_stream=True, padding=8), "answered 1 405", id="padded"),
        pytest.param(
            raw(frames.HEADERS, UNPRIORITISED + BLOCK, stream_id=1, flags=PRIORITISED), "answered 1 405", id="priority"
        ),
        pytest.param(
            raw(
                frames.HEADERS, b"\3" + UNPRIORITISED + BLOCK + bytes(3), stream_id=1, flags=PRIORITISED | frames.PADDED
            ),
            "answered 1 405",
            id="padded and with priority",
        ),
        pytest.param(raw(frames.HEADERS, BLOCK, flags=5), "GOAWAY PROTOCOL_ERROR", id="of no stream"),
        pytest.param(
            raw(frames.HEADERS, bytes((len(BLOCK) + 2,)) + BLOCK, stream_id=1, flags=PADDED_HEADERS),
            "GOAWAY PROTOCOL_ERROR",
            id="too padded",
        ),
        pytest.param(
            raw(frames.HEADERS, UNPRIORITISED[:4], stream_id=1, flags=PRIORITISED),
            "GOAWAY FRAME_SIZE_ERROR",
            id="half a priority",
        ),
    ],
)
def test_headers(spoken: frames.Frame | bytes, verdict: str) -> None:
    peer = Peer()

    peer.send(spoken)

    assert peer.verdict() == verdict


@pytest.mark.parametrize("weight", [0, 255])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(("stream_id", "depends_on"), [(1, 0), (3, 1), (3, 0), (1, 99), (2, 4)])
def test_priorities_are_advice_that_nobody_takes(stream_id: int, depends_on: int, exclusive: bool, weight: int) -> None:
    peer = Peer()

    peer.send(frames.Priority(stream_id, depends_on=depends_on, exclusive=exclusive, weight=weight))
    peer.send(request(1, GET, end=True))

    assert peer.verdict() == "answered 1 405"


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        pytest.param(raw(frames.PRIORITY, UNPRIORITISED), "GOAWAY PROTOCOL_ERROR", id="priority of no stream"),
        pytest.param(
            raw(frames.PRIORITY, b"\x80\0\0\1", stream_id=1),
            "RST_STREAM 1 FRAME_SIZE_ERROR",
            id="priority of four bytes",
        ),
        pytest.param(raw(frames.RST_STREAM, b"\0\0\0\x08"), "GOAWAY PROTOCOL_ERROR", id="reset of no stream"),
        pytest.param(
            raw(frames.RST_STREAM, b"\0\0\0", stream_id=1), "GOAWAY FRAME_SIZE_ERROR", id="reset of three bytes"
        ),
        pytest.param(
            raw(frames.PUSH_PROMISE, b"\0\0\0\3" + BLOCK, stream_id=1, flags=4), "GOAWAY PROTOCOL_ERROR", id="push"
        ),
        pytest.param(raw(frames.PING, bytes(8), stream_id=3), "GOAWAY PROTOCOL_ERROR", id="ping on a stream"),
        pytest.param(raw(frames.PING, bytes(6)), "GOAWAY FRAME_SIZE_ERROR", id="ping of six bytes"),
        pytest.param(raw(frames.GOAWAY, bytes(8), stream_id=1), "GOAWAY PROTOCOL_ERROR", id="goaway on a stream"),
        pytest.param(raw(frames.GOAWAY, bytes(7)), "GOAWAY FRAME_SIZE_ERROR", id="goaway of seven bytes"),
        pytest.param(raw(frames.WINDOW_UPDATE, bytes(4)), "GOAWAY PROTOCOL_ERROR", id="window update by nothing"),
        pytest.param(
            raw(frames.WINDOW_UPDATE, bytes(4), stream_id=1), "RST_STREAM 1 PROTOCOL_ERROR", id="and of a stream"
        ),
        pytest.param(
            raw(frames.WINDOW_UPDATE, b"\0\0\1"), "GOAWAY FRAME_SIZE_ERROR", id="window update of three bytes"
        ),
        pytest.param(
            raw(frames.WINDOW_UPDATE, b"\0\0\1", stream_id=1),
            "GOAWAY FRAME_SIZE_ERROR",
            id="that of a stream, likewise",
        ),
    ],
)
def test_frames_of_the_wrong_size_or_on_the_wrong_stream(spoken: bytes, verdict: str) -> None:
    peer = Peer()
    peer.send(request(1))

    peer.send(spoken)

    assert peer.verdict() == verdict


def test_a_priority_of_the_wrong_size_for_an_idle_stream_costs_the_connection() -> None:
    peer = Peer()

    peer.send(raw(frames.PRIORITY, bytes(4), stream_id=3))

    assert peer.verdict() == "GOAWAY FRAME_SIZE_ERROR"  # what is idle can't be reset (6.4)


def test_a_ping_comes_back_as_it_was() -> None:
    peer = Peer()

    peer.send(frames.Ping(b"\0\1\2\3\xff\xfe\xfd\xfc"))

    assert peer.heard() == [frames.Ping(b"\0\1\2\3\xff\xfe\xfd\xfc", ack=True)]


def test_an_answered_ping_is_not_answered() -> None:
    peer = Peer()

    peer.send(frames.Ping(b"invalid!", ack=True), frames.Ping(b"expected"))

    assert peer.heard() == [frames.Ping(b"expected", ack=True)]


@pytest.mark.parametrize("fields", [POST, GRPC], ids=["http", "grpc"])
@pytest.mark.parametrize("code", [*ErrorCode, 0xFF, 2**32 - 1])
def test_a_reset_cancels_its_call_whatever_its_reason(code: int, fields: tuple[Header, ...]) -> None:
    peer = Peer()
    peer.send(request(1, fields))

    events = peer.send(frames.RstStream(1, code))

    assert [type(event) for event in events] == [Cancelled] * (fields is GRPC)
    assert peer.connection.open_streams == 0
    assert peer.verdict() == GOES_ON


@pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.CANCEL, 0xFF])
def test_a_client_that_goes_away_still_gets_its_answers(code: int) -> None:
    peer = Peer()
    peer.send(request(1))

    peer.send(frames.GoAway(0, code, b"so long"), message(1, b"question", end=True), frames.Ping(b"12345678"))
    peer.connection.respond(1, envelope(b"answer"))

    assert peer.contents(1) == [b"question"]
    assert peer.answer(1).contents == [b"answer"]


def test_an_invalid_frame_leads_to_last_words_that_say_why() -> None:
    peer = Peer()
    peer.send(request(5), request(7))

    peer.send(raw(frames.PING, bytes(8), stream_id=3))

    goodbye = peer.goodbye()
    assert goodbye.code == ErrorCode.PROTOCOL_ERROR
    assert goodbye.last_stream_id == 7
    assert b"PING" in goodbye.debug
    assert {event.stream_id for event in peer.events if isinstance(event, Cancelled)} == {5, 7}
