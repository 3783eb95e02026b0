"""Answers stay within both windows and the frame size of the client (RFC 9113, 5.2 and 6.9), and all of them arrive.

That no window is ever overrun needs no test of its own: `Hearing` counts along in every test.
"""

import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.server_events import Cancelled, Writable
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import GET, Peer, request

MAX = frames.MAX_WINDOW_BYTES
WINDOW = frames.INITIAL_WINDOW_SIZE


def data_heard(peer: Peer) -> list[tuple[int, int]]:
    """The DATA frames of late: their streams and sizes."""
    return [(frame.stream_id, len(frame.data)) for frame in peer.heard() if isinstance(frame, frames.Data)]


def called(stream_ids: range, settings: dict[int, int] | None = None) -> Peer:
    peer = Peer(settings)
    peer.send(*(request(stream_id, end=True) for stream_id in stream_ids))
    peer.heard()
    return peer


ONE = range(1, 2)


def test_an_answer_stops_at_its_streams_window_and_goes_on_when_that_opens() -> None:
    peer = called(ONE, {WINDOW: 10})

    assert not peer.connection.send(1, envelope(b"x" * 20))
    assert data_heard(peer) == [(1, 10)]
    assert peer.send(frames.WindowUpdate(1, 7)) == []
    assert data_heard(peer) == [(1, 7)]
    (event,) = peer.send(frames.WindowUpdate(1, 100))

    assert isinstance(event, Writable)
    assert data_heard(peer) == [(1, 8)]


def test_an_answer_stops_at_the_connections_window_and_goes_on_when_that_opens() -> None:
    peer = called(ONE, {WINDOW: MAX})

    assert not peer.connection.send(1, envelope(b"x" * 100_000))
    assert sum(size for _, size in data_heard(peer)) == DEFAULT_WINDOW_BYTES
    assert peer.send(frames.WindowUpdate(0, 1)) == []
    assert data_heard(peer) == [(1, 1)]
    (event,) = peer.send(frames.WindowUpdate(0, MAX - 1))

    assert isinstance(event, Writable)
    assert peer.answer(1).contents == [b"x" * 100_000]


def test_the_narrower_window_decides() -> None:
    peer = called(ONE, {WINDOW: 10})
    peer.connection.send(1, envelope(b"x" * 100_000))
    assert data_heard(peer) == [(1, 10)]

    peer.send(frames.WindowUpdate(0, 1_000_000))
    assert data_heard(peer) == []
    peer.send(frames.WindowUpdate(1, 5))

    assert data_heard(peer) == [(1, 5)]


@pytest.mark.parametrize("finish_first", [False, True])
def test_the_end_of_an_answer_waits_for_the_rest_of_it(finish_first: bool) -> None:
    peer = called(ONE, {WINDOW: 0})
    peer.connection.send(1, envelope(b"answer"))
    if finish_first:
        peer.connection.finish(1, Code.ABORTED, "enough")
    assert not peer.answer(1).ended

    events = peer.send(frames.WindowUpdate(1, 100))
    if not finish_first:
        peer.connection.finish(1, Code.ABORTED, "enough")

    assert [type(event) for event in events] == ([] if finish_first else [Writable])
    assert peer.answer(1).contents == [b"answer"]
    assert peer.answer(1).code is Code.ABORTED
    assert peer.connection.open_streams == 0


def test_a_response_that_does_not_fit_is_sent_in_parts() -> None:
    peer = called(ONE)

    peer.connection.respond(1, envelope(b"x" * 200_000))
    for _ in range(10):
        peer.send(frames.WindowUpdate(0, 20_000), frames.WindowUpdate(1, 20_000))

    assert peer.answer(1).contents == [b"x" * 200_000]
    assert peer.answer(1).code is Code.OK


def test_headers_and_statuses_need_no_window() -> None:
    peer = called(range(1, 6, 2), {WINDOW: 0})

    peer.connection.finish(1, Code.NOT_FOUND)
    peer.connection.send(3, b"")
    peer.connection.finish(3, Code.OK)
    peer.connection.respond(5, b"")

    assert [peer.answer(stream_id).code for stream_id in (1, 3, 5)] == [Code.NOT_FOUND, Code.OK, Code.OK]


def test_frames_are_as_large_as_the_client_takes_and_no_larger() -> None:
    peer = called(ONE, {WINDOW: MAX, frames.MAX_FRAME_SIZE: 20_000})
    body = envelope(b"x" * 49_995)

    peer.connection.send(1, body)

    assert data_heard(peer) == [(1, 20_000), (1, 20_000), (1, 10_000)]


