"""Request messages come out whole however their bytes were cut, and what is no message ends its call with a status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import ENVELOPE, envelope
from cosi.rpc.http2.server_events import Cancelled, RequestMessage
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.hearing import Answer
from tests.cosi.rpc.http2.server.peer import GRPC, Peer, changed, message, request

CONTENTS = st.lists(st.binary(max_size=40) | st.integers(0, 3).map(lambda count: b"x" * (count * 3_000)), max_size=6)
PADDING = st.none() | st.integers(0, 255)
HALF = 8192


def in_frames(body: bytes, *, end: bool = True, size: int = limits.MAX_FRAME_BYTES) -> list[frames.Frame]:
    """The body of stream 1, in frames of that size."""
    starts = range(0, max(1, len(body)), size)
    return [frames.Data(1, body[start : start + size], end_stream=end and start == starts[-1]) for start in starts]


@given(CONTENTS, st.data())
def test_messages_come_whole_however_they_are_cut(contents: list[bytes], draw: st.DataObject) -> None:
    peer = Peer()
    body = b"".join(map(envelope, contents))
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(body)), max_size=10)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    pieces = [piece[half : half + HALF] for piece in pieces for half in range(0, len(piece) or 1, HALF)]

    peer.send(request(1))
    for number, piece in enumerate(pieces, start=1):
        peer.send(frames.Data(1, piece, end_stream=number == len(pieces), padding=draw.draw(PADDING)))

    assert peer.contents(1) == contents
    assert peer.calls[1].ended


def test_a_message_comes_whole_wherever_it_is_cut_in_two() -> None:
    body = envelope(b"one") + envelope(b"") + envelope(b"three")

    for cut in range(len(body) + 1):
        peer = Peer()
        peer.send(request(1), frames.Data(1, body[:cut]))
        peer.send(frames.Data(1, body[cut:], end_stream=True))
        assert peer.contents(1) == [b"one", b"", b"three"]


def test_a_message_comes_whole_byte_by_byte() -> None:
    peer = Peer()

    peer.send(request(1), *in_frames(envelope(b"question") * 3, size=1))

    assert peer.contents(1) == [b"question"] * 3


def test_only_what_ends_with_the_request_is_the_last_message() -> None:
    peer = Peer()

    events = peer.send(
        request(1), frames.Data(1, envelope(b"one") + envelope(b"two") + envelope(b"three"), end_stream=True)
    )

    assert [event.last for event in events if isinstance(event, RequestMessage)] == [False, False, True]


def test_a_message_is_told_as_soon_as_it_is_whole() -> None:
    peer = Peer()

    peer.send(request(1), frames.Data(1, envelope(b"one") + envelope(b"two")[:-1]))

    assert peer.contents(1) == [b"one"]


def test_a_message_may_be_as_large_as_the_limit() -> None:
    peer = Peer()
    content = b"x" * limits.MAX_REQUEST_BYTES

    peer.send(request(1), *in_frames(envelope(content)))

    assert peer.contents(1) == [content]
    assert peer.calls[1].ended


def refused(peer: Peer) -> Answer:
    """The answer to a call that was refused in words, which its user hears of as well."""
    answer = peer.answer(1)
    assert answer.ended
    assert answer.headers[":status"] == "200"
    assert isinstance(peer.events[-1], Cancelled)
    assert peer.connection.open_streams == 0
    return answer


@pytest.mark.parametrize("length", [limits.MAX_REQUEST_BYTES + 1, 2**32 - 1])
@pytest.mark.parametrize("cut", [0, 1, 4, 5])
def test_a_message_that_is_too_large_is_refused_by_its_announcement(cut: int, length: int) -> None:
    peer = Peer()
    start = ENVELOPE.pack(0, length)

    peer.send(request(1), message(1, b"one"), frames.Data(1, start[:cut]), frames.Data(1, start[cut:]))

    assert refused(peer).code is Code.RESOURCE_EXHAUSTED
    assert str(limits.MAX_REQUEST_BYTES) in peer.answer(1).message
    assert peer.answer(1).reset == ErrorCode.NO_ERROR
    assert peer.contents(1) == [b"one"]


@pytest.mark.parametrize("length", [0, 5, limits.MAX_REQUEST_BYTES + 1])
@pytest.mark.parametrize("cut", [0, 1, 3])
def test_a_compressed_message_is_refused_with_what_is_accepted(length: int, cut: int) -> None:
    peer = Peer()
    start = ENVELOPE.pack(1, length)

    peer.send(request(1), frames.Data(1, start[:cut]))
    if not peer.answer(1).ended:
        peer.send(frames.Data(1, start[cut:]))

    assert refused(peer).code is Code.UNIMPLEMENTED
    assert peer.answer(1).headers["grpc-accept-encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "snappy", "identity, gzip", ""])
def test_a_request_that_announces_compression_is_refused_with_what_is_accepted(encoding: str) -> None:
    peer = Peer()

    events = peer.send(request(1, changed(GRPC, {"grpc-encoding": encoding})), message(1, end=True))

    assert events == []
    assert peer.answer(1).code is Code.UNIMPLEMENTED
    assert peer.answer(1).headers["grpc-accept-encoding"] == "identity"
    assert peer.answer(1).ended


def test_a_request_may_announce_that_it_is_not_compressed() -> None:
    peer = Peer()

    peer.send(request(1, changed(GRPC, {"grpc-encoding": "identity"})), message(1, b"question", end=True))

    assert peer.contents(1) == [b"question"]


@pytest.mark.parametrize("flag", [2, 128, 255])
def test_an_envelope_with_a_flag_of_no_meaning_is_refused(flag: int) -> None:
    peer = Peer()

    peer.send(request(1), frames.Data(1, ENVELOPE.pack(flag, 0), end_stream=True))

    assert refused(peer).code is Code.INTERNAL
    assert peer.answer(1).reset is None


@pytest.mark.parametrize("kept", range(1, 13))
@pytest.mark.parametrize("before", [b"", envelope(b"one")], ids=["first", "second"])
def test_a_request_that_ends_inside_a_message_is_refused(before: bytes, kept: int) -> None:
    peer = Peer()

    peer.send(request(1), frames.Data(1, before + envelope(b"question")[:kept], end_stream=True))

    assert refused(peer).code is Code.INTERNAL
    assert peer.answer(1).reset is None
    assert peer.contents(1) == [b"one"] * bool(before)


def test_a_refusal_follows_what_was_answered_already() -> None:
    peer = Peer()
    peer.send(request(1), message(1, b"one"))
    peer.connection.send(1, envelope(b"answer to one"))

    peer.send(frames.Data(1, b"\0\0", end_stream=True))

    assert peer.answer(1).contents == [b"answer to one"]
    assert peer.answer(1).code is Code.INTERNAL


def test_what_follows_a_refused_message_is_ignored() -> None:
    peer = Peer()

    peer.send(request(1), frames.Data(1, ENVELOPE.pack(0, 2**32 - 1)))
    events = peer.send(message(1, b"more"), frames.Data(1, b"", end_stream=True), request(3))

    assert [event.stream_id for event in events] == [3]
