"""Reads what a server says as strictly as HTTP/2 lets a client be: what is against the rules fails the test at once.

Held against RFC 9113 are the size of every frame (4.2), both windows (6.9), the order of frames on a stream (5.1, 8.1),
and that every acknowledgement was asked for. A setting counts from its acknowledgement on, which is exact: what stands
before the acknowledgement was sent under the old settings.
"""

from collections import defaultdict, deque
from urllib.parse import unquote

from cosi.rpc.http2 import frames
from cosi.rpc.http2.frame_parser import parse_header
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.grpc_request import ENVELOPE
from cosi.rpc.http2.hpack import HeaderDecoder
from cosi.rpc.http2.status import Code


class Answer:
    """What has been heard on one stream."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.trailers: dict[str, str] = {}
        self.ended = False
        self.reset: int | None = None

    @property
    def code(self) -> Code | None:
        """The gRPC status, if the answer has come to one."""
        status = (self.trailers or self.headers).get("grpc-status")
        return None if status is None else Code(int(status))

    @property
    def message(self) -> str:
        """The text that goes with the status, as a user reads it."""
        return unquote((self.trailers or self.headers).get("grpc-message", ""))

    @property
    def contents(self) -> list[bytes]:
        """The whole messages of the body."""
        contents, position = [], 0
        while position < len(self.body):
            compressed, length = ENVELOPE.unpack_from(self.body, position)
            assert not compressed
            start = position + ENVELOPE.size
            contents.append(self.body[start : start + length])
            assert len(contents[-1]) == length, "the body ends inside a message"
            position = start + length
        return contents

    def take_headers(self, headers: list[tuple[bytes, bytes]], *, end_stream: bool) -> None:
        assert not self.ended, "headers came behind the end of an answer"
        fields = {name.decode("ascii"): value.decode("ascii") for name, value in headers}
        assert len(fields) == len(headers), f"a header comes twice in {headers}"
        if self.headers:
            assert end_stream, "trailers did not end their answer"
            assert ":status" not in fields
            self.trailers = fields
        else:
            assert headers[0][0] == b":status"
            self.headers = fields
        self.ended = end_stream

    def take_data(self, frame: frames.Data) -> None:
        assert self.headers, "data came before headers"
        assert not self.ended, "data came behind the end of an answer"
        self.body += frame.data
        self.ended = frame.end_stream


class Hearing:
    """The hearing half of a client."""

    def __init__(self) -> None:
        self.answers: dict[int, Answer] = {}
        self.windows: defaultdict[int, int] = defaultdict(int)
        """What each stream may still send beyond `initial_window_bytes`; 0 is the connection, without that addition."""
        self.windows[0] = DEFAULT_WINDOW_BYTES
        self.initial_window_bytes = DEFAULT_WINDOW_BYTES
        self.max_frame_bytes = frames.DEFAULT_MAX_FRAME_BYTES
        self.unanswered_pings: deque[bytes] = deque()
        self._unacknowledged: deque[dict[int, int]] = deque()
        self._reader = FrameReader(max_frame_bytes=frames.LARGEST_MAX_FRAME_BYTES)
        self._decoder = HeaderDecoder(max_list_bytes=1 << 20)
        self._over = False

    def note_said(self, data: bytes) -> None:
        """Remember what the client says, as far as it bears on what it may hear."""
        data = data.removeprefix(frames.PREFACE)
        position = 0
        while position + frames.FRAME_HEADER.size <= len(data):
            length, frame_type, flags, stream_id = parse_header(data, position)
            position += frames.FRAME_HEADER.size
            payload = data[position : position + length]
            position += length
            if len(payload) < length:
                return
            if frame_type == frames.SETTINGS and not flags & frames.ACK and length % frames.SETTING.size == 0:
                self._unacknowledged.append(dict(frames.SETTING.iter_unpack(payload)))
            elif frame_type == frames.PING and not flags & frames.ACK:
                self.unanswered_pings.append(payload)
            elif frame_type == frames.WINDOW_UPDATE and length == frames.UINT32.size:
                self.windows[stream_id] += frames.UINT32.unpack(payload)[0] & frames.MAX_WINDOW_BYTES

    def hear(self, data: bytes) -> list[frames.Frame]:
        """Take whole frames, and return them; header blocks come joined."""
        heard: list[frames.Frame] = []
        position = 0
        frame: frames.Frame | None = None
        while position < len(data):
            assert not self._over, "something came behind the last GOAWAY"
            length = parse_header(data, position)[0]
            assert length <= self.max_frame_bytes, "a frame is larger than the client accepts"
            end = position + frames.FRAME_HEADER.size + length
            assert end <= len(data), "the bytes end inside a frame"
            self._reader.feed(data[position:end])
            position = end
            if frame := self._reader.next_frame():
                self._take(frame)
                heard.append(frame)
        assert frame or not data, "the bytes end inside a header block"
        return heard

    def _take(self, frame: frames.Frame) -> None:
        answer = self.answers.setdefault(frame.stream_id, Answer()) if frame.stream_id else None
        if answer is not None:
            assert answer.reset is None, f"{frame} came behind the reset of its stream"
        match frame:
            case frames.Headers():
                assert answer is not None
                answer.take_headers(self._decoder.decode(frame.block), end_stream=frame.end_stream)
            case frames.Data():
                assert answer is not None
                answer.take_data(frame)
                self._spend(frame)
            case frames.RstStream():
                assert answer is not None
                answer.reset = frame.code
            case frames.Settings(ack=True):
                self._apply(self._unacknowledged.popleft())
            case frames.Ping(ack=True):
                assert frame.payload == self.unanswered_pings.popleft()
            case frames.GoAway():
                self._over = bool(frame.code)
            case _:
                assert isinstance(frame, frames.Settings | frames.Ping | frames.WindowUpdate), frame

    def _spend(self, frame: frames.Data) -> None:
        if not frame.flow_bytes:
            return
        for window in (0, frame.stream_id):
            self.windows[window] -= frame.flow_bytes
        assert self.windows[0] >= 0, "the server overran the connection's window"
        assert self.window_of(frame.stream_id) >= 0, "the server overran the stream's window"

    def window_of(self, stream_id: int) -> int:
        """What a stream may still send, the connection's window left aside."""
        return self.initial_window_bytes + self.windows[stream_id]

    def _apply(self, values: dict[int, int]) -> None:
        self.initial_window_bytes = values.get(frames.INITIAL_WINDOW_SIZE, self.initial_window_bytes)
        self.max_frame_bytes = values.get(frames.MAX_FRAME_SIZE, self.max_frame_bytes)
