"""One reconcile signal for each controller: however many changes come, one wake-up, which knows the first of them."""

from __future__ import annotations

from cosi.journal.records import Cause, Causes
from cosi.state.wakeups import Wakeups, yield_to_others


class Signal:
    """Set or not; setting it twice before it is taken is setting it once."""

    __slots__ = ("_causes", "_wakeups", "awaited")

    def __init__(self) -> None:
        self._causes: Causes | None = None
        self._wakeups = Wakeups()
        self.awaited = False
        """Whether somebody waits to be woken."""

    @property
    def is_set(self) -> bool:
        """Whether a reconcile is asked for."""
        return self._causes is not None

    def set(self, cause: Cause) -> bool:
        """Ask for a reconcile; tell whether nobody had."""
        if self._causes is not None:
            self._causes.add(cause)
            return False
        self._causes = Causes()
        self._causes.add(cause)
        self._wakeups.wake_all()
        return True

    async def take(self) -> Causes:
        """Wait until the signal is set, and reset it; return what set it."""
        if self._causes is not None:
            # A controller that keeps waking itself must not keep the loop for itself.
            await yield_to_others()
        self.awaited = True
        try:
            while self._causes is None:
                await self._wakeups.wait()
        finally:
            self.awaited = False
        causes, self._causes = self._causes, None
        return causes
