"""What is due to the peer, within what the peer allows."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES, MAX_UNSENT_REPLY_BYTES, FrameWriter, SendStream

FRAME_BYTES = frames.DEFAULT_MAX_FRAME_BYTES
ENDING = frames.Headers(1, b"\x88", end_stream=True)


def fetch_frames(writer: FrameWriter) -> list[frames.Frame]:
    reader = FrameReader(max_frame_bytes=frames.LARGEST_MAX_FRAME_BYTES)
    reader.feed(writer.fetch())
    fetched = []
    while (frame := reader.next_frame()) is not None:
        fetched.append(frame)
    return fetched


def body_of(fetched: list[frames.Frame]) -> bytes:
    return b"".join(frame.data for frame in fetched if isinstance(frame, frames.Data))


def stuck(writer: FrameWriter) -> SendStream:
    """Use up the connection's window, and let a stream wait for it."""
    writer.send(writer.open(97), b"x" * DEFAULT_WINDOW_BYTES)
    writer.fetch()
    stream = writer.open(99)
    assert not writer.send(stream, b"y")
    return stream


def test_bytes_are_fetched_once() -> None:
    writer = FrameWriter()
    writer.write(b"abc")

    assert writer.fetch() == b"abc"
    assert writer.fetch() == b""


def test_a_body_is_cut_to_frames_and_its_last_one_ends_the_stream() -> None:
    writer = FrameWriter()

    assert writer.send(writer.open(1), b"x" * 20_000, ending=b"")

    assert fetch_frames(writer) == [frames.Data(1, b"x" * 16_384), frames.Data(1, b"x" * 3_616, end_stream=True)]


def test_a_body_may_come_in_parts_and_ends_with_a_frame_of_its_own() -> None:
    writer = FrameWriter()
    stream = writer.open(1)

    assert writer.send(stream, b"one")
    assert writer.send(stream, b"two")
    assert writer.send(stream, b"", ending=ENDING.serialize())

    assert fetch_frames(writer) == [frames.Data(1, b"one"), frames.Data(1, b"two"), ENDING]


def test_a_body_waits_for_both_windows() -> None:
    writer = FrameWriter()
    stream = writer.open(1)
    assert not writer.send(stream, b"x" * (DEFAULT_WINDOW_BYTES + 10), ending=b"")
    assert len(body_of(fetch_frames(writer))) == DEFAULT_WINDOW_BYTES

    assert not writer.grow_stream(stream, 10)
    assert fetch_frames(writer) == []

    assert writer.grow(10) == [stream]
    assert fetch_frames(writer) == [frames.Data(1, b"x" * 10, end_stream=True)]


def test_a_window_that_opens_is_told_to_who_waited_for_it() -> None:
    writer = FrameWriter()
    writer.grow(DEFAULT_WINDOW_BYTES)
    stream = writer.open(1)
    writer.send(stream, b"x" * (DEFAULT_WINDOW_BYTES + 10))

    assert not writer.grow_stream(stream, 9)
    assert writer.grow_stream(stream, 9)
    assert not writer.grow_stream(stream, 9), "nothing waited for this one"


@pytest.mark.parametrize("last", ["connection", "stream"])
def test_what_ends_a_stream_waits_for_its_last_byte_whichever_window_opens_last(last: str) -> None:
    writer = FrameWriter()
    stream = writer.open(1)
    writer.send(stream, b"x" * (DEFAULT_WINDOW_BYTES + 10))
    assert not writer.send(stream, b"", ending=ENDING.serialize())
    assert ENDING not in fetch_frames(writer)

    if last == "connection":
        assert not writer.grow_stream(stream, 10)
        assert writer.grow(10) == [stream]
    else:
        assert writer.grow(10) == []
        assert writer.grow_stream(stream, 10)

    assert fetch_frames(writer) == [frames.Data(1, b"x" * 10), ENDING]


def test_what_comes_later_goes_out_behind_what_waits() -> None:
    writer = FrameWriter()
    stream = stuck(writer)

    assert not writer.send(stream, b"later")
    writer.grow(100)

    assert fetch_frames(writer) == [frames.Data(99, b"ylater")]


