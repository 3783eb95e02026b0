"""Streams that wait for the connection's window share what there is of it, and no stream holds up another."""

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.grpc_request import ENVELOPE, envelope
from tests.cosi.rpc.http2.server.peer import Peer, request

WAITING = (3, 5, 7, 9)


def with_the_window_used_up(*, stream_window: int = frames.MAX_WINDOW_BYTES) -> Peer:
    """A client with five calls; the first has been sent all that the connection's window takes."""
    peer = Peer({frames.INITIAL_WINDOW_SIZE: stream_window})
    peer.send(*(request(stream_id, end=True) for stream_id in (1, *WAITING)))
    peer.connection.send(1, bytes(DEFAULT_WINDOW_BYTES))
    return peer


def test_streams_that_wait_take_turns() -> None:
    peer = with_the_window_used_up()
    for stream_id in WAITING:
        peer.connection.send(stream_id, envelope(bytes(40_000)))
    peer.heard()

    peer.send(frames.WindowUpdate(0, 8 * frames.DEFAULT_MAX_FRAME_BYTES))

    turns = [frame.stream_id for frame in peer.heard() if isinstance(frame, frames.Data)]
    assert turns == [*WAITING, *WAITING]


def test_small_credits_are_shared_as_well() -> None:
    peer = with_the_window_used_up()
    for stream_id in WAITING:
        peer.connection.send(stream_id, envelope(bytes(100)))

    for _ in range(12):
        peer.send(frames.WindowUpdate(0, 10))

    assert [peer.answer(stream_id).body for stream_id in WAITING] == [envelope(bytes(100))[:30]] * 4


def test_who_comes_later_waits_for_those_before() -> None:
    peer = with_the_window_used_up()
    peer.connection.send(3, envelope(b"three"))
    peer.connection.send(5, envelope(b"five"))

    (event,) = peer.send(frames.WindowUpdate(0, len(envelope(b"three"))))

    assert event.stream_id == 3
    assert peer.answer(5).body == b""


def test_a_stream_that_may_not_send_does_not_hold_up_others() -> None:
    peer = with_the_window_used_up(stream_window=DEFAULT_WINDOW_BYTES)
    peer.connection.send(1, envelope(b"more than its own window"))
    peer.connection.send(3, envelope(b"three"))

    peer.send(frames.WindowUpdate(0, 100))
    peer.connection.send(5, envelope(b"five"))

    assert peer.answer(3).contents == [b"three"]
    assert peer.answer(5).contents == [b"five"]


def test_what_a_cancelled_call_was_to_be_sent_takes_from_no_window() -> None:
    peer = with_the_window_used_up()
    peer.connection.send(3, envelope(b"never mind"))
    peer.connection.send(5, envelope(b"five"))

    peer.send(frames.RstStream(3, ErrorCode.CANCEL))
    events = peer.send(frames.WindowUpdate(0, ENVELOPE.size + 4))

    assert [event.stream_id for event in events] == [5]
    assert peer.answer(5).contents == [b"five"]
