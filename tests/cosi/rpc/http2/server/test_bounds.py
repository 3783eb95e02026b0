"""What a client can make the server hold is bounded: header blocks, tables, messages, answers that nobody reads."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.frame_reader import MAX_BLOCK_BYTES, MAX_BLOCK_PIECES
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import encode_block
from cosi.rpc.http2.server_events import Began, Cancelled
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import GRPC, Peer, block, message, request

CALL = encode_block(GRPC)
MEBIBYTE = 1 << 20
FULL = bytes(limits.MAX_FRAME_BYTES)
AT_ONCE = bytes(limits.STREAM_WINDOW_BYTES - 5)
"""What a stream may send in one message without being given credit."""
MORE_THAN_FIT = range(1, 2 * (limits.MAX_BUFFERED_BYTES // limits.STREAM_WINDOW_BYTES) + 3, 2)
"""So many streams, each with such a message, are more than a connection may hold."""


@contextmanager
def at_most(size_bytes: int) -> Iterator[None]:
    """Fail if what runs inside ever holds more memory than that at once."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak <= size_bytes, f"{peak} bytes were held"


@pytest.mark.parametrize("piece", [b"", b"\0\1a\1b"], ids=["empty", "small"])
def test_a_block_in_too_many_pieces_costs_the_connection(piece: bytes) -> None:
    peer = Peer()
    more = frames.Continuation(1, piece, end_headers=False)

    peer.send(frames.Headers(1, CALL, end_headers=False), *[more] * (MAX_BLOCK_PIECES - 1))
    assert not peer.connection.closed
    peer.send(more)

    assert peer.verdict() == "GOAWAY ENHANCE_YOUR_CALM"


