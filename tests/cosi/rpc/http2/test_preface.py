"""How a connection begins, and who begins otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.frames import PREFACE
from cosi.rpc.http2.preface import (
    HTTP_1_ANSWER,
    MAX_REQUEST_LINE_BYTES,
    PrefaceReader,
    SpeaksHttp1,
    greeting,
)


def receive(reader: PrefaceReader, data: bytes, cuts: list[int]) -> bytes:
    """Send data in pieces, and return what came behind the preface."""
    behind = b""
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        behind += data[start:end] if reader.complete else reader.receive(data[start:end])
    return behind


@given(st.binary(max_size=20), st.lists(st.integers(0, len(PREFACE)), max_size=5).map(sorted))
def test_what_follows_the_preface_is_returned_however_that_was_cut(rest: bytes, cuts: list[int]) -> None:
    reader = PrefaceReader()

    assert receive(reader, PREFACE + rest, cuts) == rest
    assert reader.complete


@pytest.mark.parametrize("length", range(len(PREFACE)))
def test_a_preface_is_complete_with_its_last_byte_and_not_before(length: int) -> None:
    reader = PrefaceReader()

    assert reader.receive(PREFACE[:length]) == b""
    assert not reader.complete


@pytest.mark.parametrize("length", range(PREFACE.index(b"HTTP")))
def test_a_preface_that_goes_wrong_is_refused_when_its_line_ends(length: int) -> None:
    reader = PrefaceReader()

    with pytest.raises(ProtocolError, match="did not begin with the preface") as refused:
        reader.receive(PREFACE[:length] + b"x\n")

    assert refused.value.code is ErrorCode.PROTOCOL_ERROR
    assert not isinstance(refused.value, SpeaksHttp1)
    assert not reader.complete


@given(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"OPTIONS * HTTP/1.0\r\n",
            b"PRI * HTTP/1.1\r\n\r\n",
            b"P / HTTP/1.1\r\n",
        ]
    ),
    st.lists(st.integers(0, 10), max_size=4).map(sorted),
)
def test_who_speaks_http_1_is_recognised_however_that_was_cut(spoken: bytes, cuts: list[int]) -> None:
    with pytest.raises(SpeaksHttp1) as refused:
        receive(PrefaceReader(), spoken, cuts)

    assert refused.value.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "spoken",
    [
        b"\x16\x03\x01",
        b"\0",
        b"get / ",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"EHLO localhost\r\n",
        b"GET /\r\nX: HTTP/1.1\r\n",
        b"GET /" + b"x" * MAX_REQUEST_LINE_BYTES,
    ],
    ids=lambda spoken: repr(spoken[:10]),
)
def test_who_speaks_neither_is_not_waited_for(spoken: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        PrefaceReader().receive(spoken)

    assert not isinstance(refused.value, SpeaksHttp1)


def test_http_1_is_answered_in_its_own_language() -> None:
    head, _, body = HTTP_1_ANSWER.partition(b"\r\n\r\n")

    assert head.split(b"\r\n")[0] == b"HTTP/1.1 505 HTTP Version Not Supported"
    assert b"Connection: close" in head.split(b"\r\n")
    assert body.endswith(b"\n")


def test_a_server_says_its_limits_first() -> None:
    reader = FrameReader()
    reader.feed(greeting(limits.MAX_CONCURRENT_STREAMS))
    settings, window = reader.next_frame(), reader.next_frame()

    assert isinstance(settings, frames.Settings)
    assert settings.values[frames.MAX_CONCURRENT_STREAMS] == limits.MAX_CONCURRENT_STREAMS
    assert settings.values[frames.INITIAL_WINDOW_SIZE] == limits.STREAM_WINDOW_BYTES
    assert settings.values[frames.MAX_HEADER_LIST_SIZE] == limits.MAX_LIST_BYTES
    assert window == frames.WindowUpdate(0, limits.CONNECTION_WINDOW_BYTES - 65_535)
    assert reader.next_frame() is None
