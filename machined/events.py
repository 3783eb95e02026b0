"""The events of one start of the node: published by whoever does something, followed by whoever calls.

Publishing is synchronous and wakes all followers once. A follower that is overrun simply ends, as on Talos: it would
have to ask again anyway.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final

import anyio
import structlog
from google.protobuf.message import Message

from cosi.state.wakeups import Wakeups
from talos.event_log import Event, EventLog, Overrun
from talos.xid import XidSource

TYPE_URL: Final = "talos/runtime/{}"

RETURN_SECONDS: Final = 3.0
"""How long followers are waited for that asked again: talosctl does so a second after it was told of a reboot."""

_log = structlog.get_logger(component="events")


class Events:
    """An event log, and those who follow it. Belongs to the running loop."""

    def __init__(self) -> None:
        self.log = EventLog()
        self._ids = XidSource()
        self._published = Wakeups()
        self._arrived = Wakeups()
        self._arrivals = 0
        self._followers = 0
        self.closed = False

    def publish(self, message: Message, actor: str = "") -> None:
        """Tell everybody, in the name of an actor if there is one; nobody any more once the log is closed."""
        if self.closed:
            return
        type_url = TYPE_URL.format(message.DESCRIPTOR.full_name)
        self.log.append(Event(self._ids.next(), actor, type_url, message.SerializeToString()))
        self._published.wake_all()

    def new_id(self) -> bytes:
        """Return an id that no event has, greater than those so far."""
        return self._ids.next()

    def close(self) -> None:
        """End all followers once they have what there is: the node stops."""
        self.closed = True
        self._published.wake_all()

    async def follow(self, position: int) -> AsyncGenerator[Sequence[Event], None]:
        """Yield events from a position on, all that are pending at a time, until the log is closed or overruns."""
        self._followers += 1
        self._arrivals += 1
        self._arrived.wake_all()
        try:
            while True:
                events = self.log.read(position)
                if events:
                    position += len(events)
                    yield events
                elif self.closed:
                    return
                else:
                    await self._published.wait()
        except Overrun:
            _log.warning("a follower of events was too slow")
        finally:
            self._followers -= 1

    async def until_followed_again(self) -> None:
        """Wait until as many as follow now have asked anew, and no longer than RETURN_SECONDS.

        talosctl, told of a reboot by an event, ends its call, and calls again a second later for what happens next. If
        the node were back by then, talosctl would have missed that it was gone, and wait for ever for what has been.
        """
        enough = self._arrivals + self._followers
        with anyio.move_on_after(RETURN_SECONDS):
            while self._arrivals < enough:
                await self._arrived.wait()