def test_new_settings_move_the_windows_of_streams_under_way() -> None:
    writer = FrameWriter()
    writer.grow(DEFAULT_WINDOW_BYTES)
    stream = writer.open(1)
    writer.send(stream, b"x" * (DEFAULT_WINDOW_BYTES + 100), ending=b"")
    fetch_frames(writer)

    assert writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: DEFAULT_WINDOW_BYTES - 50}), [stream]) == []
    writer.grow_stream(stream, 60)
    assert body_of(fetch_frames(writer)) == b"x" * 10

    assert writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: DEFAULT_WINDOW_BYTES + 50}), [stream]) == [stream]
    assert body_of(fetch_frames(writer)) == b"x" * 90


def test_new_settings_are_the_windows_of_new_streams() -> None:
    writer = FrameWriter()

    writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: 7}), [])

    assert writer.open(1).window_bytes == writer.initial_window_bytes == 7


def test_a_larger_frame_size_is_used() -> None:
    writer = FrameWriter()
    writer.apply(frames.Settings({frames.MAX_FRAME_SIZE: 32_768}), [])

    writer.send(writer.open(1), b"x" * 32_768, ending=b"")

    assert fetch_frames(writer) == [frames.Data(1, b"x" * 32_768, end_stream=True)]


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES, 40_000])
def test_a_header_block_arrives_whole_in_frames_that_the_peer_takes(size: int) -> None:
    block = bytes(range(256)) * 200
    reader = FrameReader()

    reader.feed(FrameWriter().headers_frames(1, block[:size], end_stream=True))

    assert reader.next_frame() == frames.Headers(1, block[:size], end_stream=True)
    assert reader.next_frame() is None


def test_a_dropped_body_sends_nothing_more() -> None:
    writer = FrameWriter()
    stream = writer.open(1)
    writer.send(stream, b"x" * (DEFAULT_WINDOW_BYTES + 10), ending=ENDING.serialize())
    writer.fetch()

    writer.drop(stream)

    assert not writer.grow_stream(stream, 100)
    assert writer.grow(100) == []
    assert writer.fetch() == b""


def test_a_dropped_body_leaves_the_window_to_others() -> None:
    writer = FrameWriter()
    stream = stuck(writer)
    other = writer.open(1)
    writer.send(other, b"z")

    writer.drop(stream)
    writer.grow(1)

    assert fetch_frames(writer) == [frames.Data(1, b"z")]


def test_a_stream_whose_own_window_is_closed_holds_up_nobody() -> None:
    writer = FrameWriter()
    closed, other = writer.open(1), writer.open(3)
    writer.send(closed, b"x" * DEFAULT_WINDOW_BYTES)
    writer.send(closed, b"more")
    writer.send(other, b"y" * 100)
    writer.fetch()

    assert writer.grow(100) == [other]
    assert fetch_frames(writer) == [frames.Data(3, b"y" * 100)]


def test_a_stream_whose_window_was_closed_while_it_waited_holds_up_nobody() -> None:
    writer = FrameWriter()
    closed = stuck(writer)
    other = writer.open(1)
    writer.send(other, b"z")

    writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: 0}), [closed])

    assert writer.grow(100) == [other]
    assert fetch_frames(writer) == [frames.Data(1, b"z")]


def test_what_fits_goes_out_in_one_go() -> None:
    writer = FrameWriter()
    stream = writer.open(1)
    assert writer.fits(stream, 5)

    writer.write_fitting(stream, frames.Headers(1, b"\x88").serialize(), b"hello", ENDING.serialize())

    assert fetch_frames(writer) == [frames.Headers(1, b"\x88"), frames.Data(1, b"hello"), ENDING]
    assert stream.window_bytes == DEFAULT_WINDOW_BYTES - 5


def test_what_fits_takes_from_the_connections_window() -> None:
    writer = FrameWriter()
    for _ in range(DEFAULT_WINDOW_BYTES // FRAME_BYTES):
        writer.write_fitting(writer.open(1), b"", b"x" * FRAME_BYTES, b"")

    assert writer.fits(writer.open(3), DEFAULT_WINDOW_BYTES % FRAME_BYTES)
    assert not writer.fits(writer.open(3), DEFAULT_WINDOW_BYTES % FRAME_BYTES + 1)


def test_nothing_fits_that_is_larger_than_a_frame() -> None:
    writer = FrameWriter()

    assert writer.fits(writer.open(1), FRAME_BYTES)
    assert not writer.fits(writer.open(1), FRAME_BYTES + 1)


def test_nothing_fits_that_is_larger_than_a_window() -> None:
    writer = FrameWriter()
    writer.send(writer.open(1), b"x" * (DEFAULT_WINDOW_BYTES - 50))
    assert writer.fits(writer.open(3), 50)
    assert not writer.fits(writer.open(3), 51)

    writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: 10}), [])
    assert writer.fits(writer.open(5), 10)
    assert not writer.fits(writer.open(5), 11)


