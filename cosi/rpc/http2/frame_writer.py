"""The writing half of a connection: frames queue up here until somebody fetches their bytes.

What streams send waits for the peer's windows and goes out, as DATA frames of the size it accepts, as soon as those
open. Streams that wait for the connection's window take turns, a frame each. What the peer makes us say
(acknowledgements, credits, resets) is counted apart: it can ask for more of that than it reads.
"""

from collections import OrderedDict
from collections.abc import Iterable

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError

DEFAULT_WINDOW_BYTES = 65_535  # on both sides, before any settings
MAX_UNSENT_REPLY_BYTES = 1024 * 1024  # 60,000 pings whose answers the peer does not read

_pack_header = frames.FRAME_HEADER.pack


class SendStream:
    """One stream's way out: what it has yet to send, and how much of that the peer lets it.

    `ending` follows the last byte: None while there may be more to send, empty for END_STREAM on the last DATA frame,
    or the frame that ends the stream.
    """

    __slots__ = ("ending", "id", "unsent", "window_bytes")

    def __init__(self, id: int, window_bytes: int) -> None:
        self.id = id
        self.window_bytes = window_bytes
        self.unsent: bytes | memoryview = b""
        self.ending: bytes | None = None

    def grow(self, increment: int) -> None:
        """Let the stream send more, or less. Raises StreamError where the window outgrows what HTTP/2 can count."""
        self.window_bytes += increment
        if self.window_bytes > frames.MAX_WINDOW_BYTES:
            message = f"the window of stream {self.id} grew to {self.window_bytes} bytes; {_most()}"
            raise StreamError(ErrorCode.FLOW_CONTROL_ERROR, message, stream_id=self.id)


