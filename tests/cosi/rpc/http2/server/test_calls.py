"""Calls from their first frame to their last: the four shapes, statuses, and who may end a call how."""

import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import encode_block
from cosi.rpc.http2.server_events import Began, Cancelled, RequestEnded, RequestMessage
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import PATH, Peer, message, request

END = frames.Data(1, b"", end_stream=True)


def test_one_question_one_answer() -> None:
    peer = Peer()

    began, question = peer.send(request(1), message(1, b"question", end=True))
    peer.connection.respond(1, envelope(b"answer"))

    assert isinstance(began, Began)
    assert began.head.path == PATH
    assert isinstance(question, RequestMessage)
    assert question.last
    answer = peer.answer(1)
    assert answer.headers == {":status": "200", "content-type": "application/grpc"}
    assert answer.contents == [b"answer"]
    assert answer.trailers == {"grpc-status": "0"}
    assert peer.connection.open_streams == 0


def test_one_question_many_answers() -> None:
    peer = Peer()
    peer.send(request(1), message(1, b"question", end=True))

    assert peer.connection.send(1, envelope(b"one") + envelope(b"two"))
    assert peer.answer(1).contents == [b"one", b"two"]
    assert peer.connection.send(1, envelope(b"three"))
    peer.connection.finish(1, Code.OK)

    assert peer.answer(1).contents == [b"one", b"two", b"three"]
    assert peer.answer(1).code is Code.OK


def test_many_questions_one_answer() -> None:
    peer = Peer()

    peer.send(request(1), message(1, b"one"))
    peer.send(message(1, b"two"), message(1, b"three"))
    (ended,) = peer.send(END)
    peer.connection.respond(1, envelope(b"answer"))

    assert isinstance(ended, RequestEnded)
    assert peer.contents(1) == [b"one", b"two", b"three"]
    assert peer.answer(1).contents == [b"answer"]


def test_questions_and_answers_in_turns() -> None:
    peer = Peer()
    peer.send(request(1))

    for content in (b"a", b"b", b"c"):
        peer.send(message(1, content))
        peer.connection.send(1, envelope(content * 2))
        assert peer.answer(1).contents[-1] == content * 2
    peer.send(END)
    peer.connection.finish(1, Code.OK)

    assert peer.contents(1) == [b"a", b"b", b"c"]
    assert peer.answer(1).code is Code.OK
    assert peer.answer(1).reset is None


def test_many_calls_at_once_keep_to_themselves() -> None:
    peer = Peer()
    calls = range(1, 200, 2)

    peer.send(*(request(stream_id) for stream_id in calls))
    peer.send(*(message(stream_id, b"%d" % stream_id, end=True) for stream_id in reversed(calls)))
    for stream_id in calls:
        peer.connection.respond(stream_id, envelope(b"".join(peer.contents(stream_id))))

    assert [peer.answer(stream_id).contents for stream_id in calls] == [[b"%d" % stream_id] for stream_id in calls]


@pytest.mark.parametrize(
    "spoken",
    [
        pytest.param([request(1, end=True)], id="with the headers"),
        pytest.param([request(1), END], id="with an empty frame"),
        pytest.param([request(1), frames.Data(1, b"", end_stream=True, padding=9)], id="with padding"),
        pytest.param(
            [request(1), frames.Headers(1, encode_block([(b"x", b"y")]), end_stream=True)], id="with trailers"
        ),
    ],
)
def test_a_request_may_end_without_a_message(spoken: list[frames.Frame]) -> None:
    peer = Peer()

    _, ended = peer.send(*spoken)

    assert isinstance(ended, RequestEnded)


@pytest.mark.parametrize("answered_before", [False, True])
def test_a_call_that_is_finished_while_its_request_goes_on_is_reset_in_good_order(answered_before: bool) -> None:
    peer = Peer()
    peer.send(request(1), message(1, b"one"))

    if answered_before:
        peer.connection.send(1, envelope(b"enough"))
    peer.connection.finish(1, Code.OK)

    assert peer.answer(1).ended
    assert peer.answer(1).reset == ErrorCode.NO_ERROR
    assert peer.send(message(1, b"two"), END) == []
    assert peer.connection.open_streams == 0


def test_a_response_to_a_request_that_goes_on_resets_it_in_good_order() -> None:
    peer = Peer()
    peer.send(request(1))

    peer.connection.respond(1, envelope(b"answer"))

    assert peer.answer(1).contents == [b"answer"]
    assert peer.answer(1).reset == ErrorCode.NO_ERROR


def test_a_cancelled_call_hears_nothing_more() -> None:
    peer = Peer()
    peer.send(request(1), message(1, end=True), request(3, end=True))

    (event,) = peer.send(frames.RstStream(1, ErrorCode.CANCEL))
    assert peer.connection.send(1, envelope(b"late")) in (True, False)
    peer.connection.finish(1, Code.OK)
    peer.connection.respond(1, envelope(b"late"))
    peer.connection.taken(1, b"")

    assert isinstance(event, Cancelled)
    assert peer.heard() == []
    assert peer.connection.open_streams == 1


def test_a_call_that_was_answered_hears_nothing_more() -> None:
    peer = Peer()
    peer.send(request(1, end=True))
    peer.connection.respond(1, envelope(b"answer"))
    peer.heard()

    peer.connection.send(1, envelope(b"more"))
    peer.connection.finish(1, Code.INTERNAL)
    peer.connection.respond(1, envelope(b"again"))

    assert peer.heard() == []


def test_streams_that_never_were_hear_nothing() -> None:
    peer = Peer()

    peer.connection.send(7, envelope(b"hello"))
    peer.connection.respond(9, envelope(b"hello"))
    peer.connection.finish(11, Code.OK)
    peer.connection.taken(13, b"hello")

    assert peer.heard() == []


def test_a_cancellation_that_comes_with_its_request_is_told_behind_it() -> None:
    peer = Peer()

    began, question, cancelled = peer.send(
        request(1), message(1, b"question", end=True), frames.RstStream(1, ErrorCode.CANCEL)
    )

    assert isinstance(began, Began)
    assert isinstance(question, RequestMessage)
    assert isinstance(cancelled, Cancelled)


def test_a_lost_connection_cancels_what_was_open_and_nothing_that_was_over() -> None:
    peer = Peer()
    peer.send(request(1, end=True), request(3, end=True), request(5), request(7))
    peer.connection.respond(3, envelope(b"answer"))
    peer.send(frames.RstStream(7, ErrorCode.CANCEL))

    events = peer.send(frames.Ping(b"!").serialize())

    assert {event.stream_id for event in events if isinstance(event, Cancelled)} == {1, 5}
    assert peer.goodbye().last_stream_id == 7
