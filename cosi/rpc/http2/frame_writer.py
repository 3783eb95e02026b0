"""The writing half of a connection: frames queue up here until somebody fetches their bytes.

Bodies wait for the peer's windows and go out, as DATA frames of the size it accepts, as soon as those open. What the
peer makes us say (acknowledgements, credits, resets) is counted apart: it can ask for more of that than it reads.
"""

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.windows import SendWindow

DEFAULT_WINDOW_BYTES = 65_535  # on both sides, before any settings
MAX_UNSENT_REPLY_BYTES = 1024 * 1024  # 60,000 pings whose answers the peer does not read


class _Body:
    """What one stream has yet to send."""

    __slots__ = ("content", "window")

    def __init__(self, content: bytes, window_bytes: int) -> None:
        self.content = memoryview(content)
        self.window = SendWindow(window_bytes)


class FrameWriter:
    """Everything that is due to the peer, in the order it must be sent."""

    def __init__(self) -> None:
        self._unsent = bytearray()
        self._unsent_reply_bytes = 0
        self._window = SendWindow(DEFAULT_WINDOW_BYTES)
        self._bodies: dict[int, _Body] = {}
        self._peer_window_bytes = DEFAULT_WINDOW_BYTES
        self._peer_frame_bytes = frames.DEFAULT_MAX_FRAME_BYTES

    def fetch(self) -> bytes:
        """Return, once, the bytes that may be sent now."""
        data = bytes(self._unsent)
        self._unsent.clear()
        self._unsent_reply_bytes = 0
        return data

    def write(self, data: bytes) -> None:
        """Queue bytes as they are."""
        self._unsent += data

    def reply(self, frame: frames.Frame) -> None:
        """Queue a frame that the peer's bytes gave rise to; raises ProtocolError if it has too many of them unread."""
        data = frame.serialize()
        self._unsent_reply_bytes += len(data)
        if self._unsent_reply_bytes > MAX_UNSENT_REPLY_BYTES:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "the peer asks for answers faster than it reads them")
        self.write(data)

    def write_headers(self, stream_id: int, block: bytes) -> None:
        """Queue a header block, in as many frames as the peer's frame size takes."""
        pieces = [
            block[start : start + self._peer_frame_bytes] for start in range(0, len(block), self._peer_frame_bytes)
        ]
        last = len(pieces) - 1
        self.write(frames.Headers(stream_id, pieces[0], end_headers=last == 0).serialize())
        for index, piece in enumerate(pieces[1:], start=1):
            self.write(frames.Continuation(stream_id, piece, end_headers=index == last).serialize())

    def write_body(self, stream_id: int, content: bytes) -> None:
        """Queue a stream's whole body, which must not be empty; its last frame ends the stream."""
        self._bodies[stream_id] = _Body(content, self._peer_window_bytes)
        self._advance(stream_id)

    def is_sending(self, stream_id: int) -> bool:
        """Tell whether a part of the stream's body still waits for a window."""
        return stream_id in self._bodies

    def drop(self, stream_id: int) -> None:
        """Forget what the stream has yet to send."""
        self._bodies.pop(stream_id, None)

    def grow(self, stream_id: int, increment: int) -> None:
        """Apply a WINDOW_UPDATE; raises ProtocolError where a window outgrows what HTTP/2 can count."""
        if stream_id == 0:
            self._window.grow(increment)
            self._advance_all()
        elif stream_id in self._bodies:
            self._bodies[stream_id].window.grow(increment)
            self._advance(stream_id)

    def apply(self, settings: frames.Settings) -> None:
        """Respect the peer's settings from here on; a new window size moves the windows of streams under way."""
        self._peer_frame_bytes = settings.values.get(frames.MAX_FRAME_SIZE, self._peer_frame_bytes)
        window_bytes = settings.values.get(frames.INITIAL_WINDOW_SIZE, self._peer_window_bytes)
        difference = window_bytes - self._peer_window_bytes
        self._peer_window_bytes = window_bytes
        for body in self._bodies.values():
            body.window.grow(difference)
        self._advance_all()

    def _advance_all(self) -> None:
        for stream_id in tuple(self._bodies):
            self._advance(stream_id)

    def _advance(self, stream_id: int) -> None:
        body = self._bodies[stream_id]
        while (size := min(self._window.available_bytes, body.window.available_bytes, self._peer_frame_bytes)) > 0:
            chunk = bytes(body.content[:size])
            body.content = body.content[size:]
            self._window.spend(len(chunk))
            body.window.spend(len(chunk))
            self.write(frames.Data(stream_id, chunk, end_stream=not body.content).serialize())
            if not body.content:
                del self._bodies[stream_id]
                return
