"""A client may send as long as what it sends is taken, and is stopped by what is not: the windows of requests."""

from itertools import pairwise

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.server_events import Cancelled, RequestMessage
from tests.cosi.rpc.http2.server.peer import Peer, request, serialized

FULL = limits.MAX_FRAME_BYTES


class Sender:
    """A client that streams on stream 1 and never sends more than it was allowed."""

    def __init__(self, *, takes: bool = True) -> None:
        self.peer = Peer()
        self.takes = takes
        self.window = limits.STREAM_WINDOW_BYTES
        self.peer.send(request(1))

    def send(self, body: bytes, *, padding: int | None = None) -> None:
        size = FULL if padding is None else FULL - 1 - padding
        for start in range(0, len(body), size):
            frame = frames.Data(1, body[start : start + size], padding=padding)
            self.window -= frame.flow_bytes
            assert self.window >= 0, "the client was not allowed to go on"
            for event in self.peer.send(frame):
                if self.takes and isinstance(event, RequestMessage):
                    self.peer.connection.taken(1, event.content)
            self.listen()

    def listen(self) -> None:
        for frame in self.peer.heard():
            if isinstance(frame, frames.WindowUpdate) and frame.stream_id == 1:
                self.window += frame.increment


@pytest.mark.parametrize("size", [300, 100_000, limits.MAX_REQUEST_BYTES])
def test_a_client_whose_messages_are_taken_may_go_on_for_ever(size: int) -> None:
    sender = Sender()
    body = envelope(bytes(size))
    together = body * (100_000 // len(body) or 1)

    for _ in range(2 * limits.STREAM_WINDOW_BYTES // len(together) + 1):
        sender.send(together)

    assert not sender.peer.connection.closed


def test_padding_does_not_eat_the_window_away() -> None:
    sender = Sender()
    windows = []

    for _ in range(400):
        sender.send(envelope(bytes(FULL - 261)), padding=255)
        windows.append(sender.window)

    credited = [after for before, after in pairwise(windows) if after > before]
    assert credited
    assert min(credited) > limits.STREAM_WINDOW_BYTES - 2 * FULL


def test_a_client_whose_messages_nobody_takes_is_stopped() -> None:
    sender = Sender(takes=False)
    body = envelope(bytes(FULL - 5))

    while sender.window >= len(body):
        sender.send(body)

    assert len(sender.peer.contents(1)) == limits.STREAM_WINDOW_BYTES // FULL
    assert sender.window < FULL


def test_taking_what_was_kept_lets_the_client_go_on() -> None:
    sender = Sender(takes=False)
    body = envelope(bytes(FULL - 5))
    while sender.window >= len(body):
        sender.send(body)

    for content in sender.peer.contents(1):
        sender.peer.connection.taken(1, content)
    sender.listen()

    assert sender.window >= limits.STREAM_WINDOW_BYTES // 2


def test_a_client_that_sends_more_than_it_may_is_not_put_up_with() -> None:
    peer = Peer()
    piece = frames.Data(1, envelope(bytes(FULL - 5)))

    events = peer.send(request(1), *[piece] * (limits.STREAM_WINDOW_BYTES // FULL + 1))

    assert isinstance(events[-1], Cancelled)
    assert peer.verdict() in ("GOAWAY FLOW_CONTROL_ERROR", "RST_STREAM 1 FLOW_CONTROL_ERROR")


def test_a_request_that_has_ended_gets_no_credit() -> None:
    peer = Peer()
    body = envelope(bytes(limits.MAX_REQUEST_BYTES))
    pieces = [body[start : start + FULL] for start in range(0, len(body), FULL)]
    peer.send(request(1), *(frames.Data(1, piece, end_stream=piece is pieces[-1]) for piece in pieces))
    peer.heard()

    for content in peer.contents(1):
        peer.connection.taken(1, content)

    assert peer.heard() == []


def test_the_connection_is_credited_for_every_byte_whoever_sent_it() -> None:
    peer = Peer()
    allowed = DEFAULT_WINDOW_BYTES + sum(
        frame.increment for frame in peer.greeting if isinstance(frame, frames.WindowUpdate) and not frame.stream_id
    )
    peer.send(request(1), frames.WindowUpdate(1, frames.MAX_WINDOW_BYTES))  # a stream that we reset, and ignore
    chunk = serialized([frames.Data(1, bytes(FULL))] * 256)
    assert allowed == limits.CONNECTION_WINDOW_BYTES

    used = 0
    for _ in range(3 * allowed // 2 // (256 * FULL)):
        used += 256 * FULL
        peer.connection.receive(chunk)
        allowed += sum(frame.increment for frame in peer.heard() if isinstance(frame, frames.WindowUpdate))
        assert used <= allowed


def test_large_requests_that_come_at_the_same_time_take_turns_and_all_arrive() -> None:
    peer = Peer()
    content = bytes(1 << 20)
    unsent = {stream_id: envelope(content) for stream_id in range(1, 4 * (limits.Allowance().uploading_bytes >> 20), 2)}
    windows = dict.fromkeys(unsent, limits.STREAM_WINDOW_BYTES)
    peer.send(*map(request, unsent))

    while unsent:
        before = sum(map(len, unsent.values()))
        for stream_id in tuple(unsent):
            size = min(FULL, windows[stream_id], len(unsent[stream_id]))
            if not size:
                continue
            part, unsent[stream_id] = unsent[stream_id][:size], unsent[stream_id][size:]
            windows[stream_id] -= size
            peer.send(frames.Data(stream_id, part, end_stream=not unsent[stream_id]))
            if not unsent[stream_id]:
                del unsent[stream_id]
        for frame in peer.heard():
            if isinstance(frame, frames.WindowUpdate) and frame.stream_id:
                windows[frame.stream_id] += frame.increment
        assert sum(map(len, unsent.values())) < before, "nobody may go on"

    assert all(peer.contents(stream_id) == [content] for stream_id in windows)
    assert not any(isinstance(event, Cancelled) for event in peer.events)
