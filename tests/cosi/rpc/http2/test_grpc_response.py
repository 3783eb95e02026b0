"""One gRPC answer out of headers and data."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2.errors import StreamError
from cosi.rpc.http2.events import Ended, Event, Message, ResponseHeaders
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.grpc_response import GrpcResponse
from cosi.rpc.http2.hpack import Header
from cosi.rpc.http2.status import Code

OPENING: list[Header] = [(b":status", b"200"), (b"content-type", b"application/grpc")]


def answering(*, max_message_bytes: int = 1000) -> GrpcResponse:
    response = GrpcResponse(1, max_message_bytes=max_message_bytes)
    response.headers(OPENING, end_stream=False)
    return response


def messages(events: list[Event]) -> list[bytes]:
    return [event.content for event in events if isinstance(event, Message)]


def ended(events: list[Event]) -> tuple[Code, str]:
    (event,) = (event for event in events if isinstance(event, Ended))
    return event.code, event.message


def test_an_answer_is_headers_messages_and_a_status() -> None:
    response = GrpcResponse(1)

    (opening,) = response.headers(OPENING, end_stream=False)
    data = response.data(envelope(b"abc"), end_stream=False)
    closing = response.headers([(b"grpc-status", b"0")], end_stream=True)

    assert isinstance(opening, ResponseHeaders)
    assert opening.headers == OPENING
    assert messages(data) == [b"abc"]
    assert ended(closing) == (Code.OK, "")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=100), max_size=8), st.data())
def test_messages_are_cut_by_their_lengths_and_not_by_frames(sent: list[bytes], draw: st.DataObject) -> None:
    body = b"".join(map(envelope, sent))
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    response = answering()
    events: list[Event] = []

    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        events += response.data(body[start:end], end_stream=False)

    assert messages(events) == sent


def test_an_error_at_once_needs_no_answer() -> None:
    headers = [*OPENING, (b"grpc-status", b"5"), (b"grpc-message", b"gone")]

    assert ended(GrpcResponse(1).headers(headers, end_stream=True)) == (Code.NOT_FOUND, "gone")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"sch%C3%B6n%20weg", "schön weg"),
        (b"100%25", "100%"),
        (b"%E2%98%83%0A", "☃\n"),
        (b"100%, %zz %4", "100%, %zz %4"),
        (b"%+1%_1% 1", "%+1%_1% 1"),
        (b"%FF", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_message_is_percent_decoded_as_far_as_it_goes(text: bytes, message: str) -> None:
    events = answering().headers([(b"grpc-status", b"2"), (b"grpc-message", text)], end_stream=True)

    assert ended(events) == (Code.UNKNOWN, message)


@pytest.mark.parametrize("text", [b"17", b"99", b"-1", b"", b"x", b"9999999999"])
def test_a_status_that_grpc_does_not_know_is_unknown(text: bytes) -> None:
    assert ended(answering().headers([(b"grpc-status", text)], end_stream=True))[0] is Code.UNKNOWN


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            [(b":status", b"503")],
            (Code.UNAVAILABLE, "the server answered with HTTP status 503 and no gRPC status"),
        ),
        (
            [(b":status", b"404"), (b"grpc-status", b"7"), (b"content-type", b"application/grpc+proto")],
            (Code.PERMISSION_DENIED, ""),
        ),
        (
            [(b":status", b"200"), (b"content-type", b"text/html")],
            (Code.UNKNOWN, "the server answered with content type 'text/html', which is not gRPC"),
        ),
        (
            [(b":status", b"200"), (b"content-type", b"application/grpc-web")],
            (Code.UNKNOWN, "the server answered with content type 'application/grpc-web', which is not gRPC"),
        ),
        (OPENING, (Code.UNKNOWN, "the server ended the answer without a gRPC status")),
    ],
)
def test_what_is_not_grpc_ends_the_call_with_a_reason(headers: list[Header], expected: tuple[Code, str]) -> None:
    assert ended(GrpcResponse(1).headers(headers, end_stream=True)) == expected


def test_interim_answers_mean_nothing() -> None:
    response = GrpcResponse(1)

    assert response.headers([(b":status", b"103")], end_stream=False) == []
    assert len(response.headers(OPENING, end_stream=False)) == 1


def test_an_answer_without_trailers_is_an_error() -> None:
    events = answering().data(envelope(b"abc"), end_stream=True)

    assert messages(events) == [b"abc"]
    assert ended(events) == (Code.INTERNAL, "the server ended the answer without trailers")


def test_an_answer_that_ends_inside_a_message_is_an_error() -> None:
    response = answering()
    response.data(envelope(b"abc")[:-1], end_stream=False)

    events = response.headers([(b"grpc-status", b"0")], end_stream=True)

    assert ended(events) == (Code.INTERNAL, "the server ended the answer inside a message")


def test_a_compressed_message_is_refused() -> None:
    events = answering().data(b"\1\0\0\0\1x", end_stream=True)

    assert ended(events) == (Code.INTERNAL, "the server compressed a message, though nobody offered that")


def test_a_message_too_large_is_refused_by_its_length_alone() -> None:
    response = answering(max_message_bytes=10)

    events = response.data(envelope(b"x" * 10) + b"\0\0\0\0\x0b", end_stream=False)

    assert messages(events) == [b"x" * 10]
    assert ended(events) == (Code.RESOURCE_EXHAUSTED, "a message has 11 bytes; at most 10 are accepted")


@pytest.mark.parametrize(
    ("headers", "end_stream", "reason"),
    [
        ([], False, "its headers do not begin with an HTTP status"),
        ([(b"content-type", b"application/grpc")], False, "its headers do not begin with an HTTP status"),
        ([(b":status", b"2x0")], False, "its headers do not begin with an HTTP status"),
        ([(b":status", b"099")], False, "its headers do not begin with an HTTP status"),
        ([(b":status", b"200"), (b":status", b"200")], False, "a pseudo-header is out of place"),
        ([(b":status", b"100")], True, "an interim answer ends it"),
    ],
)
def test_headers_that_even_http_refuses_break_the_stream(headers: list[Header], end_stream: bool, reason: str) -> None:
    with pytest.raises(StreamError, match=reason):
        GrpcResponse(1).headers(headers, end_stream=end_stream)


def test_trailers_must_end_the_answer() -> None:
    with pytest.raises(StreamError, match="its trailers do not end it"):
        answering().headers([(b"grpc-status", b"0")], end_stream=False)


def test_data_needs_headers() -> None:
    with pytest.raises(StreamError, match="data came before headers"):
        GrpcResponse(1).data(b"", end_stream=False)
