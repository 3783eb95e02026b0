"""Waking tasks that wait for something to happen, as cheaply as the event loop allows.

On the hot path (a watcher waits for the next event, a controller for the next reconcile) a waiting task is one bare
future of the running loop, asyncio's or its trio twin here; an anyio.Event costs three times as much. All calls must
come from the loop's own thread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import anyio.lowlevel

if TYPE_CHECKING:
    import trio


class _Waiter(Protocol):
    def done(self) -> bool: ...

    def set_result(self, result: None) -> None: ...


class Wakeups:
    """The tasks that wait for one thing."""

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        self.waiters: dict[_Waiter, None] = {}

    async def wait(self) -> None:
        """Sleep until the next `wake_all`. Cancelling forgets the task."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await _TrioWaiter().sleep(self.waiters)
            return
        waiter = loop.create_future()
        self.waiters[waiter] = None
        try:
            await waiter
        finally:
            self.waiters.pop(waiter, None)

    def wake_all(self) -> None:
        """Wake every task that waits now, in the order in which they came."""
        if not self.waiters:
            return
        waiters, self.waiters = self.waiters, {}
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class KeyedWakeups:
    """The tasks that wait for one thing each among many, so that what happens to one wakes nobody else."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[str, _Keyed] = {}

    async def wait(self, key: str) -> int:
        """Sleep until the key is woken, and return what it was woken with. Cancelling forgets the task."""
        waiting = self.waiting.get(key)
        if waiting is None:
            waiting = self.waiting[key] = _Keyed()
        try:
            await waiting.wait()
        finally:
            if not waiting.waiters and self.waiting.get(key) is waiting:
                del self.waiting[key]
        return waiting.value

    def wake(self, key: str, value: int) -> None:
        """Wake every task that waits for the key now."""
        waiting = self.waiting.pop(key, None)
        if waiting is not None:
            waiting.value = value
            waiting.wake_all()


class _Keyed(Wakeups):
    __slots__ = ("value",)

    def __init__(self) -> None:
        super().__init__()
        self.value = 0


async def yield_to_others() -> None:
    """Let other tasks run, and take note of a cancellation: for loops that may never have to wait."""
    await anyio.lowlevel.checkpoint()


class _TrioWaiter:
    """What an asyncio future is, for one trio task."""

    __slots__ = ("_done", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._done = False

    async def sleep(self, waiters: dict[_Waiter, None]) -> None:
        import trio

        def forget(_: object) -> trio.lowlevel.Abort:
            self._done = True
            waiters.pop(self, None)
            return trio.lowlevel.Abort.SUCCEEDED

        self._task = trio.lowlevel.current_task()
        waiters[self] = None
        await trio.lowlevel.wait_task_rescheduled(forget)

    def done(self) -> bool:
        return self._done

    def set_result(self, result: None) -> None:
        import trio

        assert self._task is not None
        self._done = True
        trio.lowlevel.reschedule(self._task)
