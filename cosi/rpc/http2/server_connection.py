"""The server's end of one HTTP/2 connection that carries gRPC calls: bytes in, events and bytes out.

                         ┌──────────────────┐
    respond, send, finish│                  │ data_to_send
    ────────────────────▶│ ServerConnection ├─────────────▶ to the client
      from the client    │                  │
    ────────────────────▶│                  ├─────────────▶ events
            receive      └──────────────────┘

It knows no socket; whoever owns it moves the bytes. What a client may make it hold or do is bounded in `limits`.
Nothing a client sends raises: what breaks a stream ends in RST_STREAM, what breaks the connection in GOAWAY and
`closed`. Who speaks HTTP but not gRPC is answered in words. Faithful to RFC 9113 and to gRPC's PROTOCOL-HTTP2.md.
"""

import time
from collections.abc import Callable, Iterable

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError, error_name
from cosi.rpc.http2.frame_writer import SendStream
from cosi.rpc.http2.head_reader import depends_on_itself
from cosi.rpc.http2.preface import HTTP_1_ANSWER, PrefaceReader, SpeaksHttp1, greeting
from cosi.rpc.http2.server_events import Cancelled, ServerEvent, Writable
from cosi.rpc.http2.server_requests import ServerRequests

_PING = b"cosi alv"
_LAST_PING = b"cosi bye"


