"""What we put up with from one client: two budgets that refill with time, and end in ENHANCE_YOUR_CALM.

An honest client's frames lead to answers. What leads to none is cheap to send and costs us time, so it is counted:
bytes that are no requests against the bytes of our answers, and streams that are taken back against the clock.
"""

from collections.abc import Callable

from cosi.rpc.http2 import limits
from cosi.rpc.http2.errors import ErrorCode, ProtocolError


class Patience:
    """The budgets of one connection. `clock` gives seconds."""

    __slots__ = ("_clock", "_idle_bytes", "_refilled", "_resets")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refilled = clock()
        self._idle_bytes: float = limits.IDLE_BYTES
        self._resets: float = limits.RESETS_AT_ONCE

    def earn(self, answered_bytes: int) -> None:
        """Note that the client was sent an answer."""
        self._idle_bytes += answered_bytes
        if self._idle_bytes > limits.MAX_IDLE_BYTES:
            self._idle_bytes = limits.MAX_IDLE_BYTES

    def spend(self, idle_bytes: int) -> None:
        """Note what the client sent that is no request; raises ProtocolError when it was too much."""
        self._idle_bytes -= idle_bytes
        if self._idle_bytes < 0:
            self._refill()
            if self._idle_bytes < 0:
                message = (
                    "the client sends too much that is no request: pings, settings, credits, padding, empty frames"
                )
                raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, message)

    def spend_reset(self) -> None:
        """Note that the client took a stream back, or broke it; raises ProtocolError when it were too many."""
        self._resets -= 1
        if self._resets < 0:
            self._refill()
            if self._resets < 0:
                message = "the client opens streams only to reset them"
                raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, message)

    def _refill(self) -> None:
        now = self._clock()
        seconds, self._refilled = now - self._refilled, now
        self._idle_bytes = min(self._idle_bytes + seconds * limits.IDLE_BYTES_PER_SECOND, limits.MAX_IDLE_BYTES)
        self._resets = min(self._resets + seconds * limits.RESETS_PER_SECOND, limits.RESETS_AT_ONCE)
