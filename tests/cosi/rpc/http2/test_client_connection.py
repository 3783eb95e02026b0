"""The client's end of a connection, against a server that is a list of frames."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2 import frames
from cosi.rpc.http2.client_connection import CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES, ClientConnection
from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.events import Ended, Event, Message, ResponseHeaders
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.grpc_response import MAX_MESSAGE_BYTES
from cosi.rpc.http2.hpack import HeaderDecoder, HeaderEncoder
from cosi.rpc.http2.status import Code, RpcError
from tests.cosi.rpc.http2.frame_samples import any_frame

OPENING = b"\x88\x40\x0ccontent-type\x10application/grpc"
TRAILERS = b"\x40\x0bgrpc-status\x010"
STREAM_IDS = st.sampled_from([1, 3])
SENSIBLE_FRAMES: st.SearchStrategy[frames.Frame] = st.one_of(
    st.builds(frames.Headers, STREAM_IDS, st.just(OPENING)),
    st.builds(frames.Headers, STREAM_IDS, st.just(TRAILERS), end_stream=st.booleans()),
    st.builds(frames.Data, STREAM_IDS, st.binary(max_size=20).map(envelope), end_stream=st.booleans()),
)


class Server:
    """Speaks frames to a connection and collects what it says."""

    def __init__(self, settings: dict[int, int] | None = None) -> None:
        self.connection = ClientConnection()
        self._encoder = HeaderEncoder()
        self._reader = FrameReader(max_frame_bytes=frames.LARGEST_MAX_FRAME_BYTES)
        preface = self.connection.data_to_send()
        assert preface.startswith(frames.PREFACE)
        self._reader.feed(preface.removeprefix(frames.PREFACE))
        self.greeting = self._read()
        self.say(frames.Settings(settings))
        self.heard()

    def say(self, *spoken: frames.Frame) -> list[Event]:
        return self.connection.receive(b"".join(frame.serialize() for frame in spoken))

    def heard(self) -> list[frames.Frame]:
        self._reader.feed(self.connection.data_to_send())
        return self._read()

    def call(self, message: bytes = b"question") -> int:
        return self.connection.request("/service/Method", "localhost", message)

    def opening(self, stream_id: int) -> frames.Headers:
        block = self._encoder.encode([(b":status", b"200"), (b"content-type", b"application/grpc")])
        return frames.Headers(stream_id, block)

    def trailers(self, stream_id: int, status: bytes = b"0") -> frames.Headers:
        return frames.Headers(stream_id, self._encoder.encode([(b"grpc-status", status)]), end_stream=True)

    def _read(self) -> list[frames.Frame]:
        read = []
        while (frame := self._reader.next_frame()) is not None:
            read.append(frame)
        return read


def contents(events: list[Event]) -> list[bytes]:
    return [event.content for event in events if isinstance(event, Message)]


def ends(events: list[Event]) -> list[tuple[int, Code, str]]:
    return [(event.stream_id, event.code, event.message) for event in events if isinstance(event, Ended)]


def test_a_connection_begins_with_its_preface_and_large_windows() -> None:
    settings, window = Server().greeting

    assert isinstance(settings, frames.Settings)
    assert settings.values[frames.ENABLE_PUSH] == 0
    assert settings.values[frames.INITIAL_WINDOW_SIZE] == STREAM_WINDOW_BYTES
    assert window == frames.WindowUpdate(0, CONNECTION_WINDOW_BYTES - 65_535)


def test_a_call_is_headers_and_one_message() -> None:
    server = Server()

    stream_id = server.call(b"question")
    headers, data = server.heard()

    assert stream_id == 1
    assert isinstance(headers, frames.Headers)
    assert (b":path", b"/service/Method") in HeaderDecoder().decode(headers.block)
    assert data == frames.Data(1, envelope(b"question"), end_stream=True)


def test_an_answer_comes_as_headers_messages_and_an_end() -> None:
    server = Server()
    stream_id = server.call()

    first, second, last = server.say(
        server.opening(stream_id), frames.Data(stream_id, envelope(b"answer"), padding=7), server.trailers(stream_id)
    )

    assert isinstance(first, ResponseHeaders)
    assert isinstance(second, Message)
    assert second.content == b"answer"
    assert isinstance(last, Ended)
    assert last.code is Code.OK


def test_a_call_ends_with_what_the_server_said_last() -> None:
    server = Server()
    early, late = server.call(), server.call()
    fields = [(b"grpc-status", b"5"), (b"cosi-error", b"NotFound")]
    status = [(b":status", b"200"), (b"content-type", b"application/grpc"), *fields]

    (first,) = server.say(frames.Headers(early, HeaderEncoder().encode(status), end_stream=True))
    _, second = server.say(server.opening(late), frames.Headers(late, HeaderEncoder().encode(fields), end_stream=True))

    assert isinstance(first, Ended)
    assert isinstance(second, Ended)
    assert (b"cosi-error", b"NotFound") in first.trailers
    assert list(second.trailers) == fields


def test_a_server_is_asked_whether_it_is_there() -> None:
    server = Server()

    server.connection.ping()

    (ping,) = server.heard()
    assert isinstance(ping, frames.Ping)
    assert not ping.ack
    assert server.say(frames.Ping(ping.payload, ack=True)) == []


def test_a_connection_of_tls_says_so() -> None:
    connection = ClientConnection(scheme="https")
    connection.data_to_send()

    connection.request("/service/Method", "localhost", b"")

    block = connection.data_to_send()[frames.FRAME_HEADER.size :]
    length = frames.FRAME_HEADER.size + len(envelope(b""))
    assert (b":scheme", b"https") in HeaderDecoder().decode(block[:-length])


def test_calls_do_not_wait_for_each_other() -> None:
    server = Server()
    one, two = server.call(), server.call()
    assert (one, two) == (1, 3)

    events = server.say(
        server.opening(two),
        server.opening(one),
        frames.Data(two, envelope(b"b")),
        frames.Data(one, envelope(b"a")),
        server.trailers(two),
    )

    assert contents(events) == [b"b", b"a"]
    assert ends(events) == [(two, Code.OK, "")]


def test_settings_and_pings_are_answered() -> None:
    server = Server()

    server.say(frames.Settings({frames.MAX_FRAME_SIZE: 20_000}), frames.Ping(b"12345678"), frames.Settings(ack=True))

    assert server.heard() == [frames.Settings(ack=True), frames.Ping(b"12345678", ack=True)]


def test_a_request_larger_than_the_window_goes_out_as_the_server_allows() -> None:
    server = Server()
    stream_id = server.call(b"x" * 100_000)
    first = server.heard()

    server.say(frames.WindowUpdate(0, 100_000))
    assert server.heard() == []
    server.say(frames.WindowUpdate(stream_id, 100_000))
    rest = server.heard()

    body = b"".join(frame.data for frame in first + rest if isinstance(frame, frames.Data))
    assert body == envelope(b"x" * 100_000)
    assert sum(len(frame.data) for frame in first if isinstance(frame, frames.Data)) == 65_535


def test_calls_that_wait_for_the_connections_window_take_turns() -> None:
    server = Server()
    one, two = server.call(b"x" * 60_000), server.call(b"y" * 60_000)
    server.heard()
    three = server.call(b"z" * 60_000)

    server.say(frames.WindowUpdate(0, 5 * frames.DEFAULT_MAX_FRAME_BYTES))
    turns = [frame.stream_id for frame in server.heard() if isinstance(frame, frames.Data)]

    assert one not in turns, "all of the first request fitted"
    assert turns == [two, three, two, three, two]


def test_new_settings_move_the_windows_of_requests_under_way() -> None:
    server = Server({frames.INITIAL_WINDOW_SIZE: 5})
    stream_id = server.call(b"x" * 100)
    server.heard()

    server.say(frames.Settings({frames.INITIAL_WINDOW_SIZE: 65}))

    # The acknowledgement comes first: to the server, what stands before it was sent under the old settings.
    assert server.heard() == [frames.Settings(ack=True), frames.Data(stream_id, b"x" * 60)]


def test_a_stream_window_that_outgrows_http2_ends_its_call_and_no_other() -> None:
    server = Server()
    one, two = server.call(), server.call()
    server.heard()

    events = server.say(frames.WindowUpdate(one, frames.MAX_WINDOW_BYTES), server.opening(two), server.trailers(two))

    assert [(stream_id, code) for stream_id, code, _ in ends(events)] == [(one, Code.INTERNAL), (two, Code.OK)]
    assert server.heard() == [frames.RstStream(one, ErrorCode.FLOW_CONTROL_ERROR)]


@pytest.mark.parametrize(
    "spoken",
    [
        frames.WindowUpdate(0, frames.MAX_WINDOW_BYTES),
        frames.Settings({frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_a_window_that_outgrows_http2_for_everybody_is_refused(spoken: frames.Frame) -> None:
    server = Server()
    stream_id = server.call()
    server.say(frames.WindowUpdate(stream_id, 65_535))

    with pytest.raises(ProtocolError, match="2147483647 is the most") as refused:
        server.say(spoken)

    assert refused.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_message_larger_than_the_window_is_credited_while_it_grows() -> None:
    server = Server()
    stream_id = server.call()
    server.say(server.opening(stream_id))
    server.heard()
    body = envelope(b"x" * (3 * STREAM_WINDOW_BYTES))
    allowed = STREAM_WINDOW_BYTES
    events: list[Event] = []

    while body:
        assert allowed > 0
        piece, body = body[: min(allowed, 60_000)], body[min(allowed, 60_000) :]
        events += server.say(frames.Data(stream_id, piece))
        allowed -= len(piece)
        allowed += sum(
            frame.increment
            for frame in server.heard()
            if isinstance(frame, frames.WindowUpdate) and frame.stream_id == stream_id
        )

    assert contents(events) == [b"x" * (3 * STREAM_WINDOW_BYTES)]


def test_messages_that_nobody_takes_stop_their_stream_and_no_other() -> None:
    server = Server()
    stream_id = server.call()
    server.say(server.opening(stream_id))
    server.heard()

    events: list[Event] = []
    for _ in range(16):
        events += server.say(frames.Data(stream_id, envelope(b"x" * 60_000)))
    assert [frame for frame in server.heard() if frame.stream_id == stream_id] == []

    for event in events:
        assert isinstance(event, Message)
        server.connection.take(event)
    credits = [frame.increment for frame in server.heard() if isinstance(frame, frames.WindowUpdate)]
    assert sum(credits) >= STREAM_WINDOW_BYTES // 2


def test_a_server_that_exceeds_a_window_is_refused() -> None:
    server = Server()
    stream_id = server.call()
    server.say(server.opening(stream_id))
    piece = frames.Data(stream_id, envelope(b"x" * 60_000))

    with pytest.raises(ProtocolError, match="through a window") as refused:
        server.say(*[piece] * 18)

    assert refused.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_cancelled_call_is_reset_and_silent() -> None:
    server = Server()
    stream_id = server.call()
    server.say(server.opening(stream_id))
    server.heard()

    server.connection.cancel(stream_id)
    server.connection.cancel(stream_id)

    assert server.heard() == [frames.RstStream(stream_id, ErrorCode.CANCEL)]
    assert server.say(frames.Data(stream_id, envelope(b"late")), server.trailers(stream_id)) == []


def test_a_cancelled_request_that_waits_for_the_connections_window_is_not_sent() -> None:
    server = Server()
    stream_id = server.call(b"x" * 100_000)
    server.say(frames.WindowUpdate(stream_id, 100_000))
    server.heard()

    server.connection.cancel(stream_id)
    server.say(frames.WindowUpdate(0, 100_000), frames.WindowUpdate(stream_id, 1))

    assert server.heard() == [frames.RstStream(stream_id, ErrorCode.CANCEL)]


def test_a_bad_frame_for_a_call_that_has_ended_changes_nothing() -> None:
    server = Server()
    stream_id = server.call()
    server.connection.cancel(stream_id)
    server.heard()

    nothing = bytes.fromhex("000004 08 00 00000001 00000000")

    assert server.connection.receive(nothing) == []
    assert server.heard() == []


def test_headers_of_a_cancelled_call_still_move_the_table() -> None:
    server = Server()
    cancelled, other = server.call(), server.call()
    server.connection.cancel(cancelled)

    server.say(frames.Headers(cancelled, OPENING))
    events = server.say(frames.Headers(other, b"\x88\xbe"), server.trailers(other))

    assert ends(events) == [(other, Code.OK, "")]


def test_an_answer_before_the_request_is_sent_stops_the_request() -> None:
    server = Server()
    stream_id = server.call(b"x" * 100_000)
    server.heard()

    events = server.say(
        frames.Headers(
            stream_id,
            HeaderEncoder().encode(
                [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", b"16")]
            ),
            end_stream=True,
        ),
        frames.WindowUpdate(0, 100_000),
        frames.WindowUpdate(stream_id, 100_000),
    )

    assert ends(events) == [(stream_id, Code.UNAUTHENTICATED, "")]
    assert server.heard() == [frames.RstStream(stream_id, ErrorCode.CANCEL)]


def test_a_bad_message_ends_its_call_and_tells_the_server() -> None:
    server = Server()
    stream_id = server.call()
    server.heard()

    events = server.say(server.opening(stream_id), frames.Data(stream_id, b"\1\0\0\0\0"))

    assert [code for _, code, _ in ends(events)] == [Code.INTERNAL]
    assert server.heard() == [frames.RstStream(stream_id, ErrorCode.CANCEL)]


def test_a_malformed_answer_breaks_its_call_and_no_other() -> None:
    server = Server()
    one, two = server.call(), server.call()
    server.heard()

    events = server.say(server.trailers(one), server.opening(two), server.trailers(two))

    assert ends(events) == [
        (one, Code.INTERNAL, "the server's answer is malformed: its headers do not begin with an HTTP status"),
        (two, Code.OK, ""),
    ]
    assert server.heard() == [frames.RstStream(one, ErrorCode.PROTOCOL_ERROR)]


def test_headers_too_large_end_their_call_and_no_other() -> None:
    server = Server()
    one, two = server.call(), server.call()
    piece = b"\x00\x01a\x7f\xf1\x2d" + b"x" * 6000
    blocks = [
        frames.Headers(one, piece, end_headers=False),
        *[frames.Continuation(one, piece, end_headers=False)] * 10,
        frames.Continuation(one, piece, end_headers=True),
    ]

    events = server.say(*blocks, server.opening(two), server.trailers(two))

    assert [(stream_id, code) for stream_id, code, _ in ends(events)] == [
        (one, Code.RESOURCE_EXHAUSTED),
        (two, Code.OK),
    ]


@pytest.mark.parametrize(
    ("error_code", "code"), [(ErrorCode.REFUSED_STREAM, Code.UNAVAILABLE), (ErrorCode.CANCEL, Code.CANCELLED)]
)
def test_a_reset_ends_its_call(error_code: ErrorCode, code: Code) -> None:
    server = Server()
    stream_id = server.call()

    events = server.say(frames.RstStream(stream_id, error_code), frames.RstStream(stream_id, error_code))

    assert ends(events) == [(stream_id, code, f"the server reset the call: {error_code.name}")]


def test_a_server_that_goes_away_finishes_what_it_began_and_takes_nothing_new() -> None:
    server = Server()
    begun, refused = server.call(), server.call()

    events = server.say(frames.GoAway(begun, ErrorCode.NO_ERROR, b"max_age"))
    later = server.say(server.opening(begun), server.trailers(begun))

    reason = "the server is closing the connection, saying NO_ERROR (max_age); try again on a new one"
    assert ends(events) == [(refused, Code.UNAVAILABLE, reason)]
    assert ends(later) == [(begun, Code.OK, "")]
    assert server.connection.closing == reason
    with pytest.raises(RpcError, match="is closing the connection"):
        server.call()


def test_the_end_of_the_connection_ends_all_calls_with_its_reason() -> None:
    server = Server()
    one, two = server.call(), server.call()
    server.say(frames.GoAway(99, ErrorCode.ENHANCE_YOUR_CALM, b"too_many_pings\x1b"))

    events = server.connection.receive_end("the server hung up")

    reason = "the server hung up after saying ENHANCE_YOUR_CALM (too_many_pings?)"
    assert ends(events) == [(one, Code.UNAVAILABLE, reason), (two, Code.UNAVAILABLE, reason)]
    with pytest.raises(RpcError, match="the server hung up"):
        server.call()


def test_closing_says_goodbye() -> None:
    server = Server()

    server.connection.close()

    assert server.heard() == [frames.GoAway(0, ErrorCode.NO_ERROR, b"the connection was closed")]


def test_no_more_calls_than_the_server_takes() -> None:
    server = Server({frames.MAX_CONCURRENT_STREAMS: 1})
    stream_id = server.call()

    with pytest.raises(RpcError, match="calls at a time on one connection is 1") as refused:
        server.call()
    assert server.connection.full
    server.say(server.opening(stream_id), server.trailers(stream_id))
    assert not server.connection.full

    assert refused.value.code is Code.RESOURCE_EXHAUSTED
    assert server.call() == 3


def test_a_request_too_large_is_not_begun() -> None:
    server = Server()

    with pytest.raises(RpcError, match="at most 33554432 can be sent"):
        server.call(bytes(MAX_MESSAGE_BYTES + 1))

    assert server.heard() == []


@pytest.mark.parametrize(
    "spoken",
    [
        pytest.param(frames.Data(1, b""), id="data"),
        pytest.param(frames.Headers(1, b""), id="headers"),
        pytest.param(frames.RstStream(3, 0), id="reset"),
        pytest.param(frames.WindowUpdate(5, 1), id="window"),
        pytest.param(frames.Headers(2, b""), id="a stream of its own"),
    ],
)
def test_a_stream_that_nobody_opened_is_refused(spoken: frames.Frame) -> None:
    server = Server()

    with pytest.raises(ProtocolError, match=f"stream {spoken.stream_id}, which nobody opened"):
        server.say(spoken)


def test_a_server_is_told_what_it_did_wrong() -> None:
    server = Server()

    with pytest.raises(ProtocolError):
        server.connection.receive(frames.Ping(b"1234567").serialize())

    (last_words,) = server.heard()
    assert last_words == frames.GoAway(0, ErrorCode.FRAME_SIZE_ERROR, b"a PING frame has 7 bytes instead of 8")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP/1 instead of gRPC"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS"),
        (frames.Ping(b"12345678").serialize(), "did not begin with its settings"),
        (frames.Settings(ack=True).serialize(), "did not begin with its settings"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "announces 5460808 bytes"),
    ],
)
def test_a_server_that_is_none_is_recognised(answer: bytes, reason: str) -> None:
    connection = ClientConnection()
    connection.receive(answer[:3])

    with pytest.raises(ProtocolError, match=reason):
        connection.receive(answer[3:])


@settings(deadline=None)
@given(st.booleans(), st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_do_worse_than_a_protocol_error(greeted: bool, pieces: list[bytes]) -> None:
    connection = Server().connection if greeted else ClientConnection()
    connection.request("/service/Method", "localhost", b"")

    for piece in pieces:
        try:
            connection.receive(piece)
        except ProtocolError:
            break

    connection.data_to_send()


@settings(deadline=None)
@given(st.lists(any_frame(STREAM_IDS) | SENSIBLE_FRAMES, max_size=20))
def test_no_frames_do_worse_than_a_protocol_error(spoken: list[frames.Frame]) -> None:
    server = Server()
    calls = {server.call(), server.call()}

    for frame in spoken:
        try:
            events = server.say(frame)
        except ProtocolError:
            break
        for event in events:
            assert event.stream_id in calls
            if isinstance(event, Ended):
                calls.remove(event.stream_id)

    for stream_id, _, _ in ends(server.connection.receive_end("over")):
        calls.remove(stream_id)
    assert calls == set()
