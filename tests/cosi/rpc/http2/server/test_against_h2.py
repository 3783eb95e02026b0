"""Our verdicts on random frames are those of the `h2` package, save where RFC 9113 is on our side.

DIFFERENCES lists all of these, each with a conversation that shows it and the section that we follow.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2 import frames
from cosi.rpc.http2.hpack import encode_block
from tests.cosi.rpc.http2.server.h2_oracle import Ours, Theirs
from tests.cosi.rpc.http2.server.peer import GRPC, changed, message, raw, request

MAX = frames.MAX_WINDOW_BYTES
FINE = "fine"
Make = Callable[[int], frames.Frame | bytes]


def end(stream_id: int) -> frames.Headers:
    return frames.Headers(stream_id, encode_block([(b"x-test", b"ok")]), end_stream=True)


KINDS: dict[str, Make] = {
    "request": request,
    "whole request": lambda id: request(id, end=True),
    "message": lambda id: message(id, b"abc"),
    "last message": lambda id: message(id, b"abc", end=True),
    "padded message": lambda id: message(id, b"abc", padding=9),
    "empty data": lambda id: frames.Data(id, b"", end_stream=True),
    "trailers": end,
    "reset": lambda id: frames.RstStream(id, 8),
    "credit": lambda id: frames.WindowUpdate(id, 5),
    "credit to all": lambda _: frames.WindowUpdate(0, 5),
    "priority": lambda id: frames.Priority(id, depends_on=0, exclusive=False, weight=3),
    "ping": lambda _: frames.Ping(b"12345678"),
    "pong": lambda _: frames.Ping(b"12345678", ack=True),
    "settings": lambda id: frames.Settings({frames.INITIAL_WINDOW_SIZE: 1000 * id, 99: 1}),
    "unknown": lambda id: raw(0x20, b"abc", stream_id=id),
}
"""Frames that are well-formed, though not always in their place."""

FAULTS: dict[str, Make] = {
    "connection header": lambda id: request(id, changed(GRPC, {"connection": "close"})),
    "no path": lambda id: request(id, changed(GRPC, {":path": None})),
    "upper case": lambda id: request(id, changed(GRPC, {"X-Test": "ok"})),
    "te": lambda id: request(id, changed(GRPC, {"te": "gzip"})),
    "trailers that end nothing": lambda id: frames.Headers(id, encode_block([(b"x-test", b"ok")])),
    "trailers with a path": lambda id: frames.Headers(id, encode_block([(b":path", b"/")]), end_stream=True),
    "bad block": lambda id: frames.Headers(id, b"\xff\xff"),
    "even": lambda id: request(2 * id),
    "headers of none": lambda _: raw(frames.HEADERS, encode_block(GRPC), flags=5),
    "stray continuation": lambda id: frames.Continuation(id, b"", end_headers=True),
    "data of none": lambda _: raw(frames.DATA, b"abc"),
    "data too padded": lambda id: raw(frames.DATA, b"\x09abc", stream_id=id, flags=frames.PADDED),
    "data too large": lambda id: raw(frames.DATA, bytes(16_385), stream_id=id),
    "reset of none": lambda _: raw(frames.RST_STREAM, bytes(4)),
    "short reset": lambda id: raw(frames.RST_STREAM, bytes(3), stream_id=id),
    "credit of nothing": lambda id: raw(frames.WINDOW_UPDATE, bytes(4), stream_id=id),
    "credit to all of nothing": lambda _: raw(frames.WINDOW_UPDATE, bytes(4)),
    "short credit": lambda id: raw(frames.WINDOW_UPDATE, bytes(3), stream_id=id),
    "huge credit": lambda id: frames.WindowUpdate(id, MAX),
    "huge credit to all": lambda _: frames.WindowUpdate(0, MAX),
    "priority of none": lambda _: raw(frames.PRIORITY, bytes(5)),
    "short priority": lambda id: raw(frames.PRIORITY, bytes(4), stream_id=id),
    "priority of itself": lambda id: frames.Priority(id, depends_on=id, exclusive=False, weight=3),
    "short ping": lambda _: raw(frames.PING, bytes(7)),
    "ping on a stream": lambda id: raw(frames.PING, bytes(8), stream_id=id),
    "huge window": lambda _: frames.Settings({frames.INITIAL_WINDOW_SIZE: 2**31}),
    "window near the most": lambda _: frames.Settings({frames.INITIAL_WINDOW_SIZE: MAX}),
    "push 2": lambda _: frames.Settings({frames.ENABLE_PUSH: 2}),
    "tiny frames": lambda _: frames.Settings({frames.MAX_FRAME_SIZE: 1}),
    "settings of five bytes": lambda _: raw(frames.SETTINGS, bytes(5)),
    "settings on a stream": lambda id: raw(frames.SETTINGS, bytes(6), stream_id=id),
    "acknowledgement with settings": lambda _: raw(frames.SETTINGS, bytes(6), flags=frames.ACK),
    "goaway on a stream": lambda id: raw(frames.GOAWAY, bytes(8), stream_id=id),
    "push": lambda id: raw(frames.PUSH_PROMISE, b"\0\0\0\2" + encode_block(GRPC), stream_id=id, flags=4),
}

ALL = KINDS | FAULTS
STEPS = st.tuples(st.sampled_from(sorted(KINDS)) | st.sampled_from(sorted(ALL)), st.sampled_from([1, 3, 5]))


class Difference(NamedTuple):
    """After `before`, we and `h2` think differently of the last frame on stream 3."""

    last: str
    ours: str
    theirs: str
    why: str
    before: tuple[tuple[str, int], ...] = ()


def _differences() -> list[Difference]:
    broken, lost, closed = "RST_STREAM PROTOCOL_ERROR", "GOAWAY PROTOCOL_ERROR", "RST_STREAM STREAM_CLOSED"
    malformed = "8.1.1: a malformed request breaks its stream, not the connection"
    ignored = "5.4.2: what comes behind our reset was on its way, and is ignored"
    reused = "5.1.1: no number is used twice"
    open_, reset = (("request", 3),), (("request", 3), ("reset", 3))
    given_up, skipped = (("whole request", 3), ("message", 3)), (("request", 5), ("empty data", 3))
    faulty = ("connection header", "no path", "upper case", "te", "trailers with a path", "trailers that end nothing")
    heads, content = (
        ("request", "whole request", "trailers"),
        ("message", "last message", "padded message", "empty data"),
    )
    return [
        *(Difference(kind, broken, lost, malformed) for kind in (*faulty, "trailers")),
        *(Difference(kind, broken, lost, malformed, open_) for kind in (*faulty, "request", "whole request")),
        *(Difference(kind, FINE, closed, ignored, given_up) for kind in (*faulty, *heads, *content)),
        *(Difference(kind, FINE, lost, ignored, skipped) for kind in (*faulty, *heads)),
        *(Difference(kind, "GOAWAY STREAM_CLOSED", closed, reused, reset) for kind in (*faulty, *heads)),
        Difference("bad block", "GOAWAY STREAM_CLOSED", lost, reused, reset),
        Difference("bad block", "GOAWAY COMPRESSION_ERROR", lost, "4.3: a decoding error is a COMPRESSION_ERROR"),
        Difference("acknowledgement with settings", "GOAWAY FRAME_SIZE_ERROR", lost, "6.5"),
        Difference("stray continuation", lost, "GOAWAY STREAM_CLOSED", "6.10", (("request", 5),)),
        Difference("stray continuation", lost, closed, "6.10", (*given_up, ("request", 5))),
        Difference("reset", lost, FINE, "6.4: an idle stream can't be reset", (("request", 1),)),
        Difference("credit of nothing", broken, lost, "6.9: on a stream, it breaks the stream", open_),
        Difference("short priority", "RST_STREAM FRAME_SIZE_ERROR", "GOAWAY FRAME_SIZE_ERROR", "6.3", open_),
        Difference("priority of itself", broken, lost, "5.4.2: no more is lost than the stream", open_),
    ]


DIFFERENCES = _differences()
KNOWN = {difference[:3] for difference in DIFFERENCES}


def said(kind: str, stream_id: int) -> bytes:
    frame = ALL[kind](stream_id)
    return frame if isinstance(frame, bytes) else frame.serialize()


@settings(max_examples=400)
@given(st.lists(STEPS, max_size=8))
def test_verdicts_agree_or_differ_as_known(steps: list[tuple[str, int]]) -> None:
    ours, theirs = Ours(), Theirs()

    for kind, stream_id in steps:
        verdicts = ours.verdict(said(kind, stream_id)), theirs.verdict(said(kind, stream_id))
        if verdicts[0] != verdicts[1]:
            assert (kind, *verdicts) in KNOWN
            break
        if verdicts[0].startswith("GOAWAY"):
            break


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda case: f"{case.last}: {case.ours}")
def test_every_known_difference_is_one(difference: Difference) -> None:
    ours, theirs = Ours(), Theirs()
    for before in difference.before:
        assert ours.verdict(said(*before)) == theirs.verdict(said(*before))

    last = said(difference.last, 3)

    assert (ours.verdict(last), theirs.verdict(last)) == (difference.ours, difference.theirs)