def test_windows_may_be_as_large_as_http2_can_count() -> None:
    writer = FrameWriter()

    writer.grow(frames.MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)
    writer.grow_stream(writer.open(1), frames.MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)


def test_a_connection_window_that_outgrows_http2_is_refused() -> None:
    writer = FrameWriter()

    with pytest.raises(ProtocolError, match="2147483647 is the most") as refused:
        writer.grow(frames.MAX_WINDOW_BYTES)

    assert refused.value.code is ErrorCode.FLOW_CONTROL_ERROR
    assert not isinstance(refused.value, StreamError)


def test_a_stream_window_that_outgrows_http2_breaks_its_stream() -> None:
    writer = FrameWriter()
    stuck(writer)
    stream = writer.open(3)
    writer.send(stream, b"x", ending=b"")  # waits for the connection's window, its own untouched

    with pytest.raises(StreamError, match="2147483647 is the most") as refused:
        writer.grow_stream(stream, frames.MAX_WINDOW_BYTES)

    assert (refused.value.code, refused.value.stream_id) == (ErrorCode.FLOW_CONTROL_ERROR, 3)


def test_a_setting_that_makes_a_stream_window_outgrow_http2_breaks_the_connection() -> None:
    writer = FrameWriter()
    stream = writer.open(1)
    stream.grow(frames.MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)

    with pytest.raises(ProtocolError, match="stream 1 grew to 2147483648") as refused:
        writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: DEFAULT_WINDOW_BYTES + 1}), [stream])

    assert refused.value.code is ErrorCode.FLOW_CONTROL_ERROR
    assert not isinstance(refused.value, StreamError)


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


@given(
    st.lists(st.integers(1, 5 * FRAME_BYTES), min_size=2, max_size=6),
    st.lists(st.sampled_from([1, 100, FRAME_BYTES, 3 * FRAME_BYTES, 20 * FRAME_BYTES]), max_size=10),
)
def test_streams_that_wait_for_the_connection_take_turns(sizes: Sequence[int], increments: Sequence[int]) -> None:
    writer = FrameWriter()
    writer.drop(stuck(writer))
    writer.apply(frames.Settings({frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}), [])
    left = dict(enumerate(sizes, start=1))
    for stream_id, size in left.items():
        writer.send(writer.open(stream_id), b"x" * size)
    turns: Counter[int] = Counter()

    for increment in increments:
        writer.grow(increment)
        for frame in fetch_frames(writer):
            assert isinstance(frame, frames.Data)
            assert turns[frame.stream_id] == min(turns[stream_id] for stream_id in left), "somebody waits for longer"
            turns[frame.stream_id] += 1
            left[frame.stream_id] -= len(frame.data)
            if not left[frame.stream_id]:
                del left[frame.stream_id]


