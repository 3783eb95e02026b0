"""Flow control, both directions: how much a sender may still send, and when a receiver should allow more.

A receiver gives back what its user is done with, and waits until that is half the window: a credit per frame would
double the number of frames. What the user has been handed but not taken yet is not given back, so a reader who stops
stops its sender, and the window bounds what lies in between.
"""

from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.frames import MAX_WINDOW_BYTES


class SendWindow:
    """What the peer still allows us to send; below zero after it has shrunk its settings."""

    __slots__ = ("available_bytes",)

    def __init__(self, available_bytes: int) -> None:
        self.available_bytes = available_bytes

    def grow(self, increment: int) -> None:
        """Apply a WINDOW_UPDATE, or the difference of two settings."""
        self.available_bytes += increment
        if self.available_bytes > MAX_WINDOW_BYTES:
            message = f"a window grew to {self.available_bytes} bytes; {MAX_WINDOW_BYTES} is the most there is"
            raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, message)

    def spend(self, size_bytes: int) -> None:
        """Note what we sent."""
        self.available_bytes -= size_bytes


class ReceiveWindow:
    """What we still allow the peer to send.

    size = available + not yet credited; not yet credited = held by the user + owed to the peer
    """

    __slots__ = ("_available_bytes", "_held_bytes", "_size_bytes")

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._available_bytes = size_bytes
        self._held_bytes = 0

    def receive(self, flow_bytes: int) -> None:
        """Note what arrived, or raise ProtocolError if it was more than allowed."""
        if flow_bytes > self._available_bytes:
            message = f"{flow_bytes} bytes came through a window of {self._available_bytes}"
            raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, message)
        self._available_bytes -= flow_bytes

    def hold(self, size_bytes: int) -> None:
        """Note what the user was handed; it may be more than the window, when it came in parts."""
        self._held_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Note what the user has taken."""
        self._held_bytes = max(0, self._held_bytes - size_bytes)

    def credit(self) -> int:
        """Return the increment to send to the peer now, 0 while it is not worth a frame."""
        owed_bytes = self._size_bytes - self._available_bytes - self._held_bytes
        if owed_bytes * 2 < self._size_bytes:
            return 0
        self._available_bytes += owed_bytes
        return owed_bytes
