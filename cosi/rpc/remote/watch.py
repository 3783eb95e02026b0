"""A watch over a connection that may break: it goes on after the last event it saw, and none is lost or told twice.

        ┌── message ──▶ events, and the bookmark of the last one
     read
        └── broken ──▶ wait ──▶ open again right after the bookmark ──▶ read
                        └── not for ever, and not where trying again is no use ──▶ ERRORED, the end

Only what carries a bookmark can be resumed, so a watch that breaks before its contents are complete (BOOTSTRAPPED), or
in the middle of events of a server that gives no bookmarks, ends with ERRORED. Faithful to the client of the Go runtime
(pkg/state/protobuf/client), with two differences: errors that a second try would meet again end the watch at once, and
the time to give up is counted from when the connection broke, not from when the watch was opened.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import structlog

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource.metadata import Metadata
from cosi.resource.registry import Registry
from cosi.rpc.codes import Method
from cosi.rpc.remote import answer
from cosi.rpc.remote.calls import Calls, MessageStream
from cosi.rpc.remote.channel import Closed
from cosi.rpc.remote.patience import MAX_RESUME_SECONDS, Patience
from cosi.state import errors
from cosi.state.event import Event, EventType
from cosi.state.stream import EventStream

_log = structlog.get_logger(component="rpc")


class RemoteWatch(EventStream):
    """A watch whose events come over a stream; to be opened, read by one task, and closed."""

    def __init__(
        self,
        calls: Calls,
        request: state_pb2.WatchRequest,
        about: Metadata,
        registry: Registry,
        *,
        patience: Patience | None,
    ) -> None:
        """Prepare a watch. Without `patience` it is never resumed."""
        super().__init__()
        self._calls = calls
        self._request = request
        self._about = about
        self._registry = registry
        self._patience = patience
        self._stream: MessageStream | None = None
        self._is_set_up = False
        self._due: float | None = None
        """When to open a broken watch again; a reader that gives up meanwhile changes nothing."""
        self._ended = False
        # A watch that starts from a bookmark can be resumed from there, unless it is owed an event first.
        options = request.options
        self._bookmark = b"" if options.bootstrap_bookmark else options.start_from_bookmark

    async def open(self) -> None:
        """Wait until the watch is set up. Raises a StateError: InvalidBookmark, InvalidArgument, Unavailable, …

        Cancelled, it can be called again and waits on.
        """
        if self._stream is None:
            self._stream = self._calls.stream(Method.WATCH, self._request, self._about)
        first = await self._stream.read()
        if first is None:
            raise errors.Unavailable("the server ended the watch before it was set up")
        answer.require_set_up(first)
        self._is_set_up = True

    def close(self) -> None:
        """End the watch."""
        self._ended = True
        if self._stream is not None:
            self._stream.close()

    async def receive(self) -> Sequence[Event]:
        """Return the events of the next message that has any; empty once the watch has ended."""
        while not self._ended:
            try:
                events = await self._read()
            except errors.StateError as error:
                failure = self._plan_to_resume(error)
                if failure is not None:
                    self._ended = True
                    return (Event(EventType.ERRORED, error=failure),)
                continue
            if events:
                self._note(events)
                return events
        return ()

    async def _read(self) -> Sequence[Event]:
        if self._due is not None:
            await anyio.sleep_until(self._due)
            self._start_over()
        if not self._is_set_up:
            await self.open()
            if self._patience is not None:
                self._patience.opened(anyio.current_time())
        assert self._stream is not None, "a watch that is set up has a stream"
        data = await self._stream.read()
        if data is None:
            raise errors.Unavailable("the server ended the watch")
        return answer.events(data, self._registry, self._about)

    def _note(self, events: Sequence[Event]) -> None:
        self._bookmark = events[-1].bookmark
        self._ended = any(event.type is EventType.ERRORED for event in events)
        if self._patience is not None:
            self._patience.worked()

    def _plan_to_resume(self, error: errors.StateError) -> errors.StateError | None:
        """Note when to open the watch again; return why that is not to be, if it is not."""
        if self._patience is None or not self._bookmark or not _may_pass(error):
            return error
        now = anyio.current_time()
        delay = self._patience.broke(now)
        if delay is None:
            minutes = MAX_RESUME_SECONDS / 60
            return errors.Unavailable(f"gave up resuming the watch after {minutes:g} minutes: {error}")
        _log.warning(
            "watch broke, resuming",
            namespace=self._about.namespace,
            type=self._about.type,
            error=str(error),
            backoff_seconds=round(delay, 3),
        )
        self._due = now + delay
        self._is_set_up = False
        return None

    def _start_over(self) -> None:
        """Drop the broken stream; the next one is to begin right after the last event."""
        if self._stream is not None:
            self._stream.close()
        self._stream = self._due = None
        options = self._request.options
        options.bootstrap_contents = options.bootstrap_bookmark = False
        options.tail_events = 0
        options.start_from_bookmark = self._bookmark


def _may_pass(error: errors.StateError) -> bool:
    """Tell whether trying again may help: a lost connection does, a refusal does not."""
    if isinstance(error, Closed):
        return False
    return isinstance(error, errors.Unavailable) or type(error) is errors.StateError
