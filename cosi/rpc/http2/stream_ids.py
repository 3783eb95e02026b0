"""Which stream ids a client has used, and how those that are not open came to their end.

    idle ──▶ open ──▶ closed       by both sides, or by the client: a late frame is an error
              │
              └─────▶ given up     by us: late frames were on their way, and mean nothing

A client's ids are odd and only grow, so the highest says which are idle. Only the last REMEMBERED_STREAMS closed ones
are known: what is older can't be told from an id that was skipped.
"""

from collections import deque

from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError
from cosi.rpc.http2.limits import REMEMBERED_STREAMS


class StreamIds:
    """The ids of one connection's streams."""

    __slots__ = ("_closed", "_given_up", "highest")

    def __init__(self) -> None:
        self.highest = 0
        self._closed: deque[int] = deque(maxlen=REMEMBERED_STREAMS)
        self._given_up: deque[int] = deque(maxlen=REMEMBERED_STREAMS)

    def open(self, stream_id: int) -> None:
        """Note that the client opens a stream; raises ProtocolError if it may not have this id."""
        if stream_id & 1 == 0:
            raise ProtocolError(
                ErrorCode.PROTOCOL_ERROR, f"a client's streams have odd numbers, and {stream_id} is even"
            )
        if stream_id <= self.highest:
            if stream_id in self._closed:
                raise ProtocolError(ErrorCode.STREAM_CLOSED, f"stream {stream_id} is closed, and got headers")
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} comes after stream {self.highest}")
        self.highest = stream_id

    def close(self, stream_id: int) -> None:
        """Note that a stream ended on both sides, or that the client reset it."""
        self._closed.append(stream_id)

    def give_up(self, stream_id: int) -> None:
        """Note that we reset a stream."""
        self._given_up.append(stream_id)

    def is_idle(self, stream_id: int) -> bool:
        """Tell whether a stream was never opened, by anybody."""
        return stream_id > self.highest or stream_id & 1 == 0

    def require_used(self, stream_id: int) -> None:
        """Raise ProtocolError if the stream is idle: only HEADERS and PRIORITY may name such a one."""
        if self.is_idle(stream_id):
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} was never opened")

    def ignores(self, stream_id: int) -> bool:
        """Tell whether frames of a stream that is not open are to be ignored, because we gave it up."""
        return stream_id in self._given_up

    def require_ignored(self, stream_id: int) -> None:
        """Raise what a frame with content deserves on a stream that is not open, unless it is to be ignored."""
        self.require_used(stream_id)
        if stream_id not in self._given_up:
            raise StreamError(ErrorCode.STREAM_CLOSED, f"stream {stream_id} is closed", stream_id=stream_id)
