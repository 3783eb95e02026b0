"""Streams may be opened and taken back, but not for ever ("rapid reset"): the rate is bounded, whatever they die of."""

from collections.abc import Callable

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from tests.cosi.rpc.http2.server.peer import GET, GRPC, Peer, changed, message, request, serialized

CALM = "GOAWAY ENHANCE_YOUR_CALM"
Spoken = Callable[[int], list[frames.Frame]]


def taken_back(stream_id: int) -> list[frames.Frame]:
    return [request(stream_id), frames.RstStream(stream_id, ErrorCode.CANCEL)]


DEATHS = [
    pytest.param(taken_back, id="reset"),
    pytest.param(lambda id: [request(id, end=True), frames.RstStream(id, 0)], id="reset behind the end"),
    pytest.param(lambda id: [request(id, GET[:1], end=True)], id="malformed"),
    pytest.param(lambda id: [request(id), frames.WindowUpdate(id, frames.MAX_WINDOW_BYTES)], id="window outgrown"),
    pytest.param(lambda id: [request(id, end=True), frames.Data(id, b"")], id="data behind the end"),
    pytest.param(lambda id: [request(id), request(id)], id="headers twice"),
    pytest.param(lambda id: [request(id, changed(GRPC, {"content-length": "1"})), message(id)], id="too much body"),
]


def flood(peer: Peer, spoken: Spoken, count: int, first: int = 1) -> None:
    peer.send(serialized([frame for number in range(count) for frame in spoken(first + 2 * number)]))


@pytest.mark.parametrize("spoken", DEATHS)
def test_so_many_streams_may_die_at_once_and_no_more(spoken: Spoken) -> None:
    peer = Peer()

    flood(peer, spoken, limits.RESETS_AT_ONCE)
    assert not peer.connection.closed
    flood(peer, spoken, 1, first=2 * limits.RESETS_AT_ONCE + 1)

    assert peer.verdict() == CALM


def test_time_makes_up_for_resets() -> None:
    peer = Peer()
    flood(peer, taken_back, limits.RESETS_AT_ONCE)
    first = 2 * limits.RESETS_AT_ONCE + 1

    peer.clock.seconds += 3
    flood(peer, taken_back, 3 * limits.RESETS_PER_SECOND, first)
    assert not peer.connection.closed
    flood(peer, taken_back, 1, first + 6 * limits.RESETS_PER_SECOND)

    assert peer.verdict() == CALM


def test_a_long_silence_makes_up_for_no_more_than_all_of_them_once() -> None:
    peer = Peer()
    flood(peer, taken_back, limits.RESETS_AT_ONCE)
    first = 2 * limits.RESETS_AT_ONCE + 1

    peer.clock.seconds += 1e9
    flood(peer, taken_back, limits.RESETS_AT_ONCE + 2, first)

    assert peer.verdict() == CALM


def test_streams_that_are_answered_are_not_counted() -> None:
    peer = Peer()

    for stream_id in range(1, 2 * limits.RESETS_AT_ONCE + 100, 2):
        peer.connection.receive(request(stream_id, end=True).serialize())
        peer.connection.respond(stream_id, envelope(b"answer"))
        peer.connection.receive(frames.RstStream(stream_id, ErrorCode.NO_ERROR).serialize())

    assert not peer.connection.closed


def test_streams_beyond_the_limit_count_as_well() -> None:
    peer = Peer()
    flood(peer, lambda stream_id: [request(stream_id)], limits.MAX_CONCURRENT_STREAMS)

    flood(
        peer,
        lambda stream_id: [request(stream_id)],
        limits.RESETS_AT_ONCE + 1,
        first=2 * limits.MAX_CONCURRENT_STREAMS + 1,
    )

    assert peer.verdict() == CALM


def test_nothing_is_kept_of_streams_that_were_taken_back() -> None:
    peer = Peer()

    flood(peer, lambda id: [request(id), frames.Data(id, b"\0\0\0\xff\xff" + bytes(900)), *taken_back(id)[1:]], 1000)

    assert peer.connection.open_streams == 0
    assert peer.send(request(2001)) != []
