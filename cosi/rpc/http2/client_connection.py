"""The client's end of one HTTP/2 connection that carries gRPC calls: bytes in, events and bytes out.

                          ┌──────────────────┐
    request, cancel, take │                  │ data_to_send
    ─────────────────────▶│ ClientConnection ├─────────────▶ to the server
      from the server     │                  │
    ─────────────────────▶│                  ├─────────────▶ events
            receive       └──────────────────┘

It knows no socket and no clock: whoever owns it moves the bytes and measures the deadlines. Calls share the connection
and don't wait for each other. All that a server can make it hold is bounded: for each call by the stream window and one
message of MAX_MESSAGE_BYTES in the making, and besides by the limits of `frame_reader`, `frame_writer` and `hpack`.

After a ProtocolError, `receive_end` or `close` only `data_to_send` is of use, for the last words.
"""

from cosi.rpc.http2 import frames
from cosi.rpc.http2.block_reader import BlockReader
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError, error_name
from cosi.rpc.http2.events import Ended, Event, Message
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES, FrameWriter, SendStream
from cosi.rpc.http2.grpc_request import ENVELOPE, Metadata, envelope, request_headers
from cosi.rpc.http2.grpc_response import MAX_MESSAGE_BYTES, GrpcResponse
from cosi.rpc.http2.hpack import MAX_LIST_BYTES, HeaderEncoder, HeaderListTooLarge, encode_block
from cosi.rpc.http2.status import Code, RpcError
from cosi.rpc.http2.windows import ReceiveWindow

STREAM_WINDOW_BYTES = 1024 * 1024  # a full pipe on a local socket, and what one unread stream may pile up
CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024
MAX_FRAME_BYTES = 64 * 1024
MAX_DEBUG_BYTES = 200  # of what a server says when it goes away
TELLING_BYTES = 5  # enough to know what a server speaks instead of HTTP/2

_PING = b"still on"
_NO_IDS_LEFT = "the connection has no stream ids left; open another"

_SETTINGS = {
    frames.ENABLE_PUSH: 0,
    frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
    frames.MAX_FRAME_SIZE: MAX_FRAME_BYTES,
    frames.MAX_HEADER_LIST_SIZE: MAX_LIST_BYTES,
}


class _Call:
    """What the connection remembers of a call that has not ended."""

    __slots__ = ("request", "response", "window")

    def __init__(self, request: SendStream) -> None:
        self.request = request
        self.response = GrpcResponse(request.id)
        self.window = ReceiveWindow(STREAM_WINDOW_BYTES)