class Sender(RuleBasedStateMachine):
    """Three streams and a peer that moves all their windows; what comes out is held against plain sums."""

    stream_ids = st.sampled_from([1, 3, 5])
    amounts = st.sampled_from([1, 3, 1000, 16_384, 40_000, 200_000])
    pattern = bytes(range(251)) * 5000  # a byte says where it belongs

    def __init__(self) -> None:
        super().__init__()
        self.writer = FrameWriter()
        self.streams = {stream_id: self.writer.open(stream_id) for stream_id in (1, 3, 5)}
        self.given: dict[int, int] = defaultdict(int)
        self.arrived: dict[int, int] = defaultdict(int)
        self.endings: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.dropped: set[int] = set()
        self.frame_bytes = FRAME_BYTES
        self.initial = DEFAULT_WINDOW_BYTES
        self.window = DEFAULT_WINDOW_BYTES
        self.windows = dict.fromkeys(self.streams, DEFAULT_WINDOW_BYTES)

    @rule(stream_id=stream_ids, size=amounts, ending=st.sampled_from(["", "END_STREAM", "a frame"]))
    def send(self, stream_id: int, size: int, ending: str) -> None:
        if stream_id in self.endings or stream_id in self.dropped or self.given[stream_id] > 1_000_000:
            return
        if ending:
            trailers = frames.Headers(stream_id, b"\x88", end_stream=True).serialize()
            self.endings[stream_id] = b"" if ending == "END_STREAM" else trailers
        start, self.given[stream_id] = self.given[stream_id], self.given[stream_id] + size
        content = self.pattern[start : self.given[stream_id]]

        all_out = self.writer.send(self.streams[stream_id], content, ending=self.endings.get(stream_id))

        self.check({stream_id} if all_out else set(), waiting={stream_id})

    @rule(stream_id=stream_ids, size=amounts)
    def answer_in_one_go(self, stream_id: int, size: int) -> None:
        stream = self.streams[stream_id]
        fits = size <= min(self.windows[stream_id], self.window, self.frame_bytes)
        if self.given[stream_id] or stream_id in self.dropped or not fits:
            return
        assert self.writer.fits(stream, size)
        self.given[stream_id] = size
        self.endings[stream_id] = frames.Headers(stream_id, b"\x88", end_stream=True).serialize()

        self.writer.write_fitting(stream, b"", self.pattern[:size], self.endings[stream_id])

        self.check({stream_id}, waiting={stream_id})

    @rule(stream_id=stream_ids)
    def drop(self, stream_id: int) -> None:
        self.writer.drop(self.streams[stream_id])
        self.dropped.add(stream_id)
        self.check(set(), waiting=set())

    @rule(increment=amounts)
    def grow(self, increment: int) -> None:
        waiting = self.waiting()
        self.window += increment
        self.check({stream.id for stream in self.writer.grow(increment)}, waiting=waiting)

    @rule(stream_id=stream_ids, increment=amounts)
    def grow_stream(self, stream_id: int, increment: int) -> None:
        waiting = self.waiting()
        self.windows[stream_id] += increment
        drained = self.writer.grow_stream(self.streams[stream_id], increment)
        self.check({stream_id} if drained else set(), waiting=waiting)

    @rule(initial=st.sampled_from([0, 1, 1000, 65_535, 300_000]), frame_bytes=st.sampled_from([16_384, 20_000]))
    def apply(self, initial: int, frame_bytes: int) -> None:
        waiting = self.waiting()
        for stream_id in self.windows:
            self.windows[stream_id] += initial - self.initial
        self.initial, self.frame_bytes = initial, frame_bytes
        values = {frames.INITIAL_WINDOW_SIZE: initial, frames.MAX_FRAME_SIZE: frame_bytes}
        drained = self.writer.apply(frames.Settings(values), list(self.streams.values()))
        self.check({stream.id for stream in drained}, waiting=waiting)

    def teardown(self) -> None:
        for stream_id in self.streams:
            self.grow_stream(stream_id, 100_000_000)
        self.grow(100_000_000)
        assert not self.waiting()

    def waiting(self) -> set[int]:
        return {id for id in self.streams if id not in self.dropped and self.arrived[id] < self.given[id]}

    def check(self, drained: set[int], *, waiting: set[int]) -> None:
        for frame in fetch_frames(self.writer):
            assert frame.stream_id not in self.ended
            assert frame.stream_id not in self.dropped
            if isinstance(frame, frames.Data):
                self.arrive(frame)
            else:
                assert frame.serialize() == self.endings[frame.stream_id]
                assert self.arrived[frame.stream_id] == self.given[frame.stream_id], "the end overtook the body"
                self.ended.add(frame.stream_id)
        assert drained == waiting - self.waiting()
        for stream_id in self.streams.keys() - self.dropped:
            if stream_id in self.waiting():
                assert self.window == 0 or self.windows[stream_id] <= 0, "nothing stops it, and still it waits"
            else:
                assert (stream_id in self.ended) == (stream_id in self.endings)

    def arrive(self, frame: frames.Data) -> None:
        stream_id, size = frame.stream_id, len(frame.data)
        assert 0 < size <= min(self.frame_bytes, self.window, self.windows[stream_id])
        self.window -= size
        self.windows[stream_id] -= size
        start, self.arrived[stream_id] = self.arrived[stream_id], self.arrived[stream_id] + size
        assert frame.data == self.pattern[start : self.arrived[stream_id]]
        last = self.arrived[stream_id] == self.given[stream_id]
        assert frame.end_stream == (last and self.endings.get(stream_id) == b"")
        if frame.end_stream:
            self.ended.add(stream_id)


Sender.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
test_whatever_the_windows_do_every_byte_goes_out_once_in_order_and_as_soon_as_it_may = Sender.TestCase
