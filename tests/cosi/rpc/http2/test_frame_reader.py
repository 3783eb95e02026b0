"""Frames out of a byte stream that is cut anywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError
from cosi.rpc.http2.frame_reader import MAX_BLOCK_BYTES, MAX_BLOCK_PIECES, FrameReader
from tests.cosi.rpc.http2.frame_samples import ANY_STREAM, whole_frame


def read_all(reader: FrameReader) -> list[frames.Frame]:
    read = []
    while (frame := reader.next_frame()) is not None:
        read.append(frame)
    return read


@settings(deadline=None)
@given(st.lists(whole_frame(ANY_STREAM), max_size=6), st.data())
def test_the_same_frames_come_out_however_the_bytes_are_cut(sent: list[frames.Frame], draw: st.DataObject) -> None:
    stream = b"".join(frame.serialize() for frame in sent)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()
    received: list[frames.Frame] = []

    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.feed(stream[start:end])
        received += read_all(reader)

    assert received == sent


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.booleans())
def test_a_header_block_comes_whole(pieces: list[bytes], end_stream: bool) -> None:
    reader = FrameReader()
    first, *others = pieces
    reader.feed(frames.Headers(1, first, end_stream=end_stream, end_headers=not others).serialize())
    for number, piece in enumerate(others, start=1):
        reader.feed(frames.Continuation(1, piece, end_headers=number == len(others)).serialize())

    assert read_all(reader) == [frames.Headers(1, b"".join(pieces), end_stream=end_stream)]


def test_a_header_block_in_pieces_keeps_the_dependency_of_its_first() -> None:
    reader = FrameReader()
    reader.feed(bytes.fromhex("000006 01 20 00000005 00000003 ff 82"))
    reader.feed(frames.Continuation(5, b"\x84", end_headers=True).serialize())

    assert read_all(reader) == [frames.Headers(5, b"\x82\x84", depends_on=3)]


def test_a_second_header_block_may_follow_in_as_many_pieces_as_the_first() -> None:
    reader = FrameReader()
    block = frames.Headers(1, b"", end_headers=False).serialize()
    block += frames.Continuation(1, b"", end_headers=False).serialize() * (MAX_BLOCK_PIECES - 2)
    block += frames.Continuation(1, b"", end_headers=True).serialize()

    reader.feed(block * 2)

    assert read_all(reader) == [frames.Headers(1, b"")] * 2


@pytest.mark.parametrize(
    "intruder",
    [
        frames.Data(1, b""),
        frames.Headers(1, b""),
        frames.Continuation(3, b"", end_headers=True),
        frames.Extension(0, frame_type=77, flags=0, payload=b""),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_nothing_may_come_inside_a_header_block(intruder: frames.Frame) -> None:
    reader = FrameReader()
    reader.feed(frames.Headers(1, b"", end_headers=False).serialize() + intruder.serialize())

    with pytest.raises(ProtocolError, match="inside the header block of stream 1") as refused:
        reader.next_frame()

    assert refused.value.code is ErrorCode.PROTOCOL_ERROR


def test_a_continuation_must_continue_something() -> None:
    reader = FrameReader()
    reader.feed(frames.Continuation(1, b"", end_headers=True).serialize())

    with pytest.raises(ProtocolError, match="continues no header block"):
        reader.next_frame()


def test_a_frame_too_large_is_refused_before_its_payload_comes() -> None:
    reader = FrameReader(max_frame_bytes=100)
    reader.feed(frames.Data(1, b"x" * 101).serialize()[:9])

    with pytest.raises(ProtocolError, match="announces 101 bytes; at most 100") as refused:
        reader.next_frame()

    assert refused.value.code is ErrorCode.FRAME_SIZE_ERROR


def test_a_header_block_cannot_grow_without_end() -> None:
    reader = FrameReader()
    piece = b"x" * frames.DEFAULT_MAX_FRAME_BYTES
    reader.feed(frames.Headers(1, piece, end_headers=False).serialize())
    for _ in range(MAX_BLOCK_BYTES // len(piece)):
        reader.feed(frames.Continuation(1, piece, end_headers=False).serialize())

    with pytest.raises(ProtocolError, match="at most 131072") as refused:
        reader.next_frame()

    assert refused.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_a_flood_of_empty_continuations_is_refused() -> None:
    reader = FrameReader()
    reader.feed(frames.Headers(1, b"", end_headers=False).serialize())
    reader.feed(frames.Continuation(1, b"", end_headers=False).serialize() * MAX_BLOCK_PIECES)

    with pytest.raises(ProtocolError, match="more than 64 frames") as refused:
        reader.next_frame()

    assert refused.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_the_size_of_a_frame_on_the_wire_is_known_when_it_comes() -> None:
    reader = FrameReader()
    sent = [frames.Data(1, b"abc", padding=20), frames.Ping(b"12345678"), frames.Settings(ack=True)]
    reader.feed(b"".join(frame.serialize() for frame in sent))

    for frame in sent:
        assert reader.next_frame() == frame
        assert reader.frame_bytes == len(frame.serialize())


def test_the_size_of_a_block_on_the_wire_is_that_of_all_its_pieces() -> None:
    reader = FrameReader()
    opening = frames.Headers(1, b"ab", end_headers=False, padding=7).serialize()
    pieces = [frames.Continuation(1, piece, end_headers=piece == b"e").serialize() for piece in (b"", b"cd", b"e")]
    reader.feed(opening + b"".join(pieces) + frames.Ping(b"12345678").serialize())

    assert isinstance(reader.next_frame(), frames.Headers)
    assert reader.frame_bytes == len(opening) + sum(map(len, pieces))
    assert isinstance(reader.next_frame(), frames.Ping)
    assert reader.frame_bytes == len(frames.Ping(b"12345678").serialize())


def test_reading_goes_on_behind_a_frame_that_broke_its_stream() -> None:
    reader = FrameReader()
    reader.feed(bytes.fromhex("000004 08 00 00000003 00000000") + frames.Ping(b"12345678").serialize())

    with pytest.raises(StreamError):
        reader.next_frame()

    assert reader.next_frame() == frames.Ping(b"12345678")