class ClientConnection:
    """One connection from the preface to the last words, as the module describes it."""

    def __init__(self, *, scheme: str = "http") -> None:
        self._scheme = scheme
        self._reader = FrameReader(max_frame_bytes=MAX_FRAME_BYTES)
        self._writer = FrameWriter()
        self._blocks = BlockReader()
        self._encoder = HeaderEncoder()
        self._heads: dict[tuple[str, str], bytes] = {}
        self._calls: dict[int, _Call] = {}
        self._next_stream_id = 1
        self._max_calls = frames.MAX_STREAM_ID
        self._window = ReceiveWindow(CONNECTION_WINDOW_BYTES)
        self.greeted = False
        """Whether the server has said its settings, with which every HTTP/2 server begins."""
        self._first_bytes = b""
        self._farewell = ""
        self._closing = ""  # why no more calls can be made
        self._writer.write(frames.PREFACE)
        self._writer.write(frames.Settings(_SETTINGS).serialize())
        self._writer.write(frames.WindowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES).serialize())

    def request(
        self,
        path: str,
        authority: str,
        message: bytes,
        *,
        metadata: Metadata = (),
        timeout_seconds: float | None = None,
    ) -> int:
        """Begin a call with its one request message, and return its stream id.

        Raises RpcError if the connection takes no more calls or the message is too large, and ValueError for metadata
        that gRPC cannot carry.
        """
        self._require_room(message)
        head = self._head(path, authority, metadata, timeout_seconds)
        stream_id = self._next_stream_id
        self._next_stream_id += 2
        call = self._calls[stream_id] = _Call(self._writer.open(stream_id))
        self._writer.write(self._writer.headers_frames(stream_id, head))
        self._writer.send(call.request, envelope(message), ending=b"")
        return stream_id

    def cancel(self, stream_id: int) -> None:
        """Give a call up; no more events come from it. Does nothing if the call has ended."""
        if stream_id in self._calls:
            self._forget(stream_id)
            self._writer.write(frames.RstStream(stream_id, ErrorCode.CANCEL).serialize())

    def take(self, message: Message) -> None:
        """Report that the user has a message, so that the server may send more in its place."""
        call = self._calls.get(message.stream_id)
        if call is not None:
            call.window.release(_held_bytes(message))
            if increment := call.window.credit():
                self._writer.write(frames.WindowUpdate(message.stream_id, increment).serialize())

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server and return what they mean.

        Raises ProtocolError, and nothing else, if they are not HTTP/2; the last words then tell the server so.
        """
        events: list[Event] = []
        self._reader.feed(data)
        try:
            if not self.greeted:
                self._first_bytes += data[: TELLING_BYTES - len(self._first_bytes)]
                _require_no_stranger(self._first_bytes)
            while True:
                try:
                    frame = self._reader.next_frame()
                    if frame is None:
                        return events
                    events += self._handle(frame)
                except StreamError as error:
                    events += self._abandon(error.stream_id, error.code, Code.INTERNAL, str(error))
        except ProtocolError as error:
            self._leave(error.code, str(error))
            raise

    def receive_end(self, reason: str) -> list[Event]:
        """End all calls, because no more bytes will come; `reason` is what they end with, and what later ones get."""
        self._closing = f"{reason} after {self._farewell}" if self._farewell else reason
        return self._end_unavailable(list(self._calls))

    @property
    def closing(self) -> str:
        """Why no more calls can be made; empty while they can."""
        return self._closing or (_NO_IDS_LEFT if self._next_stream_id > frames.MAX_STREAM_ID else "")

    @property
    def full(self) -> bool:
        """Whether there are as many calls as the server takes at a time."""
        return len(self._calls) >= self._max_calls

    def ping(self) -> None:
        """Have the server say something, if it is still there."""
        self._writer.write(frames.Ping(_PING).serialize())

    def close(self) -> None:
        """Say goodbye; the server drops what is still open."""
        self._leave(ErrorCode.NO_ERROR, "the connection was closed")

    def data_to_send(self) -> bytes:
        """Return, once, the bytes that are due to the server."""
        return self._writer.fetch()

    def _require_room(self, message: bytes) -> None:
        if self.closing:
            raise RpcError(Code.UNAVAILABLE, self.closing)
        if len(message) > MAX_MESSAGE_BYTES:
            limit = f"at most {MAX_MESSAGE_BYTES} can be sent"
            raise RpcError(Code.RESOURCE_EXHAUSTED, f"the request has {len(message)} bytes; {limit}")
        if self.full:
            limit = f"the server's limit of calls at a time on one connection is {self._max_calls}"
            raise RpcError(Code.RESOURCE_EXHAUSTED, f"{limit}; end one of them first")

    def _head(self, path: str, authority: str, metadata: Metadata, timeout_seconds: float | None) -> bytes:
        """Return a request's header block. Calls repeat each other, so the plain ones are encoded once."""
        plain = not metadata and timeout_seconds is None
        head = self._heads.get((path, authority)) if plain else None
        if head is None:
            head = encode_block(
                request_headers(
                    scheme=self._scheme,
                    path=path,
                    authority=authority,
                    metadata=metadata,
                    timeout_seconds=timeout_seconds,
                )
            )
            if plain:
                self._heads[path, authority] = head
        return self._encoder.encode(()) + head

    def _handle(self, frame: frames.Frame) -> list[Event]:
        if not self.greeted and (not isinstance(frame, frames.Settings) or frame.ack):
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "the server did not begin with its settings")
        self.greeted = True
        match frame:
            case frames.Data():
                return self._handle_data(frame)
            case frames.Headers():
                return self._handle_headers(frame)
            case frames.RstStream():
                return self._handle_reset(frame)
            case frames.GoAway():
                return self._handle_goaway(frame)
            case frames.Settings(ack=False):
                self._max_calls = frame.values.get(frames.MAX_CONCURRENT_STREAMS, self._max_calls)
                # What is sent from here on may rely on them, so their acknowledgement comes first.
                self._writer.reply(frames.Settings(ack=True))
                self._writer.apply(frame, [call.request for call in self._calls.values()])
            case frames.WindowUpdate():
                self._handle_window_update(frame)
            case frames.Ping(ack=False):
                self._writer.reply(frames.Ping(frame.payload, ack=True))
        return []

    def _handle_data(self, frame: frames.Data) -> list[Event]:
        self._require_opened(frame.stream_id)
        # The connection's window is given back at once, so that a call whose user is slow does not stop the others.
        self._window.receive(frame.flow_bytes)
        if increment := self._window.credit():
            self._writer.reply(frames.WindowUpdate(0, increment))
        call = self._calls.get(frame.stream_id)
        if call is None:
            return []  # on its way when the call was given up
        call.window.receive(frame.flow_bytes)
        events = call.response.data(frame.data, end_stream=frame.end_stream)
        call.window.hold(sum(_held_bytes(event) for event in events if isinstance(event, Message)))
        self._settle(frame.stream_id, events, answered=frame.end_stream)
        if frame.stream_id in self._calls and (increment := call.window.credit()):
            self._writer.reply(frames.WindowUpdate(frame.stream_id, increment))
        return events

    def _handle_headers(self, frame: frames.Headers) -> list[Event]:
        self._require_opened(frame.stream_id)
        try:
            # Also for a call that was given up: every block moves the table.
            headers = self._blocks.read(frame.block)
        except HeaderListTooLarge as error:
            return self._abandon(frame.stream_id, ErrorCode.CANCEL, Code.RESOURCE_EXHAUSTED, str(error))
        call = self._calls.get(frame.stream_id)
        if call is None:
            return []
        events = call.response.headers(headers, end_stream=frame.end_stream)
        self._settle(frame.stream_id, events, answered=frame.end_stream)
        return events

    def _handle_reset(self, frame: frames.RstStream) -> list[Event]:
        self._require_opened(frame.stream_id)
        call = self._calls.get(frame.stream_id)
        if call is None:
            return []
        self._forget(frame.stream_id)
        return [call.response.reset(frame.code)]

    def _handle_goaway(self, frame: frames.GoAway) -> list[Event]:
        debug = _printable(frame.debug[:MAX_DEBUG_BYTES])
        self._farewell = f"saying {error_name(frame.code)}" + (f" ({debug})" if debug else "")
        self._closing = f"the server is closing the connection, {self._farewell}; try again on a new one"
        return self._end_unavailable([stream_id for stream_id in self._calls if stream_id > frame.last_stream_id])

    def _handle_window_update(self, frame: frames.WindowUpdate) -> None:
        if not frame.stream_id:
            self._writer.grow(frame.increment)
            return
        self._require_opened(frame.stream_id)
        if call := self._calls.get(frame.stream_id):
            self._writer.grow_stream(call.request, frame.increment)

    def _settle(self, stream_id: int, events: list[Event], *, answered: bool) -> None:
        """Forget a call whose last event this is, and stop what either side would still send."""
        if not events or not isinstance(events[-1], Ended):
            return
        finished = answered and not self._calls[stream_id].request.unsent
        self._forget(stream_id)
        if not finished:
            self._writer.reply(frames.RstStream(stream_id, ErrorCode.CANCEL))

    def _abandon(self, stream_id: int, error_code: ErrorCode, code: Code, message: str) -> list[Event]:
        if stream_id not in self._calls:
            return []
        self._forget(stream_id)
        self._writer.reply(frames.RstStream(stream_id, error_code))
        return [Ended(stream_id, code, message)]

    def _end_unavailable(self, stream_ids: list[int]) -> list[Event]:
        for stream_id in stream_ids:
            self._forget(stream_id)
        return [Ended(stream_id, Code.UNAVAILABLE, self._closing) for stream_id in stream_ids]

    def _forget(self, stream_id: int) -> None:
        self._writer.drop(self._calls.pop(stream_id).request)

    def _leave(self, code: ErrorCode, reason: str) -> None:
        self._closing = reason
        # The id counts the server's streams, of which there are none: pushes are off.
        self._writer.write(frames.GoAway(0, code, reason.encode()[:MAX_DEBUG_BYTES]).serialize())

    def _require_opened(self, stream_id: int) -> None:
        if stream_id % 2 == 0 or stream_id >= self._next_stream_id:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"the server used stream {stream_id}, which nobody opened")


def _require_no_stranger(first_bytes: bytes) -> None:
    """Raise ProtocolError for the beginning of something else, which no frame that we accept can begin with."""
    if len(first_bytes) < TELLING_BYTES:
        return
    if first_bytes.startswith(b"HTTP/"):
        message = "it speaks HTTP/1 instead of gRPC: is this the address of something else?"
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, message)
    if first_bytes.startswith((b"\x15\x03", b"\x16\x03")):
        message = "it speaks TLS, and this connection is plain text: is this a node's network address?"
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, message)


def _printable(text: bytes) -> str:
    """Keep what cannot move a terminal's cursor."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in text)


def _held_bytes(message: Message) -> int:
    return ENVELOPE.size + len(message.content)
