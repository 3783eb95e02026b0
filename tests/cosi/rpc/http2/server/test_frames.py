"""Frames as such: their format and size (RFC 9113, section 4), and those of unknown types (5.5)."""

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.hpack import encode_block
from tests.cosi.rpc.http2.server.peer import GET, GOES_ON, POST, Peer, raw, request

UNKNOWN = raw(0x16, bytes(8))
BLOCK = encode_block(GET)
BEGUN = frames.Headers(1, BLOCK, end_stream=False, end_headers=False)
MORE = frames.Continuation(1, encode_block([(b"x-more", b"x" * 4000)]), end_headers=True)
PRIORITY = frames.Priority(1, depends_on=0, exclusive=False, weight=255)


@pytest.mark.parametrize("flags", [0x00, 0x16, 0xFE])
@pytest.mark.parametrize("reserved", [0x00, 0x80])
def test_flags_and_a_bit_that_mean_nothing_change_nothing(flags: int, reserved: int) -> None:
    peer = Peer()
    ping = bytearray(raw(frames.PING, b"12345678", flags=flags))
    ping[5] |= reserved

    peer.send(bytes(ping))

    assert peer.heard() == [frames.Ping(b"12345678", ack=True)]


@pytest.mark.parametrize("stream_id", [0, 1, 2, 99])
@pytest.mark.parametrize("frame_type", [0x0A, 0x16, 0xFF])
def test_a_frame_of_unknown_type_is_passed_over(frame_type: int, stream_id: int) -> None:
    peer = Peer()

    peer.send(raw(frame_type, bytes(8), stream_id=stream_id, flags=0xFF))

    assert peer.verdict() == GOES_ON


def test_a_frame_may_be_as_large_as_the_server_said() -> None:
    peer = Peer()

    peer.send(request(1, POST), frames.Data(1, b"x" * limits.MAX_FRAME_BYTES, end_stream=True))

    assert peer.verdict() == "answered 1 415"


@pytest.mark.parametrize(
    "frame_type", [frames.DATA, frames.HEADERS, frames.CONTINUATION, frames.SETTINGS, frames.GOAWAY, 0x16]
)
def test_a_frame_larger_than_that_costs_the_connection(frame_type: int) -> None:
    peer = Peer()
    peer.send(request(1))

    peer.send(raw(frame_type, bytes(limits.MAX_FRAME_BYTES + 1), stream_id=1))

    assert peer.verdict() == "GOAWAY FRAME_SIZE_ERROR"


def test_a_frame_too_large_is_refused_by_its_announcement() -> None:
    peer = Peer()

    peer.send(raw(frames.DATA, bytes(limits.MAX_FRAME_BYTES + 1), stream_id=1)[:9])

    assert peer.verdict() == "GOAWAY FRAME_SIZE_ERROR"


def test_a_block_that_is_not_hpack_costs_the_connection() -> None:
    peer = Peer()

    peer.send(frames.Headers(1, b"\x40", end_stream=True))

    assert peer.verdict() == "GOAWAY COMPRESSION_ERROR"


def test_a_block_may_come_in_pieces() -> None:
    peer = Peer()

    peer.send(
        frames.Headers(1, BLOCK[:5], end_stream=True, end_headers=False),
        frames.Continuation(1, BLOCK[5:10], end_headers=False),
        frames.Continuation(1, BLOCK[10:], end_headers=True),
    )

    assert peer.verdict() == "answered 1 405"


def test_the_pieces_of_a_block_may_be_empty() -> None:
    peer = Peer()

    peer.send(
        frames.Headers(1, b"", end_stream=True, end_headers=False),
        frames.Continuation(1, BLOCK, end_headers=False),
        frames.Continuation(1, b"", end_headers=True),
    )

    assert peer.verdict() == "answered 1 405"


@pytest.mark.parametrize(
    "spoken",
    [
        pytest.param([BEGUN, PRIORITY, MORE], id="a priority inside a block"),
        pytest.param([BEGUN, request(3, GET, end=True), MORE], id="another request inside a block"),
        pytest.param([BEGUN, UNKNOWN, MORE], id="an unknown frame inside a block"),
        pytest.param([BEGUN, frames.Ping(b"12345678"), MORE], id="a ping inside a block"),
        pytest.param([BEGUN, frames.Data(1, b"test")], id="data inside a block"),
        pytest.param(
            [BEGUN, frames.Continuation(1, b"", end_headers=False), frames.Data(1, b"")], id="data behind a piece"
        ),
        pytest.param([BEGUN, frames.Continuation(0, b"", end_headers=True)], id="a piece for no stream"),
        pytest.param([BEGUN, frames.Continuation(3, b"", end_headers=True)], id="a piece for another stream"),
        pytest.param([BEGUN, MORE, MORE], id="a piece behind the last piece"),
        pytest.param([request(1, POST), MORE], id="a piece behind a whole block"),
        pytest.param([request(1, POST), frames.Data(1, b""), MORE], id="a piece behind data"),
    ],
)
def test_what_tears_a_block_apart_costs_the_connection(spoken: list[frames.Frame | bytes]) -> None:
    peer = Peer()

    peer.send(*spoken)

    assert peer.verdict() == "GOAWAY PROTOCOL_ERROR"


def test_the_first_mistake_is_the_last_frame_read() -> None:
    peer = Peer()

    events = peer.send(frames.Continuation(1, b"", end_headers=True), request(1))

    assert events == []
    assert peer.goodbye().last_stream_id == 0
