"""What is no request is put up with for a while and then ends in ENHANCE_YOUR_CALM, whatever it is made of.

Each kind of frame costs what it has on the wire, less what of it is a request, so one budget fits all of them.
"""

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import encode_block
from tests.cosi.rpc.http2.server.peer import GRPC, Peer, message, raw, request, serialized

CALM = "GOAWAY ENHANCE_YOUR_CALM"
PING = frames.Ping(b"12345678").serialize()
UNKNOWN = raw(0x20, bytes(1000))
SETTING = frames.SETTING.pack(0xFF, 1)


def padded_request(stream_id: int) -> frames.Headers:
    return frames.Headers(stream_id, encode_block(GRPC), end_stream=True, padding=255)


FLOODS = [
    pytest.param(PING, id="pings"),
    pytest.param(frames.Ping(b"12345678", ack=True).serialize(), id="answers to pings nobody sent"),
    pytest.param(frames.Settings().serialize(), id="empty settings"),
    pytest.param(frames.Settings({frames.MAX_CONCURRENT_STREAMS: 9}).serialize(), id="settings"),
    pytest.param(raw(frames.SETTINGS, SETTING * 100), id="settings that say the same a hundred times"),
    pytest.param(frames.Settings(ack=True).serialize(), id="acknowledgements of nothing"),
    pytest.param(frames.Priority(1, depends_on=0, exclusive=True, weight=9).serialize(), id="priorities"),
    pytest.param(frames.WindowUpdate(0, 1).serialize(), id="credits for the connection"),
    pytest.param(frames.WindowUpdate(1, 1).serialize(), id="credits for a stream"),
    pytest.param(frames.WindowUpdate(3, 1).serialize(), id="credits for a stream that is over"),
    pytest.param(frames.RstStream(3, ErrorCode.CANCEL).serialize(), id="resets of a stream that is over"),
    pytest.param(frames.GoAway(0, ErrorCode.NO_ERROR, b"bye").serialize(), id="goodbyes"),
    pytest.param(frames.Data(1, b"").serialize(), id="empty data"),
    pytest.param(frames.Data(1, b"", padding=255).serialize(), id="data that is padding"),
    pytest.param(raw(0x20, b""), id="empty frames of unknown type"),
    pytest.param(raw(0x20, bytes(1000), stream_id=1), id="frames of unknown type"),
]


