"""What is due to the peer, within what the peer allows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES, MAX_UNSENT_REPLY_BYTES, FrameWriter


def fetch_frames(writer: FrameWriter) -> list[frames.Frame]:
    reader = FrameReader(max_frame_bytes=frames.LARGEST_MAX_FRAME_BYTES)
    reader.feed(writer.fetch())
    fetched = []
    while (frame := reader.next_frame()) is not None:
        fetched.append(frame)
    return fetched


def body_of(fetched: list[frames.Frame]) -> bytes:
    return b"".join(frame.data for frame in fetched if isinstance(frame, frames.Data))


def test_bytes_are_fetched_once() -> None:
    writer = FrameWriter()
    writer.write(b"abc")

    assert writer.fetch() == b"abc"
    assert writer.fetch() == b""


def test_a_body_is_cut_to_frames_and_its_last_one_ends_the_stream() -> None:
    writer = FrameWriter()

    writer.write_body(1, b"x" * 20_000)

    assert fetch_frames(writer) == [frames.Data(1, b"x" * 16_384), frames.Data(1, b"x" * 3_616, end_stream=True)]
    assert not writer.is_sending(1)


def test_a_body_waits_for_both_windows() -> None:
    writer = FrameWriter()
    writer.write_body(1, b"x" * (DEFAULT_WINDOW_BYTES + 10))
    assert len(body_of(fetch_frames(writer))) == DEFAULT_WINDOW_BYTES

    writer.grow(1, 10)
    assert fetch_frames(writer) == []
    assert writer.is_sending(1)

    writer.grow(0, 10)
    assert fetch_frames(writer) == [frames.Data(1, b"x" * 10, end_stream=True)]


def test_new_settings_move_the_windows_of_streams_under_way() -> None:
    writer = FrameWriter()
    writer.grow(0, DEFAULT_WINDOW_BYTES)
    writer.write_body(1, b"x" * (DEFAULT_WINDOW_BYTES + 100))
    fetch_frames(writer)

    writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: DEFAULT_WINDOW_BYTES - 50}))
    writer.grow(1, 60)
    assert body_of(fetch_frames(writer)) == b"x" * 10

    writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: DEFAULT_WINDOW_BYTES + 50}))
    assert body_of(fetch_frames(writer)) == b"x" * 90


def test_a_larger_frame_size_is_used() -> None:
    writer = FrameWriter()
    writer.apply(frames.Settings({frames.MAX_FRAME_SIZE: 32_768}))

    writer.write_body(1, b"x" * 32_768)

    assert fetch_frames(writer) == [frames.Data(1, b"x" * 32_768, end_stream=True)]


def test_a_large_header_block_is_continued() -> None:
    writer = FrameWriter()

    writer.write_headers(1, b"x" * 40_000)

    assert fetch_frames(writer) == [frames.Headers(1, b"x" * 40_000)]


def test_a_dropped_body_sends_nothing_more() -> None:
    writer = FrameWriter()
    writer.write_body(1, b"x" * (DEFAULT_WINDOW_BYTES + 10))
    writer.fetch()

    writer.drop(1)
    writer.grow(0, 100)
    writer.grow(1, 100)

    assert writer.fetch() == b""


def test_a_connection_window_that_outgrows_http2_is_refused() -> None:
    writer = FrameWriter()

    with pytest.raises(ProtocolError, match="2147483647 is the most") as refused:
        writer.grow(0, frames.MAX_WINDOW_BYTES)

    assert refused.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_stream_window_that_outgrows_http2_is_refused() -> None:
    writer = FrameWriter()
    writer.write_body(1, b"x" * DEFAULT_WINDOW_BYTES)
    writer.write_body(3, b"x")  # waits for the connection's window, its own untouched

    with pytest.raises(ProtocolError, match="2147483647 is the most") as refused:
        writer.grow(3, frames.MAX_WINDOW_BYTES)

    assert refused.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_peer_that_asks_without_reading_is_refused() -> None:
    writer = FrameWriter()
    ping = frames.Ping(b"12345678", ack=True)
    for _ in range(MAX_UNSENT_REPLY_BYTES // len(ping.serialize())):
        writer.reply(ping)

    with pytest.raises(ProtocolError, match="faster than it reads") as refused:
        writer.reply(ping)

    assert refused.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_a_peer_that_reads_may_ask_forever() -> None:
    writer = FrameWriter()

    for _ in range(MAX_UNSENT_REPLY_BYTES // 9 + 1):
        writer.reply(frames.Settings(ack=True))
        writer.fetch()


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=2000), st.lists(st.integers(-300, 300), max_size=30))
def test_whatever_the_windows_do_the_body_arrives_whole_and_never_exceeds_them(body: bytes, moves: list[int]) -> None:
    writer = FrameWriter()
    size = 200
    writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: size}))
    allowed = size
    writer.write_body(1, body)
    sent = body_of(fetch_frames(writer))

    for move in [*moves, 3000]:
        if move > 0:
            writer.grow(1, move)
            allowed += move
        else:
            shrunk = max(0, size + move)
            writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: shrunk}))
            allowed += shrunk - size
            size = shrunk
        before = len(sent)
        sent += body_of(fetch_frames(writer))
        assert len(sent) <= max(allowed, before)
    writer.grow(1, 20_000)
    sent += body_of(fetch_frames(writer))

    assert sent == body
