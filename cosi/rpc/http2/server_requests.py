"""The asking half of a server's end of a connection: from the frames of requests to events.

    HEADERS(end)                          a call without a message
    HEADERS ── DATA* ── DATA(end)         its messages, cut as the client liked
    HEADERS ── DATA* ── HEADERS(end)      the same with trailers, which say nothing to gRPC

What can't be served is answered here, in the client's own language: gRPC, or plain HTTP once its request is over.
"""

from collections.abc import Callable

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode, StreamError
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.head_reader import HeadReader
from cosi.rpc.http2.patience import Patience
from cosi.rpc.http2.request_head import GrpcRefusal, HttpRefusal
from cosi.rpc.http2.server_answers import ServerAnswers
from cosi.rpc.http2.server_events import Began, Cancelled, RequestEnded, RequestMessage, ServerEvent
from cosi.rpc.http2.server_stream import Refused, ServerStream
from cosi.rpc.http2.windows import ReceiveWindow


class ServerRequests(ServerAnswers):
    """The requests of one connection. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float], allowance: limits.Allowance) -> None:
        super().__init__(Patience(clock), allowance)
        self._reader = FrameReader(max_frame_bytes=limits.MAX_FRAME_BYTES)
        self._heads = HeadReader()
        self._uncredited_bytes = 0

    def _handle_headers(self, frame: frames.Headers, events: list[ServerEvent]) -> None:
        stream_id = frame.stream_id
        overhead_bytes = self._reader.frame_bytes - frames.FRAME_HEADER.size - len(frame.block)
        if overhead_bytes:
            self._patience.spend(overhead_bytes)
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._handle_trailers(frame, stream, events)
            return
        if self._ids.ignores(stream_id):
            self._heads.skip(frame)
            return
        self._ids.open(stream_id)
        head = self._heads.read(frame)
        if self._refusing or len(self._streams) >= self.allowance.streams:
            raise StreamError(ErrorCode.REFUSED_STREAM, "no more streams are accepted now", stream_id=stream_id)
        stream = ServerStream(stream_id, self._writer.initial_window_bytes, head)
        if frame.end_stream:
            stream.count(0, end_stream=True)
            stream.ended = True
        self._streams[stream_id] = stream
        if head.refusal is None:
            events.append(Began(stream_id, head))
        elif isinstance(head.refusal, GrpcRefusal):
            self._refuse(stream, head.refusal)
        if frame.end_stream:
            self._end_request(stream, events)

    def _handle_trailers(self, frame: frames.Headers, stream: ServerStream, events: list[ServerEvent]) -> None:
        if stream.ended:
            self._heads.skip(frame)
        self._require_request_open(stream)
        self._heads.read_trailers(frame)
        stream.count(0, end_stream=True)
        self._end_request(stream, events)

    def _handle_data(self, frame: frames.Data, events: list[ServerEvent]) -> None:
        stream_id, data = frame.stream_id, frame.data
        self._credit_connection(frame.flow_bytes)
        if frame.padding is not None or not (data or frame.end_stream):
            self._patience.spend(self._reader.frame_bytes - len(data))
        stream = self._streams.get(stream_id)
        if stream is None:
            self._ids.require_ignored(stream_id)
            return
        self._require_request_open(stream)
        stream.count(len(data), end_stream=frame.end_stream)
        if stream.answered or stream.head.refusal is not None:
            self._discard(stream, events, end_stream=frame.end_stream)
            return
        if stream.window is not None or not frame.end_stream:
            self._spend_window(stream, frame.flow_bytes)
        try:
            messages = stream.receive(data)
            if not frame.end_stream:
                stream.untaken_bytes += stream.hold(messages)
            self._recount(stream)
        except Refused as refused:
            stream.ended = frame.end_stream
            self._refuse(stream, refused.refusal)
            events.append(Cancelled(stream_id, refused.refusal.message))
            return
        last = len(messages) - 1 if frame.end_stream and not stream.partial else -1
        events += [RequestMessage(stream_id, message, last=index == last) for index, message in enumerate(messages)]
        if frame.end_stream and last >= 0:
            stream.ended = True
        elif frame.end_stream:
            self._end_request(stream, events)
        else:
            self._credit(stream)

    def _end_request(self, stream: ServerStream, events: list[ServerEvent]) -> None:
        stream.ended = True
        if stream.answered:
            return
        if isinstance(stream.head.refusal, HttpRefusal):
            self._answer_in_words(stream, stream.head.refusal)
            return
        try:
            stream.require_whole()
        except Refused as refused:
            self._refuse(stream, refused.refusal)
            events.append(Cancelled(stream.id, refused.refusal.message))
        else:
            events.append(RequestEnded(stream.id))

    def _discard(self, stream: ServerStream, events: list[ServerEvent], *, end_stream: bool) -> None:
        """Skip a part of a request whose answer is known."""
        if end_stream:
            self._end_request(stream, events)
        elif (
            stream.received_bytes > limits.MAX_DISCARDED_BYTES
            and isinstance(stream.head.refusal, HttpRefusal)
            and not stream.answered
        ):
            self._answer_in_words(stream, stream.head.refusal)

    def _require_request_open(self, stream: ServerStream) -> None:
        if stream.ended:
            message = f"the request of stream {stream.id} goes on after its end"
            raise StreamError(ErrorCode.STREAM_CLOSED, message, stream_id=stream.id)

    def _credit_connection(self, flow_bytes: int) -> None:
        self._uncredited_bytes += flow_bytes
        if self._uncredited_bytes * 2 > limits.CONNECTION_WINDOW_BYTES:
            self._writer.reply(frames.WindowUpdate(0, self._uncredited_bytes))
            self._uncredited_bytes = 0

    def _spend_window(self, stream: ServerStream, flow_bytes: int) -> None:
        # Made only for requests that come in parts: most are one frame.
        if stream.window is None:
            stream.window = ReceiveWindow(limits.STREAM_WINDOW_BYTES)
        stream.window.receive(flow_bytes)

    @staticmethod
    def _has_begun(stream: ServerStream) -> bool:
        """Tell whether somebody was told of the call, and has not answered it."""
        return stream.head.refusal is None and not stream.answered
