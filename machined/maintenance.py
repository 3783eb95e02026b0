"""A node that has no config yet is in maintenance: whoever reaches it may read what is not sensitive, and give it one.

That is decided once, when the node starts, and ends for good with the first config. Nothing turns it on later: a node
that had a config keeps the last good one, and goes on with that if its file is gone.
"""

from __future__ import annotations

import anyio


class Maintenance:
    """Whether anybody is let in; `on` says whether it begins so."""

    def __init__(self, *, on: bool) -> None:
        self._over, self._left = anyio.Event(), anyio.Event()
        if not on:
            self._over.set()
            self._left.set()

    @property
    def on(self) -> bool:
        """Whether the node waits for its first config."""
        return not self._over.is_set()

    def end(self) -> None:
        """Let in nobody any more without a certificate: the node has a config."""
        self._over.set()

    async def until_over(self) -> None:
        """Wait until the node has one."""
        await self._over.wait()

    def leave(self) -> None:
        """Whoever connects from now on is asked for a certificate."""
        self._left.set()

    async def until_left(self) -> None:
        """Wait until that is so."""
        await self._left.wait()