def test_a_status_larger_than_a_frame_comes_in_pieces() -> None:
    peer = called(ONE)

    peer.connection.finish(1, Code.UNKNOWN, "x" * 40_000)

    assert peer.answer(1).message == "x" * 40_000


@pytest.mark.parametrize("window", [0, 1, DEFAULT_WINDOW_BYTES])
def test_a_window_that_is_set_later_counts_for_streams_under_way(window: int) -> None:
    peer = called(ONE, {WINDOW: 0})
    peer.connection.respond(1, envelope(b"answer"))
    assert data_heard(peer) == []

    peer.send(frames.Settings({WINDOW: window}))

    assert sum(size for _, size in data_heard(peer)) == min(window, len(envelope(b"answer")))


def test_an_acknowledgement_comes_before_what_it_allows() -> None:
    peer = called(ONE, {WINDOW: 0})
    peer.connection.respond(1, envelope(b"answer"))
    peer.heard()

    peer.send(frames.Settings({WINDOW: 100}))

    assert peer.heard()[0] == frames.Settings(ack=True)


def test_a_window_may_shrink_below_zero_and_must_grow_out_of_that() -> None:
    peer = called(ONE, {WINDOW: 30})
    peer.connection.send(1, envelope(b"x" * 50))
    assert data_heard(peer) == [(1, 30)]

    peer.send(frames.Settings({WINDOW: 10}))
    peer.send(frames.WindowUpdate(1, 20))
    assert data_heard(peer) == []
    peer.send(frames.WindowUpdate(1, 1))

    assert data_heard(peer) == [(1, 1)]


@pytest.mark.parametrize("advice", [[], [frames.Priority(1, depends_on=0, exclusive=False, weight=255)]])
def test_a_plain_answer_waits_for_its_window_as_well(advice: list[frames.Frame]) -> None:
    peer = Peer({WINDOW: 0})
    peer.send(request(1, GET, end=True))
    assert data_heard(peer) == []

    peer.send(*advice, frames.WindowUpdate(1, 1))
    assert data_heard(peer) == [(1, 1)]
    peer.send(frames.WindowUpdate(1, 1000))

    assert peer.answer(1).ended


def test_a_shrunk_window_stops_new_streams_as_well() -> None:
    peer = called(ONE, {WINDOW: 1000})
    peer.send(frames.Settings({WINDOW: 3}), request(3, GET, end=True))

    assert data_heard(peer) == [(3, 3)]


@pytest.mark.parametrize(
    "increments", [[MAX], [MAX - DEFAULT_WINDOW_BYTES, 1], [1] * 3 + [MAX - DEFAULT_WINDOW_BYTES - 2]]
)
def test_a_connections_window_that_outgrows_the_protocol_costs_the_connection(increments: list[int]) -> None:
    peer = Peer()

    peer.send(*(frames.WindowUpdate(0, increment) for increment in increments))

    assert peer.verdict() == "GOAWAY FLOW_CONTROL_ERROR"


@pytest.mark.parametrize("increments", [[MAX], [MAX - DEFAULT_WINDOW_BYTES, 1], [MAX, MAX]])
def test_a_streams_window_that_outgrows_the_protocol_costs_the_stream(increments: list[int]) -> None:
    peer = Peer()
    peer.send(request(1))

    (event,) = peer.send(*(frames.WindowUpdate(1, increment) for increment in increments))

    assert isinstance(event, Cancelled)
    assert peer.verdict() == "RST_STREAM 1 FLOW_CONTROL_ERROR"


def test_windows_may_be_as_large_as_the_protocol_allows() -> None:
    peer = called(ONE)
    grown = MAX - DEFAULT_WINDOW_BYTES

    peer.send(frames.WindowUpdate(0, grown), frames.WindowUpdate(1, grown))
    peer.connection.respond(1, envelope(b"answer"))

    assert peer.answer(1).contents == [b"answer"]


def test_a_setting_that_makes_a_stream_window_outgrow_the_protocol_costs_the_connection() -> None:
    peer = called(ONE)

    peer.send(frames.WindowUpdate(1, 1), frames.Settings({WINDOW: MAX}))

    assert peer.verdict() == "GOAWAY FLOW_CONTROL_ERROR"
