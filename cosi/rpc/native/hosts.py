"""Run a handler's coroutine where its request arrives; only if it has to wait does it become a task.

A task costs some ten microseconds and a turn of the loop, more than most handlers take themselves. So a coroutine is
stepped by hand. While it runs, the current task is a *host*: a task that was made beforehand, and sleeps. Cancel scopes
and timeouts of the handler thus belong to the very task that goes on with it if it suspends, and nothing in the handler
can tell the difference.

    step ──▶ finished                    the host sleeps on, for the next call
         └─▶ suspended: host.adopt() ──▶ the host wakes up, and takes the coroutine to its end
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Protocol

import anyio

Work = Callable[[], Awaitable[None]]

SPARE_HOSTS: Final = 16
"""Hosts kept asleep. One is used up by each call that has to wait; when there is none, a call starts as a task."""


class Steppable(Protocol):
    """A coroutine, or the next step of an async generator."""

    def send(self, value: None, /) -> Any:
        """Go on; raises StopIteration with the result at the end."""

    def throw(self, error: BaseException, /) -> Any:
        """Go on with an error."""


_NOT_BEGUN: Final = object()


class InContext:
    """A coroutine that runs in a context of its own, whichever task awaits it; its first step may be behind it."""

    __slots__ = ("_context", "_coroutine", "_waiting_for")

    def __init__(self, coroutine: Steppable, context: contextvars.Context, waiting_for: Any = _NOT_BEGUN) -> None:
        self._coroutine = coroutine
        self._context = context
        self._waiting_for = waiting_for

    def __await__(self) -> Generator[Any, None, Any]:
        run, coroutine, waiting_for = self._context.run, self._coroutine, self._waiting_for
        while True:
            error: BaseException | None = None
            if waiting_for is not _NOT_BEGUN:
                try:
                    yield waiting_for
                except BaseException as thrown:
                    error = thrown
            try:
                waiting_for = run(coroutine.send, None) if error is None else run(coroutine.throw, error)
            except StopIteration as stop:
                return stop.value


class Host:
    """A task in a cancel scope of its own, asleep until it adopts some work."""

    __slots__ = ("_cancelled", "_scope", "_task", "_wakeup", "_work")

    def __init__(self, hosts: Hosts, loop: asyncio.AbstractEventLoop) -> None:
        self._cancelled = False
        self._scope: anyio.CancelScope | None = None  # made by the task, which alone may
        self._work: Work | None = None
        self._wakeup: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._live(hosts))

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the work any more."""
        return self._cancelled

    @property
    def sleeps(self) -> bool:
        """Whether it can adopt; what ran in its name may have cancelled it."""
        return not self._wakeup.done()

    def step(self, coroutine: Steppable, context: contextvars.Context) -> Any:
        """Run a coroutine until it ends, or waits: then it returns an InContext. Raises what the coroutine raises."""
        loop, task = self._task.get_loop(), self._task
        # What a task does around each of its steps; asyncio documents both for those who extend it.
        asyncio._enter_task(loop, task)
        try:
            waiting_for = context.run(coroutine.send, None)
        except StopIteration as stop:
            return stop.value
        finally:
            asyncio._leave_task(loop, task)
        return InContext(coroutine, context, waiting_for)

    def adopt(self, work: Work) -> None:
        """Wake up, and do some work until it ends or is cancelled."""
        self._work = work
        if not self._wakeup.done():
            self._wakeup.set_result(None)

    def cancel(self) -> None:
        """Have the work cancelled, because nobody waits for it any more."""
        self._cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    async def _live(self, hosts: Hosts) -> None:
        try:
            with anyio.CancelScope() as self._scope:
                if self._cancelled:
                    self._scope.cancel()
                if self._work is None:
                    await self._sleep(hosts)
                assert self._work is not None
                await self._work()
        finally:
            hosts.ended(self)

    async def _sleep(self, hosts: Hosts) -> None:
        hosts.give_back(self)
        try:
            await self._wakeup
        except asyncio.CancelledError as error:
            if self._work is None:
                raise
            # Meant for the work, which has suspended in this task's name: it gets it where it waits.
            self._task.uncancel()
            self._task.cancel(*error.args)


class Hosts:
    """The hosts of one server: those asleep, and those at work. Belongs to the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asleep: list[Host] = []
        self._all: dict[Host, None] = {}
        self._closed: asyncio.Future[None] | None = None
        for _ in range(SPARE_HOSTS):
            self._new()

    def take(self) -> Host | None:
        """Return a host to step with, None if none is asleep; it is given back, or adopts."""
        return self._asleep.pop() if self._asleep else None

    def give_back(self, host: Host) -> None:
        """Let a host sleep on."""
        if host.sleeps:
            self._asleep.append(host)
        elif self._closed is None:
            self._new()

    def run(self, work: Work, host: Host | None = None) -> Host:
        """Have work done as a task: by a host that was taken, if its first step was, else by a new one."""
        if host is None:
            host = self._new()
        host.adopt(work)
        if len(self._asleep) < SPARE_HOSTS and self._closed is None:
            self._new()
        return host

    async def close(self) -> None:
        """Cancel all that is still at work, and wait for it."""
        self._closed = self._loop.create_future()
        for host in self._all:
            host.cancel()
        if self._all:
            await self._closed

    def ended(self, host: Host) -> None:
        """Note that a host is no more."""
        del self._all[host]
        if self._closed is not None and not self._all and not self._closed.done():
            self._closed.set_result(None)

    def _new(self) -> Host:
        host = Host(self, self._loop)
        self._all[host] = None
        return host
