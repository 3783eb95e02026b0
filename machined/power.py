"""How a start of the node comes to its end: somebody wants it to restart, or to stop for good."""

from __future__ import annotations

import enum

import anyio


class Ending(enum.Enum):
    """What comes after the end."""

    REBOOT = enum.auto()
    SHUTDOWN = enum.auto()


class Power:
    """The switch of one start of the node: it is thrown once."""

    def __init__(self) -> None:
        self._thrown = anyio.Event()
        self._ending: Ending | None = None

    def end(self, ending: Ending) -> None:
        """End this start of the node; who comes first decides what comes after, except that a stop is final."""
        if self._ending is None or ending is Ending.SHUTDOWN:
            self._ending = ending
        self._thrown.set()

    async def ended(self) -> Ending:
        """Wait until the node is to end, and return how."""
        await self._thrown.wait()
        assert self._ending is not None
        return self._ending
