"""Whatever the client allows, in whatever order: every byte of every answer arrives once, in order, not too early."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.server_events import Writable
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import Peer, request

SIZES = st.sampled_from([0, 1, 7, 100, 5000, 16_384, 20_000, 70_000])
WINDOWS = st.sampled_from([0, 1, 10, 1000, 65_535, 100_000, frames.MAX_WINDOW_BYTES // 2])
INCREMENTS = st.sampled_from([1, 3, 500, 16_384, 65_535, 200_000])
STREAMS = st.sampled_from([1, 3, 5, 7])


class Conversation(RuleBasedStateMachine):
    """Four calls that are answered at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.peer = Peer()
        self.peer.send(*(request(stream_id, end=True) for stream_id in (1, 3, 5, 7)))
        self.sent: dict[int, bytes] = dict.fromkeys((1, 3, 5, 7), b"")
        self.waiting: set[int] = set()
        self.finished: set[int] = set()
        self.cancelled: set[int] = set()
        self.messages = 0

    @initialize(window=WINDOWS)
    def greet(self, window: int) -> None:
        self.hear(frames.Settings({frames.INITIAL_WINDOW_SIZE: window}))

    def hear(self, *spoken: frames.Frame) -> None:
        for event in self.peer.send(*spoken):
            if isinstance(event, Writable):
                assert event.stream_id not in self.finished
                self.waiting.remove(event.stream_id)

    @rule(stream_id=STREAMS, size=SIZES)
    def send(self, stream_id: int, size: int) -> None:
        if stream_id in self.finished | self.cancelled:
            return
        self.messages += 1
        body = envelope(b"%d " % self.messages * (size // 4))
        self.sent[stream_id] += body
        if not self.peer.connection.send(stream_id, body):
            self.waiting.add(stream_id)
        else:
            assert stream_id not in self.waiting, "the answer overtook what waited before it"

    @rule(stream_id=STREAMS)
    def finish(self, stream_id: int) -> None:
        if stream_id not in self.finished | self.cancelled:
            self.peer.connection.finish(stream_id, Code.OK)
            self.finished.add(stream_id)
            self.waiting.discard(stream_id)

    @rule(stream_id=STREAMS)
    def cancel(self, stream_id: int) -> None:
        if not self.peer.answer(stream_id).ended and stream_id not in self.cancelled:
            self.waiting.discard(stream_id)
            self.cancelled.add(stream_id)
            self.hear(frames.RstStream(stream_id, ErrorCode.CANCEL))

    @rule(stream_id=STREAMS, increment=INCREMENTS)
    def allow_stream(self, stream_id: int, increment: int) -> None:
        self.hear(frames.WindowUpdate(stream_id, increment))

    @rule(increment=INCREMENTS)
    def allow_connection(self, increment: int) -> None:
        self.hear(frames.WindowUpdate(0, increment))

    @rule(window=WINDOWS)
    def change_window(self, window: int) -> None:
        self.hear(frames.Settings({frames.INITIAL_WINDOW_SIZE: window}))

    @rule(size=st.sampled_from([16_384, 16_385, 50_000]))
    def change_frame_size(self, size: int) -> None:
        self.hear(frames.Settings({frames.MAX_FRAME_SIZE: size}))

    @precondition(lambda self: self.waiting)
    @rule()
    def allow_everything(self) -> None:
        self.hear(frames.WindowUpdate(0, 1_000_000), frames.Settings({frames.INITIAL_WINDOW_SIZE: 2**30}))
        assert not self.waiting

    @invariant()
    def what_arrived_is_what_was_sent(self) -> None:
        for stream_id, sent in self.sent.items():
            answer = self.peer.answer(stream_id)
            assert sent.startswith(answer.body)
            assert not answer.ended or answer.body == sent
            if stream_id not in self.cancelled and len(answer.body) < len(sent):
                idle = min(self.peer.hearing.windows[0], self.peer.hearing.window_of(stream_id))
                assert idle <= 0, f"stream {stream_id} waits though both windows are open"

    def teardown(self) -> None:
        assert not self.peer.connection.closed
        self.hear(frames.WindowUpdate(0, 2**30), frames.Settings({frames.INITIAL_WINDOW_SIZE: 2**30}))
        for stream_id, sent in self.sent.items():
            if stream_id not in self.cancelled:
                assert self.peer.answer(stream_id).body == sent
                assert self.peer.answer(stream_id).ended == (stream_id in self.finished)


TestConversation = Conversation.TestCase


@given(st.lists(st.integers(1, 5000), max_size=60), st.binary(min_size=1, max_size=30_000))
def test_credits_of_any_size_bring_the_answer_as_far_as_they_reach(credits: list[int], content: bytes) -> None:
    peer = Peer({frames.INITIAL_WINDOW_SIZE: 0})
    peer.send(request(1, end=True))
    body = envelope(content)
    peer.connection.respond(1, body)

    for increment in credits:
        peer.send(frames.WindowUpdate(1, increment))

    assert peer.answer(1).body == body[: sum(credits)]