def test_a_block_of_too_many_bytes_costs_the_connection_before_it_ends() -> None:
    peer = Peer()
    pieces = [frames.Continuation(1, FULL, end_headers=False)] * (MAX_BLOCK_BYTES // len(FULL))

    with at_most(4 * MAX_BLOCK_BYTES):
        peer.send(frames.Headers(1, b"", end_headers=False))
        for piece in pieces:
            peer.send(piece)
        assert not peer.connection.closed
        peer.send(frames.Continuation(1, b"x", end_headers=False))

    assert peer.verdict() == "GOAWAY ENHANCE_YOUR_CALM"


def test_a_small_block_that_means_a_huge_list_costs_its_call_and_little_memory() -> None:
    peer = Peer()
    entry = b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000  # 4 kB in the table, one byte to name it

    with at_most(MEBIBYTE):
        peer.send(block(1, CALL + entry + b"\xbe" * 16_000), request(3))

    assert peer.answer(1).code is Code.RESOURCE_EXHAUSTED
    assert list(peer.calls) == [3]


def test_a_huffman_string_is_measured_by_what_it_means() -> None:
    peer = Peer()
    zeros = bytes(12_000)  # "0" takes five bits, so these mean 19,200 bytes

    with at_most(MEBIBYTE):
        peer.send(block(1, CALL + b"\0\x01a\xff\xe1\x5c" + zeros))

    assert peer.answer(1).code is Code.RESOURCE_EXHAUSTED


def test_a_table_that_changes_all_the_time_stays_small() -> None:
    peer = Peer()
    adds = b"".join(b"\x40\x03%03d\x40" % number + b"v" * 64 for number in range(100))

    with at_most(MEBIBYTE):
        for stream_id in range(1, 200, 2):
            peer.connection.receive(frames.Headers(stream_id, CALL + adds, end_stream=True).serialize())
            peer.connection.finish(stream_id, Code.OK)
            peer.connection.data_to_send()


def test_resizing_the_table_over_and_over_is_pointless_and_harmless() -> None:
    peer = Peer()

    (event,) = peer.send(block(1, b"\x20\x3f\xe1\x1f" * 20_000 + CALL))

    assert isinstance(event, Began)


def test_heads_that_never_come_back_are_not_all_remembered() -> None:
    peer = Peer()

    with at_most(3 * MEBIBYTE // 2):
        for stream_id in range(1, 2000, 2):
            fields = (*GRPC, (b"cosi-a", b"%0900d" % stream_id))
            peer.connection.receive(request(stream_id, fields, end=True).serialize())
            peer.connection.finish(stream_id, Code.OK)
            peer.connection.data_to_send()


def test_messages_in_the_making_share_one_limit() -> None:
    peer = Peer()
    begun = envelope(bytes(limits.MAX_REQUEST_BYTES))[: limits.STREAM_WINDOW_BYTES]
    last = 2 * (limits.MAX_BUFFERED_BYTES // len(begun)) + 1

    for stream_id in range(1, last + 2, 2):
        peer.send(request(stream_id), *_data(stream_id, begun))

    assert peer.answer(last).code is Code.RESOURCE_EXHAUSTED
    assert [event.stream_id for event in peer.events if isinstance(event, Cancelled)] == [last]


def test_the_call_that_goes_over_the_common_limit_ends_and_the_others_go_on() -> None:
    peer = Peer()
    last = MORE_THAN_FIT[-1]

    for stream_id in MORE_THAN_FIT:
        peer.send(request(stream_id), *_data(stream_id, envelope(AT_ONCE)))

    assert peer.answer(last).code is Code.RESOURCE_EXHAUSTED
    assert [event.stream_id for event in peer.events if isinstance(event, Cancelled)] == [last]
    assert all(peer.contents(stream_id) == [AT_ONCE] for stream_id in range(1, last, 2))


def test_a_call_that_went_over_the_limit_holds_nothing_while_its_answer_waits() -> None:
    peer = Peer({frames.INITIAL_WINDOW_SIZE: 0})
    last = 2 * (limits.MAX_BUFFERED_BYTES // limits.STREAM_WINDOW_BYTES) + 1
    peer.send(request(1), message(1))
    for stream_id in range(3, last + 2, 2):
        peer.send(request(stream_id), *_data(stream_id, envelope(AT_ONCE[:-1])))
    peer.send(request(last + 2))
    peer.connection.send(last + 2, envelope(b"answer"))

    peer.send(*_data(last + 2, envelope(bytes(limits.MAX_FRAME_BYTES - 5))))
    assert isinstance(peer.events[-1], Cancelled)
    peer.connection.taken(1, b"")
    peer.send(message(1, b"small"))

    assert peer.contents(1) == [b"", b"small"]
    peer.send(frames.WindowUpdate(last + 2, 1000))
    assert peer.answer(last + 2).code is Code.RESOURCE_EXHAUSTED


def test_what_is_taken_makes_room_for_more() -> None:
    peer = Peer()

    for stream_id in MORE_THAN_FIT:
        peer.send(request(stream_id), *_data(stream_id, envelope(AT_ONCE)))
        peer.connection.taken(stream_id, AT_ONCE)

    assert all(peer.contents(stream_id) == [AT_ONCE] for stream_id in MORE_THAN_FIT)


@pytest.mark.parametrize("ended_by", ["reset", "finish", "error"])
def test_what_a_call_held_is_let_go_when_it_ends(ended_by: str) -> None:
    peer = Peer()

    for stream_id in MORE_THAN_FIT:
        peer.send(request(stream_id), *_data(stream_id, envelope(AT_ONCE)))
        if ended_by == "reset":
            peer.send(frames.RstStream(stream_id, ErrorCode.CANCEL))
        elif ended_by == "finish":
            peer.connection.finish(stream_id, Code.OK)
        else:
            peer.send(frames.WindowUpdate(stream_id, frames.MAX_WINDOW_BYTES))

    assert all(peer.contents(stream_id) == [AT_ONCE] for stream_id in MORE_THAN_FIT)


def test_answers_to_calls_that_were_reset_are_let_go_even_while_the_connection_is_stuck() -> None:
    peer = Peer()
    peer.send(request(1, end=True))
    peer.connection.send(1, bytes(DEFAULT_WINDOW_BYTES))  # the client opens the connection's window no more

    with at_most(MEBIBYTE // 4):
        for stream_id in range(3, 6000, 2):
            peer.clock.seconds += 1 / limits.RESETS_PER_SECOND
            peer.connection.receive(request(stream_id, end=True).serialize())
            peer.connection.respond(stream_id, envelope(b"nobody will read this"))
            peer.connection.receive(frames.RstStream(stream_id, ErrorCode.CANCEL).serialize())
            peer.connection.data_to_send()

    assert peer.connection.open_streams == 1


def test_a_frame_is_not_waited_for_with_more_than_its_size() -> None:
    peer = Peer()
    peer.send(request(1))
    frame = message(1, bytes(16_000)).serialize()

    with at_most(MEBIBYTE):
        for start in range(0, len(frame) - 9, 9):
            peer.connection.receive(frame[start : start + 9])

    assert peer.contents(1) == []


def _data(stream_id: int, body: bytes) -> list[frames.Frame]:
    size = limits.MAX_FRAME_BYTES
    return [frames.Data(stream_id, body[start : start + size]) for start in range(0, len(body), size)]
