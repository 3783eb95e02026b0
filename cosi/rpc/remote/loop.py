"""What a client asks of the event loop that it runs on, be it asyncio or trio; all else of it is the same on both.

    Connection ── words ────▶ Link ──▶ (TLS) ──▶ socket
    Connection ◀── receive ── Link ◀── (TLS) ◀── socket

A link fetches what its connection has to say once in a turn of the loop, by however many calls it was asked to, and
nothing while the server does not read. All calls here must come from the loop's own thread.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from cosi.state.wakeups import Waiter

READ_BYTES: Final = 64 << 10
"""What is read at once, before others on the loop get their turn."""


class Link(Protocol):
    """What carries the bytes of one connection: a socket, under TLS or not."""

    @property
    def protocol(self) -> str | None:
        """What both sides agreed to speak, as TLS names it; None where they agreed on nothing."""

    def speak_soon(self) -> None:
        """Fetch what is to be said, when those have had their turn who can run now."""

    def close(self) -> None:
        """Close behind the last words."""

    def abort(self) -> None:
        """Close at once, whatever has yet to be sent."""


class Carried(Protocol):
    """A connection as its link sees it."""

    def carried_by(self, link: Link) -> None:
        """Begin: there is a socket."""

    def words(self) -> bytes:
        """Return, once, what is to be said now."""

    def receive(self, data: bytes) -> None:
        """Take what was read."""

    def lost(self, error: BaseException | None) -> None:
        """End: there is no socket any more, for a reason or because a side has closed it."""


class Timer(Protocol):
    """Something that is to be done later."""

    def cancel(self) -> None:
        """Have it not done, unless it has been."""


class Job(Protocol):
    """Something that is done beside the tasks of the caller, and not cancelled with them."""

    def cancel(self) -> None:
        """Have it end."""

    async def over(self) -> None:
        """Wait until it has ended, however it did. Cancelling leaves it alone."""


class TaskWaiter(Waiter, Awaitable[None], Protocol):
    """What one task sleeps on: awaited at once, and woken once."""


class Loop(Protocol):
    """The event loop that runs."""

    def time(self) -> float:
        """Return the seconds by which the loop measures deadlines."""

    def waiter(self) -> TaskWaiter:
        """Return what the current task can sleep on."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Timer:
        """Call something after so many seconds."""

    def start(self, work: Callable[[], Awaitable[None]]) -> Job:
        """Begin a job."""

    async def link(self, carried: Carried, connected: socket.socket) -> Link:
        """Carry a connection over a socket. Raises OSError."""

    async def dial(
        self, carried: Carried, host: str, port: int, tls: ssl.SSLContext | None, server_name: str | None
    ) -> Link:
        """Carry a connection over TCP. Raises OSError, also for TLS that fails; ValueError for a host that is no name.

        With `tls` it is encrypted, and the server's certificate must bear `server_name`.
        """


def running_loop() -> Loop:
    """Return the loop that the current task runs on."""
    # Each is imported where it runs: trio is none of this project's requirements.
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        from cosi.rpc.remote.trio_loop import TrioLoop

        return TrioLoop()
    from cosi.rpc.remote.asyncio_loop import AsyncioLoop

    return AsyncioLoop(running)