class FrameWriter:
    """Everything that is due to the peer, in the order it must be sent."""

    def __init__(self) -> None:
        self.waiting_bytes = 0
        """What streams have yet to send, because the peer's windows are closed."""
        self._unsent: list[bytes | memoryview] = []
        self._unsent_reply_bytes = 0
        self._window_bytes = DEFAULT_WINDOW_BYTES
        self._waiting: OrderedDict[SendStream, None] = OrderedDict()  # for the connection's window, next one first
        self._peer_window_bytes = DEFAULT_WINDOW_BYTES
        self._peer_frame_bytes = frames.DEFAULT_MAX_FRAME_BYTES

    def fetch(self) -> bytes:
        """Return, once, the bytes that may be sent now."""
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_reply_bytes = 0
        return data

    def write(self, data: bytes) -> None:
        """Queue bytes as they are."""
        self._unsent.append(data)

    def reply(self, frame: frames.Frame) -> None:
        """Queue a frame that the peer's bytes gave rise to; raises ProtocolError if it has too many of them unread."""
        data = frame.serialize()
        self._unsent_reply_bytes += len(data)
        if self._unsent_reply_bytes > MAX_UNSENT_REPLY_BYTES:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "the peer asks for answers faster than it reads them")
        self.write(data)

    def open(self, stream_id: int) -> SendStream:
        """Return a new stream's way out."""
        return SendStream(stream_id, self._peer_window_bytes)

    @property
    def initial_window_bytes(self) -> int:
        """How much the peer lets a new stream send."""
        return self._peer_window_bytes

    def headers_frames(self, stream_id: int, block: bytes, *, end_stream: bool = False) -> bytes:
        """Return a header block, in as many frames as the peer's frame size takes."""
        size = self._peer_frame_bytes
        if len(block) <= size:
            return frames.Headers(stream_id, block, end_stream=end_stream).serialize()
        first = frames.Headers(stream_id, block[:size], end_stream=end_stream, end_headers=False).serialize()
        rest = range(size, len(block), size)
        return first + b"".join(
            frames.Continuation(stream_id, block[start : start + size], end_headers=start == rest[-1]).serialize()
            for start in rest
        )

    def fits(self, stream: SendStream, size_bytes: int) -> bool:
        """Tell whether so many bytes of a stream with nothing else to send would go out at once, in one frame."""
        return (
            size_bytes <= stream.window_bytes
            and size_bytes <= self._window_bytes
            and size_bytes <= self._peer_frame_bytes
        )

    def write_fitting(self, stream: SendStream, before: bytes, content: bytes, after: bytes) -> None:
        """Write what `fits` in one go, between the frames that open and end the stream."""
        self._unsent.append(before)
        self._write_whole(stream, content)
        self._unsent.append(after)

    def send(self, stream: SendStream, content: bytes, *, ending: bytes | None = None) -> bool:
        """Queue a part of what a stream sends, and what ends it, if this is the last; return whether all went out.

        END_STREAM needs a last part that is not empty.
        """
        if ending is None and not stream.unsent and self.fits(stream, len(content)):
            self._write_whole(stream, content)
            return True
        if content:
            self.waiting_bytes += len(content)
            stream.unsent = bytes(stream.unsent) + content if stream.unsent else content
        stream.ending = ending
        return self._advance(stream)

    def drop(self, stream: SendStream) -> None:
        """Forget what a stream has yet to send."""
        self.waiting_bytes -= len(stream.unsent)
        stream.unsent = b""
        self._waiting.pop(stream, None)

    def grow(self, increment: int) -> list[SendStream]:
        """Let all streams together send more; return those that now have nothing left to send.

        Raises ProtocolError where the window outgrows what HTTP/2 can count.
        """
        self._window_bytes += increment
        if self._window_bytes > frames.MAX_WINDOW_BYTES:
            message = f"the connection's window grew to {self._window_bytes} bytes; {_most()}"
            raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, message)
        drained = []
        while self._waiting and self._window_bytes > 0:
            stream, _ = self._waiting.popitem(last=False)
            if stream.window_bytes <= 0:
                continue
            self._write_data(stream)
            if stream.unsent:
                self._waiting[stream] = None
            else:
                self._finish(stream)
                drained.append(stream)
        return drained

    def grow_stream(self, stream: SendStream, increment: int) -> bool:
        """Let a stream send more, or less; return whether it was waiting for that and has nothing left to send now.

        Raises StreamError where the window outgrows what HTTP/2 can count.
        """
        stream.grow(increment)
        return bool(stream.unsent) and self._advance(stream)

    def apply(self, settings: frames.Settings, streams: Iterable[SendStream]) -> list[SendStream]:
        """Respect the peer's settings from here on; a new window size moves the windows of the streams under way.

        Returns the streams that now have nothing left to send. Raises ProtocolError.
        """
        self._peer_frame_bytes = settings.values.get(frames.MAX_FRAME_SIZE, self._peer_frame_bytes)
        window_bytes = settings.values.get(frames.INITIAL_WINDOW_SIZE, self._peer_window_bytes)
        difference = window_bytes - self._peer_window_bytes
        if not difference:
            return []
        self._peer_window_bytes = window_bytes
        try:
            return [stream for stream in streams if self.grow_stream(stream, difference)]
        except StreamError as error:
            raise ProtocolError(error.code, str(error)) from None

    def _write_whole(self, stream: SendStream, content: bytes) -> None:
        """Write what `fits` as one DATA frame."""
        size = len(content)
        self._window_bytes -= size
        stream.window_bytes -= size
        self._unsent += (_pack_header(size >> 8, size & 0xFF, frames.DATA, 0, stream.id), content)

    def _advance(self, stream: SendStream) -> bool:
        while stream.unsent:
            if stream.window_bytes <= 0:
                return False
            if self._window_bytes <= 0:
                self._waiting[stream] = None
                return False
            self._write_data(stream)
        self._finish(stream)
        return True

    def _write_data(self, stream: SendStream) -> None:
        """Write one DATA frame, as large as it may be."""
        unsent = stream.unsent
        size = min(len(unsent), stream.window_bytes, self._window_bytes, self._peer_frame_bytes)
        if size == len(unsent):
            chunk, stream.unsent = unsent, b""
        else:
            view = memoryview(unsent)
            chunk, stream.unsent = view[:size], view[size:]
        self.waiting_bytes -= size
        self._window_bytes -= size
        stream.window_bytes -= size
        flags = frames.END_STREAM if stream.ending == b"" and not stream.unsent else 0
        self._unsent += (_pack_header(size >> 8, size & 0xFF, frames.DATA, flags, stream.id), chunk)

    def _finish(self, stream: SendStream) -> None:
        if stream.ending:
            self._unsent.append(stream.ending)


def _most() -> str:
    return f"{frames.MAX_WINDOW_BYTES} is the most there is"
