"""How a connection ends: gracefully, at once, or for want of an answer to a ping."""

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from tests.cosi.rpc.http2.server.peer import Peer, message, raw, request


def pong(peer: Peer) -> frames.Ping:
    """The answer to the last ping the server sent."""
    (ping,) = [frame for frame in peer.heard() if isinstance(frame, frames.Ping)][-1:]
    assert not ping.ack
    return frames.Ping(ping.payload, ack=True)


def goodbyes(heard: list[frames.Frame]) -> list[tuple[int, int]]:
    return [(frame.last_stream_id, frame.code) for frame in heard if isinstance(frame, frames.GoAway)]


def test_a_shut_down_is_announced_before_it_is_meant() -> None:
    peer = Peer()
    peer.send(request(1))

    peer.connection.shut_down()

    assert goodbyes(peer.heard()) == [(frames.MAX_STREAM_ID, ErrorCode.NO_ERROR)]
    assert not peer.connection.closed


def test_calls_that_crossed_the_announcement_are_served() -> None:
    peer = Peer()
    peer.connection.shut_down()
    answer_to_ping = pong(peer)

    peer.send(request(1, end=True))
    peer.send(answer_to_ping)
    heard = peer.heard()
    peer.connection.respond(1, envelope(b"answer"))

    assert goodbyes(heard) == [(1, ErrorCode.NO_ERROR)]
    assert peer.answer(1).contents == [b"answer"]
    assert peer.connection.closed


def test_calls_that_come_later_are_refused_and_may_be_tried_elsewhere() -> None:
    peer = Peer()
    peer.send(request(1))
    peer.connection.shut_down()
    peer.send(pong(peer))

    assert peer.send(request(3)) == []

    assert peer.answer(3).reset == ErrorCode.REFUSED_STREAM
    assert not peer.connection.closed


def test_calls_under_way_are_finished_first() -> None:
    peer = Peer()
    peer.send(request(1), request(3))
    peer.connection.shut_down()
    peer.send(pong(peer))

    peer.send(message(1, b"question", end=True), frames.RstStream(3, ErrorCode.CANCEL))
    assert not peer.connection.closed
    peer.connection.respond(1, envelope(b"answer"))

    assert peer.answer(1).contents == [b"answer"]
    assert peer.connection.closed


def test_the_last_byte_of_the_last_answer_is_waited_for() -> None:
    peer = Peer({frames.INITIAL_WINDOW_SIZE: 1})
    peer.send(request(1, end=True))
    peer.connection.shut_down()
    peer.send(pong(peer))

    peer.connection.respond(1, envelope(b"answer"))
    assert not peer.connection.closed
    peer.send(frames.WindowUpdate(1, 100))

    assert peer.answer(1).contents == [b"answer"]
    assert peer.connection.closed


def test_an_idle_connection_closes_as_soon_as_the_client_knows() -> None:
    peer = Peer()

    peer.connection.shut_down()
    peer.send(pong(peer))

    assert goodbyes(peer.heard()) == [(0, ErrorCode.NO_ERROR)]
    assert peer.connection.closed


def test_a_shut_down_is_said_once() -> None:
    peer = Peer()
    peer.send(request(1))

    peer.connection.shut_down()
    peer.connection.shut_down()

    assert len(goodbyes(peer.heard())) == 1


def test_the_answer_to_an_older_ping_does_not_cut_the_announcement_short() -> None:
    peer = Peer()
    peer.connection.ping()
    older = pong(peer)
    peer.connection.shut_down()
    peer.heard()

    peer.send(older, request(1))

    assert goodbyes(peer.heard()) == []
    assert 1 in peer.calls


def test_the_last_stream_that_was_named_is_never_taken_back() -> None:
    peer = Peer()
    peer.send(request(1))
    peer.connection.shut_down()
    peer.send(pong(peer))

    peer.send(request(3), raw(frames.PING, b"short"))

    named = [last for last, _ in goodbyes(peer.heard())]
    assert named == sorted(named, reverse=True)


def test_a_client_that_has_not_greeted_is_left_without_ceremony() -> None:
    peer = Peer(greets=False)

    peer.connection.shut_down()

    assert peer.connection.closed


def test_closing_at_once_says_why_and_then_nothing() -> None:
    peer = Peer()
    peer.send(request(5))

    peer.connection.close(ErrorCode.INTERNAL_ERROR, "the disk is on fire")
    peer.connection.respond(5, envelope(b"answer"))
    peer.connection.ping()
    peer.connection.shut_down()

    goodbye = peer.goodbye()
    assert goodbye == frames.GoAway(5, ErrorCode.INTERNAL_ERROR, b"the disk is on fire")


def test_last_words_are_cut_where_they_get_long() -> None:
    peer = Peer()

    peer.connection.close(ErrorCode.NO_ERROR, "€" * 1000)

    debug = peer.goodbye().debug
    assert len(debug) <= limits.MAX_DEBUG_BYTES


def test_a_ping_is_pending_until_it_is_answered() -> None:
    peer = Peer()
    assert not peer.connection.ping_pending

    peer.connection.ping()
    assert peer.connection.ping_pending
    peer.send(pong(peer))

    assert not peer.connection.ping_pending


@pytest.mark.parametrize("payload", [bytes(8), b"\xff" * 8])
def test_only_its_own_answer_answers_a_ping(payload: bytes) -> None:
    peer = Peer()
    peer.connection.ping()

    peer.send(frames.Ping(payload, ack=True), frames.Ping(payload))

    assert peer.connection.ping_pending