@pytest.mark.parametrize("frame", FLOODS)
def test_a_flood_is_stopped_and_a_trickle_is_not(frame: bytes) -> None:
    peer = Peer()
    peer.send(request(1), request(3, end=True))
    peer.connection.respond(3, b"")
    affordable = limits.IDLE_BYTES // len(frame)

    peer.send(frame * (affordable // 2))
    assert not peer.connection.closed
    peer.send(frame * (affordable // 2 + 10))

    assert peer.verdict() == CALM


@pytest.mark.parametrize("frame", FLOODS)
def test_a_flood_that_comes_slowly_enough_is_none(frame: bytes) -> None:
    peer = Peer()
    peer.send(request(1), request(3, end=True))
    peer.connection.respond(3, b"")
    share = limits.IDLE_BYTES // 4
    count = share // len(frame)

    for _ in range(8):
        peer.send(frame * count)
        peer.clock.seconds += share / limits.IDLE_BYTES_PER_SECOND

    assert not peer.connection.closed


def test_padding_around_a_request_is_paid_for() -> None:
    peer = Peer()
    affordable = limits.IDLE_BYTES // 256

    peer.send(*(padded_request(stream_id) for stream_id in range(1, 2 * affordable + 20, 2)))

    assert peer.verdict() == CALM


def test_empty_pieces_of_a_block_are_paid_for() -> None:
    peer = Peer()
    fragment = encode_block(GRPC)
    pieces = 60
    affordable = limits.IDLE_BYTES // (pieces * frames.FRAME_HEADER.size)

    for stream_id in range(1, 2 * affordable + 20, 2):
        if not peer.connection.closed:
            peer.send(
                frames.Headers(stream_id, fragment, end_stream=True, end_headers=False),
                *[frames.Continuation(stream_id, b"", end_headers=False)] * pieces,
                frames.Continuation(stream_id, b"", end_headers=True),
            )

    assert peer.verdict() == CALM


def test_padding_around_a_message_is_paid_for() -> None:
    peer = Peer()
    peer.send(request(1))
    affordable = limits.IDLE_BYTES // 256

    peer.send(serialized([message(1, b"x", padding=255)]) * (affordable + 10))

    assert peer.verdict() == CALM


def test_messages_are_no_flood_however_small() -> None:
    peer = Peer()
    peer.send(request(1))
    small = serialized([message(1)])

    for _ in range(20):
        for event in peer.send(small * 1000):
            peer.connection.taken(event.stream_id, b"")

    assert len(peer.contents(1)) == 20_000


def test_time_refills_no_more_than_the_most_there_is() -> None:
    peer = Peer()
    peer.clock.seconds += 1e9
    most = limits.MAX_IDLE_BYTES + limits.IDLE_BYTES  # what there was, and a refill when that is used up

    peer.send(UNKNOWN * (most // len(UNKNOWN) + 10))

    assert peer.verdict() == CALM


def test_who_is_answered_a_lot_may_say_a_lot() -> None:
    peer = Peer({frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES})
    peer.send(frames.WindowUpdate(0, 2**30), request(1, end=True))

    peer.connection.send(1, envelope(bytes(limits.IDLE_BYTES)))
    peer.send(PING * (limits.IDLE_BYTES * 3 // 2 // len(PING)))

    assert not peer.connection.closed


def test_answers_buy_no_more_than_the_most_there_is() -> None:
    peer = Peer({frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES})
    peer.send(frames.WindowUpdate(0, 2**30), request(1, end=True))

    peer.connection.send(1, envelope(bytes(4 * limits.MAX_IDLE_BYTES)))
    peer.send(UNKNOWN * (limits.MAX_IDLE_BYTES // len(UNKNOWN) + 10))

    assert peer.verdict() == CALM


def test_a_client_that_measures_the_line_at_every_answer_is_no_flood() -> None:
    """Go clients send a credit and a ping whenever an answer comes and no ping is under way."""
    peer = Peer()

    for stream_id in range(1, 12_000, 2):
        peer.connection.receive(serialized([request(stream_id), message(stream_id, end=True)]))
        peer.connection.respond(stream_id, envelope(b""))
        peer.connection.receive(serialized([frames.WindowUpdate(0, 5), frames.Ping(b"12345678")]))
        peer.connection.data_to_send()

    assert not peer.connection.closed


def test_answers_to_pings_are_not_answers_to_requests() -> None:
    peer = Peer()

    for _ in range(limits.IDLE_BYTES // len(PING) + 10):
        if not peer.connection.closed:
            peer.send(PING)

    assert peer.verdict() == CALM


def test_changing_all_windows_costs_more_the_more_there_are() -> None:
    streams = 1000
    peer = Peer()
    peer.send(*(request(stream_id) for stream_id in range(1, 2 * streams, 2)))
    each = limits.SETTINGS_COST_BYTES_PER_STREAM * streams

    for number in range(limits.IDLE_BYTES // each + 1):
        peer.send(frames.Settings({frames.INITIAL_WINDOW_SIZE: number}))

    assert peer.verdict() == CALM


def test_who_is_sent_away_hears_why() -> None:
    peer = Peer()
    peer.send(request(1))

    (event,) = peer.send(PING * (limits.IDLE_BYTES // len(PING) + 10))

    goodbye = peer.goodbye()
    assert b"pings" in goodbye.debug
    assert len(goodbye.debug) <= limits.MAX_DEBUG_BYTES
    assert event.stream_id == 1
