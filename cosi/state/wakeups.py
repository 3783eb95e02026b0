"""Waking tasks that wait for something to happen, as cheaply as the event loop allows.

On the hot path (a watcher waits for the next event, a controller for the next reconcile) a waiting task is one bare
future of the running loop, asyncio's or its trio twin here; an anyio.Event costs three times as much. All calls must
come from the loop's own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

import anyio.lowlevel

if TYPE_CHECKING:
    import trio


class Waiter(Protocol):
    """Who wants to be woken, once; a future of asyncio is one."""

    def done(self) -> bool:
        """Whether it no longer wants to be woken."""

    def set_result(self, result: None, /) -> None:
        """Wake it. It may read at once, but not write: whoever wakes it is in the middle of a write."""


class Wakeups:
    """The tasks that wait for one thing."""

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        self.waiters: dict[Waiter, None] = {}

    async def wait(self) -> None:
        """Sleep until the next `wake_all`. Cancelling forgets the task."""
        waiter: asyncio.Future[None] | TrioWaiter
        try:
            waiter = asyncio.get_running_loop().create_future()
        except RuntimeError:
            waiter = TrioWaiter()
        self.add(waiter)
        try:
            await waiter
        finally:
            self.discard(waiter)

    def add(self, waiter: Waiter) -> None:
        """Have a waiter woken by the next `wake_all`."""
        self.waiters[waiter] = None

    def discard(self, waiter: Waiter) -> None:
        """Forget a waiter."""
        self.waiters.pop(waiter, None)

    def wake_all(self) -> None:
        """Wake every task that waits now, in the order in which they came."""
        if not self.waiters:
            return
        waiters, self.waiters = self.waiters, {}
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def wake_one(self) -> None:
        """Wake the task that has waited longest."""
        for waiter in self.waiters:
            if not waiter.done():
                del self.waiters[waiter]
                waiter.set_result(None)
                return


class KeyedWakeups:
    """The tasks that wait for one thing each among many, so that what happens to one wakes nobody else."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[str, Sleepers] = {}

    async def wait(self, key: str) -> int:
        """Sleep until the key is woken, and return what it was woken with. Cancelling forgets the task."""
        sleepers = self._sleepers(key)
        try:
            await sleepers.wait()
        finally:
            self._tidy(key, sleepers)
        assert sleepers.woken_with is not None
        return sleepers.woken_with

    def add(self, key: str, waiter: Waiter) -> Sleepers:
        """Have a waiter woken with its key; what is returned then says what it was woken with."""
        sleepers = self._sleepers(key)
        sleepers.add(waiter)
        return sleepers

    def discard(self, key: str, waiter: Waiter, sleepers: Sleepers) -> None:
        """Forget a waiter that `add` put among these sleepers."""
        sleepers.discard(waiter)
        self._tidy(key, sleepers)

    def wake(self, key: str, value: int) -> None:
        """Wake every task that waits for the key now."""
        sleepers = self.waiting.pop(key, None)
        if sleepers is not None:
            sleepers.woken_with = value
            sleepers.wake_all()

    def _sleepers(self, key: str) -> Sleepers:
        sleepers = self.waiting.get(key)
        if sleepers is None:
            sleepers = self.waiting[key] = Sleepers()
        return sleepers

    def _tidy(self, key: str, sleepers: Sleepers) -> None:
        if not sleepers.waiters and self.waiting.get(key) is sleepers:
            del self.waiting[key]


class Sleepers(Wakeups):
    """Those who wait for one key; `woken_with` is None until they have been woken."""

    __slots__ = ("woken_with",)

    def __init__(self) -> None:
        super().__init__()
        self.woken_with: int | None = None


async def yield_to_others() -> None:
    """Let other tasks run, and take note of a cancellation: for loops that may never have to wait."""
    await anyio.lowlevel.checkpoint()


class TrioWaiter:
    """What an asyncio future is, for one trio task: made by it, and awaited before anybody wakes it."""

    __slots__ = ("_done", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._done = False

    def __await__(self) -> Generator[Any, None, None]:
        return self._sleep().__await__()

    def done(self) -> bool:
        return self._done

    def set_result(self, result: None) -> None:
        import trio

        assert self._task is not None
        self._done = True
        trio.lowlevel.reschedule(self._task)

    async def _sleep(self) -> None:
        import trio

        def give_up(_: object) -> trio.lowlevel.Abort:
            self._done = True
            return trio.lowlevel.Abort.SUCCEEDED

        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(give_up)