class ServerConnection(ServerRequests):
    """One connection from the preface to the last words, as the module describes it. `clock` gives seconds."""

    def __init__(
        self, allowance: limits.Allowance = limits.DEFAULT_ALLOWANCE, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(clock, allowance)
        self.ping_pending = False
        self._preface = PrefaceReader()
        self.greeted = False
        self._leaving = False
        self._last_named = frames.MAX_STREAM_ID  # the last stream that will be served; never grows

    def receive(self, data: bytes) -> list[ServerEvent]:
        """Take bytes from the client and return what they mean; see `closed` afterwards."""
        events: list[ServerEvent] = []
        try:
            if not self._preface.complete:
                data = self._greet(data)
            self._reader.feed(data)
            while not self.closed:
                try:
                    frame = self._reader.next_frame()
                    if frame is None:
                        break
                    self._handle(frame, events)
                except StreamError as error:
                    self._break(error, events)
        except ProtocolError as error:
            events += self._cancel_all(str(error))
            self.close(error.code, str(error))
        return events

    def ping(self) -> None:
        """Ask whether the client is still there; `ping_pending` until it answers."""
        if self.closed or not self._preface.complete:
            return
        self.ping_pending = True
        self._writer.write(frames.Ping(_PING).serialize())

    def shut_down(self) -> None:
        """Take no more calls, and be `closed` when those under way have ended.

        Calls that are on their way when the client learns of it are still served: only when it has answered a ping does
        it hear which was the last one.
        """
        if self.closed or self._leaving:
            return
        self._leaving = True
        if not self._preface.complete:
            self.closed = True
            return
        self._writer.write(frames.GoAway(frames.MAX_STREAM_ID, ErrorCode.NO_ERROR, b"shutting down").serialize())
        self._writer.write(frames.Ping(_LAST_PING).serialize())

    def close(self, code: ErrorCode, reason: str) -> None:
        """Say the last words; whatever is open has ended with that, and nothing more will be said."""
        if self.closed:
            return
        self.closed = True
        for stream in tuple(self._streams.values()):
            self._remove(stream)
        debug = reason.encode()[: limits.MAX_DEBUG_BYTES]
        last = min(self._ids.highest, self._last_named)
        self._writer.write(frames.GoAway(last, code, debug).serialize())

    def _greet(self, data: bytes) -> bytes:
        try:
            rest = self._preface.receive(data)
        except SpeaksHttp1:
            self._writer.write(HTTP_1_ANSWER)
            self.closed = True
            return b""
        if self._preface.complete:
            self._writer.write(greeting(self.allowance.streams))
        return rest

    def _handle(self, frame: frames.Frame, events: list[ServerEvent]) -> None:
        if not self.greeted:
            if not isinstance(frame, frames.Settings) or frame.ack:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "the client did not begin with its settings")
            self.greeted = True
        match frame:
            case frames.Data():
                self._handle_data(frame, events)
            case frames.Headers():
                self._handle_headers(frame, events)
            case frames.RstStream() if frame.stream_id in self._streams:
                self._handle_reset(frame, events)
            case _:
                self._patience.spend(self._reader.frame_bytes)
                self._handle_control(frame, events)

    def _handle_control(self, frame: frames.Frame, events: list[ServerEvent]) -> None:
        match frame:
            case frames.WindowUpdate():
                self._handle_window_update(frame, events)
            case frames.RstStream():
                self._ids.require_used(frame.stream_id)
            case frames.Settings(ack=False):
                self._handle_settings(frame, events)
            case frames.Ping():
                self._handle_ping(frame)
            case frames.Priority() if frame.depends_on == frame.stream_id:
                raise depends_on_itself(frame.stream_id)

    def _handle_window_update(self, frame: frames.WindowUpdate, events: list[ServerEvent]) -> None:
        if not frame.stream_id:
            self._sent(self._writer.grow(frame.increment), events)
            return
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            self._ids.require_used(frame.stream_id)
        elif self._writer.grow_stream(stream, frame.increment):
            self._sent([stream], events)

    def _handle_reset(self, frame: frames.RstStream, events: list[ServerEvent]) -> None:
        stream = self._streams[frame.stream_id]
        self._patience.spend_reset()
        if self._has_begun(stream):
            events.append(Cancelled(frame.stream_id, f"the client reset the call: {error_name(frame.code)}"))
        self._remove(stream)
        self._ids.close(frame.stream_id)

    def _handle_settings(self, frame: frames.Settings, events: list[ServerEvent]) -> None:
        if frames.INITIAL_WINDOW_SIZE in frame.values:
            self._patience.spend(limits.SETTINGS_COST_BYTES_PER_STREAM * len(self._streams))
        # What is sent from here on may rely on them, so their acknowledgement comes first.
        self._writer.reply(frames.Settings(ack=True))
        self._sent(self._writer.apply(frame, tuple(self._streams.values())), events)

    def _handle_ping(self, frame: frames.Ping) -> None:
        if not frame.ack:
            self._writer.reply(frames.Ping(frame.payload, ack=True))
        elif frame.payload == _PING:
            self.ping_pending = False
        elif frame.payload == _LAST_PING and self._leaving and not self._refusing:
            self._refusing = True
            self._last_named = self._ids.highest
            self._writer.write(frames.GoAway(self._last_named, ErrorCode.NO_ERROR).serialize())
            self.closed = not self._streams

    def _sent(self, streams: Iterable[SendStream], events: list[ServerEvent]) -> None:
        """Go on with streams whose last byte has gone out."""
        for sent in streams:
            stream = self._streams[sent.id]
            if stream.answered:
                self._forget(stream)
            else:
                events.append(Writable(stream.id))

    def _cancel_all(self, reason: str) -> list[ServerEvent]:
        return [Cancelled(stream.id, reason) for stream in self._streams.values() if self._has_begun(stream)]

    def _break(self, error: StreamError, events: list[ServerEvent]) -> None:
        """Reset a stream, because the client broke it."""
        if self._ids.is_idle(error.stream_id):
            raise ProtocolError(error.code, str(error))  # a stream that never was can't be reset
        self._patience.spend_reset()
        stream = self._streams.get(error.stream_id)
        if stream is not None:
            if self._has_begun(stream):
                events.append(Cancelled(stream.id, str(error)))
            self._remove(stream)
        self._writer.reply(frames.RstStream(error.stream_id, error.code))
        self._ids.give_up(error.stream_id)
