"""One reconcile signal for each controller: however many changes come, one wake-up."""

from __future__ import annotations

from cosi.state.wakeups import Wakeups, yield_to_others


class Signal:
    """Set or not; setting it twice before it is taken is setting it once."""

    __slots__ = ("_set", "_wakeups")

    def __init__(self) -> None:
        self._set = False
        self._wakeups = Wakeups()

    def set(self) -> None:
        """Ask for a reconcile."""
        self._set = True
        self._wakeups.wake_all()

    async def take(self) -> None:
        """Wait until the signal is set, and reset it."""
        if self._set:
            # A controller that keeps waking itself must not keep the loop for itself.
            await yield_to_others()
        while not self._set:
            await self._wakeups.wait()
        self._set = False
