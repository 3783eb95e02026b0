"""Frames to bytes and back."""

import pytest
from hypothesis import given, settings

from cosi.rpc.http2 import frame_parser, frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError
from tests.cosi.rpc.http2.frame_samples import ANY_STREAM, any_frame


def parse(data: bytes) -> frames.Frame:
    length, frame_type, flags, stream_id = frame_parser.parse_header(data)
    payload = data[frames.FRAME_HEADER.size :]
    assert len(payload) == length
    return frame_parser.parse(frame_type, flags, stream_id, payload)


@settings(deadline=None)
@given(any_frame(ANY_STREAM))
def test_every_frame_survives_a_round_trip(frame: frames.Frame) -> None:
    assert parse(frame.serialize()) == frame


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (frames.Data(1, b"hi", end_stream=True), "000002 00 01 00000001 6869"),
        (frames.Data(1, b"hi", padding=2), "000005 00 08 00000001 02 6869 0000"),
        (frames.Headers(3, b"\x82"), "000001 01 04 00000003 82"),
        (frames.Priority(3, depends_on=1, exclusive=True, weight=15), "000005 02 00 00000003 80000001 0f"),
        (frames.RstStream(5, ErrorCode.CANCEL), "000004 03 00 00000005 00000008"),
        (frames.Settings({frames.ENABLE_PUSH: 0}), "000006 04 00 00000000 0002 00000000"),
        (frames.Settings(ack=True), "000000 04 01 00000000"),
        (frames.Ping(b"\1\2\3\4\5\6\7\10", ack=True), "000008 06 01 00000000 0102030405060708"),
        (frames.GoAway(7, ErrorCode.NO_ERROR, b"bye"), "00000b 07 00 00000000 00000007 00000000 627965"),
        (frames.WindowUpdate(0, 65_536), "000004 08 00 00000000 00010000"),
        (frames.Continuation(3, b"\x84", end_headers=True), "000001 09 04 00000003 84"),
    ],
)
def test_the_bytes_are_those_of_the_rfc(frame: frames.Frame, data: str) -> None:
    assert frame.serialize() == bytes.fromhex(data)
    assert parse(bytes.fromhex(data)) == frame


def test_a_payload_of_more_than_two_bytes_length_is_framed() -> None:
    frame = frames.Data(1, b"x" * 70_000)

    assert frame.serialize()[:3] == (70_000).to_bytes(3, "big")


def test_the_preface_is_that_of_the_rfc() -> None:
    assert frames.PREFACE.hex() == "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a"


@pytest.mark.parametrize("dependency", ["00000003", "80000003"], ids=["shared", "exclusive"])
def test_of_priorities_inside_headers_only_the_dependency_is_kept(dependency: str) -> None:
    prioritized = parse(bytes.fromhex(f"000006 01 24 00000001 {dependency} ff 82"))

    assert prioritized == frames.Headers(1, b"\x82", depends_on=3)


def test_priorities_inside_padded_headers_stand_behind_the_padding_length() -> None:
    prioritized = parse(bytes.fromhex("000009 01 2c 00000001 02 00000003 ff 82 0000"))

    assert prioritized == frames.Headers(1, b"\x82", depends_on=3, padding=2)


@pytest.mark.parametrize("size", [16_384, 16_777_215])
def test_frame_sizes_from_the_smallest_to_the_largest_may_be_asked_for(size: int) -> None:
    settings = frames.Settings({frames.MAX_FRAME_SIZE: size})

    assert parse(settings.serialize()) == settings


def test_reserved_bits_are_ignored() -> None:
    assert parse(bytes.fromhex("000004 08 00 80000001 80000005")) == frames.WindowUpdate(1, 5)


def test_padding_counts_against_the_windows() -> None:
    assert frames.Data(1, b"abc").flow_bytes == 3
    assert frames.Data(1, b"abc", padding=0).flow_bytes == 4
    assert frames.Data(1, b"abc", padding=9).flow_bytes == 13


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        ("000000 00 00 00000000", ErrorCode.PROTOCOL_ERROR, "a DATA frame belongs to no stream"),
        ("000000 01 04 00000000", ErrorCode.PROTOCOL_ERROR, "a HEADERS frame belongs to no stream"),
        ("000000 09 04 00000000", ErrorCode.PROTOCOL_ERROR, "a CONTINUATION frame belongs to no stream"),
        ("000000 00 08 00000001", ErrorCode.FRAME_SIZE_ERROR, "a padded DATA frame lacks its padding length"),
        ("000002 00 08 00000001 0200", ErrorCode.PROTOCOL_ERROR, "a DATA frame of 2 bytes has 2 of padding"),
        ("000004 01 24 00000001 00000000", ErrorCode.FRAME_SIZE_ERROR, "ends inside its priority fields"),
        ("000003 03 00 00000001 000000", ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM frame has 3 bytes instead of 4"),
        ("000000 04 00 00000001", ErrorCode.PROTOCOL_ERROR, "SETTINGS frame names stream 1 instead of the connection"),
        ("000005 04 00 00000000 0000000000", ErrorCode.FRAME_SIZE_ERROR, "SETTINGS frame must not have 5 bytes"),
        ("000006 04 01 00000000 000200000000", ErrorCode.FRAME_SIZE_ERROR, "SETTINGS frame must not have 6 bytes"),
        ("000006 04 00 00000000 000200000002", ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is 2; it is 0 or 1"),
        ("000006 04 00 00000000 000480000000", ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is 2147483648"),
        ("000006 04 00 00000000 000500003fff", ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is 16383"),
        ("000004 05 04 00000001 00000002", ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE"),
        ("000007 06 00 00000000 00000000000000", ErrorCode.FRAME_SIZE_ERROR, "PING frame has 7 bytes instead of 8"),
        ("000008 06 00 00000001 0000000000000000", ErrorCode.PROTOCOL_ERROR, "PING frame names stream 1"),
        ("000007 07 00 00000000 00000000000000", ErrorCode.FRAME_SIZE_ERROR, "GOAWAY frame has only 7 bytes"),
        ("000003 08 00 00000001 000001", ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE frame has 3 bytes instead of 4"),
        ("000004 08 00 00000000 00000000", ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE frame adds nothing"),
    ],
)
def test_a_broken_frame_breaks_the_connection_with_the_code_of_the_rfc(data: str, code: ErrorCode, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason) as refused:
        parse(bytes.fromhex(data))

    assert refused.value.code is code
    assert not isinstance(refused.value, StreamError)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("000004 02 00 00000003 00000000", ErrorCode.FRAME_SIZE_ERROR),
        ("000004 08 00 00000003 00000000", ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_some_broken_frames_break_only_their_stream(data: str, code: ErrorCode) -> None:
    with pytest.raises(StreamError) as refused:
        parse(bytes.fromhex(data))

    assert (refused.value.code, refused.value.stream_id) == (code, 3)


def test_frames_differ_by_class_and_by_field() -> None:
    assert frames.WindowUpdate(1, 8) != frames.RstStream(1, 8)
    assert frames.WindowUpdate(1, 8) != frames.WindowUpdate(1, 9)
    assert repr(frames.WindowUpdate(1, 8)) == "WindowUpdate(stream_id=1, increment=8)"
