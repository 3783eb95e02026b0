"""A watch as a feed: events to frames, when somebody takes them.

    write ──▶ event log ──▶ watch ─┐
                            watch ─┼─ the same events? ──▶ the same bytes
                            watch ─┘

Watchers of a kind are mostly told the same, one right after the other. So a response is made for the first of them, and
kept until there is another one to make.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cosi.rpc import codec
from cosi.rpc.seam import Feed, Frames, Waiter
from cosi.state.event import Event, EventType
from cosi.state.stream import Pollable

_ONLY_SINCE_1: Final = {EventType.BOOTSTRAPPED, EventType.ERRORED}
"""Event types that came with API version 1."""


class Broadcast:
    """The last responses that were made of a batch of events: it holds those events, and MAX_FRAME_BYTES at most.

    `aggregated` is how the watchers want them, all in one or each in one of its own.
    """

    __slots__ = ("_aggregated", "_events", "_responses")

    def __init__(self, *, aggregated: bool) -> None:
        self._aggregated = aggregated
        self._events: Sequence[Event] = ()
        self._responses = b""

    def responses(self, events: Sequence[Event], start: int = 0) -> tuple[Frames, int]:
        """Return what tells of a batch from `start` on, as far as it fits, and where to go on; see `codec`."""
        # Events are equal only if they are the same, so to compare two batches is to compare so many pointers.
        if start == 0 and events == self._events:
            return self._responses, len(events)
        responses, position = codec.watch_responses(events, start, aggregated=self._aggregated)
        if start == 0 and position == len(events):
            self._events, self._responses = events, responses
        return responses, position


class WatchFeed(Feed):
    """The events of a watch for a client of some API version, in responses no larger than `codec.MAX_FRAME_BYTES`."""

    __slots__ = ("_api_version", "_broadcast", "_position", "_rest", "_watch")

    def __init__(self, watch: Pollable, api_version: int, broadcast: Broadcast) -> None:
        self._watch = watch
        self._api_version = api_version
        self._broadcast = broadcast
        self._rest: Sequence[Event] = ()
        """A batch that did not fit one response; `_position` is where to go on."""
        self._position = 0

    def take(self) -> Frames | None:
        """Return what is due: empty if nothing has happened, None once the watch has ended."""
        if self._rest:
            return self._next_of_rest()
        events = self._watch.take()
        if events is None:
            return None
        if self._api_version < 1:
            events = known_to_version_0(events)
        if not events:
            return b""
        responses, position = self._broadcast.responses(events)
        if position < len(events):
            self._rest, self._position = events, position
        return responses

    def when_ready(self, waiter: Waiter) -> None:
        """Tell a waiter when something has happened, or at once while there is more to take."""
        if self._rest:
            waiter.set_result(None)
        else:
            self._watch.when_ready(waiter)

    def forget(self, waiter: Waiter) -> None:
        """Take a waiter's request back."""
        self._watch.forget(waiter)

    def _next_of_rest(self) -> Frames:
        responses, self._position = self._broadcast.responses(self._rest, self._position)
        if self._position == len(self._rest):
            self._rest, self._position = (), 0
        return responses


def known_to_version_0(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events that a client of API version 0 knows what to do with."""
    return [event for event in events if event.type not in _ONLY_SINCE_1]
