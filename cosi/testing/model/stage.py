"""Where a story is played: the state in an event loop of its own, the model beside it, and a scribe who hears it all.

The scribe is a watcher that reads after every change. So each event is compared as it happens, the model learns the
times, and every bookmark there ever was is at hand.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Final, TypeVar

import anyio
import anyio.from_thread
from hypothesis.stateful import RuleBasedStateMachine

from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import CoreState, WatchKindOptions
from cosi.state.event import EventType
from cosi.state.state import State
from cosi.testing.listener import Listener
from cosi.testing.model.model import Model, Outcome
from cosi.testing.model.told import Told, Watcher, of_kind, same, typed
from cosi.testing.resources import IntResource, integer

WAIT_SECONDS: Final = 10.0
"""How long an operation may take. Reached only by a failure, so it is generous to slow machines."""

ResultT = TypeVar("ResultT")


class Stage(RuleBasedStateMachine):
    """The base of the state machine: opens the state, runs operations, compares what comes of them with the model."""

    history: ClassVar[int]
    """How many events of a kind the state keeps."""

    gap: ClassVar[int]
    """How many of those a new watch may not start from."""

    reads_ahead: ClassVar[bool] = False
    """Whether something reads on the watchers' behalf, as a connection does.

    Watchers may then be overrun late or never, and told in any number of batches; else they are told all at once.
    """

    async_backend: ClassVar[str] = "asyncio"
    """The event loop that anyio starts."""

    def backend(self) -> AbstractAsyncContextManager[CoreState]:
        """Return the context of a new and empty state; called in the event loop."""
        raise NotImplementedError(f"{type(self).__name__} must override `backend` of the model kit's state machine")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.watchers: list[Watcher] = []
        with contextlib.ExitStack() as opening:
            self.portal = opening.enter_context(anyio.from_thread.start_blocking_portal(self.async_backend))
            self.state = State(self.enter(opening, self.portal.call(self.backend)))
            options = WatchKindOptions(bootstrap_bookmark=True)
            self.scribe = Listener(self.enter(opening, self.state.watch_kind(IntResource.kind(), options)))
            first = self.run(self.scribe.next)
            same(first, Told(EventType.NOOP, tombstone=of_kind(IntResource.kind())))
            self.bookmark_before_all = first.bookmark
            self.open_contexts = opening.pop_all()

    def teardown(self) -> None:
        """Close what is open."""
        self.open_contexts.close()

    def enter(self, stack: contextlib.ExitStack, context: AbstractAsyncContextManager[ResultT]) -> ResultT:
        """Enter a context in a task that stays in it until the stack is closed."""
        return stack.enter_context(self.portal.wrap_async_context_manager(context))

    def run(self, operation: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Run an operation to its end in the state's event loop."""

        async def in_time() -> ResultT:
            with anyio.fail_after(WAIT_SECONDS):
                return await operation()

        return self.portal.call(in_time)

    def expect(self, outcome: Outcome, operation: Callable[[], Awaitable[ResultT]]) -> ResultT | None:
        """Run an operation that must come out like this; return its answer, None if it was refused."""
        answer: ResultT | None = None
        refusal: errors.StateError | None = None
        try:
            answer = self.run(operation)
        except errors.StateError as error:
            refusal = error
        assert (type(refusal) if refusal else None) is outcome.refusal, f"instead: {refusal or answer!r}"
        for told in outcome.events:
            self._record(told)
        self.expect_list(ALL)
        return answer

    def expect_resource(self, outcome: Outcome, id: str, operation: Callable[[], Awaitable[AnyResource]]) -> None:
        """Run an operation that answers with the resource as it is afterwards."""
        answer = self.expect(outcome, operation)
        if outcome.refusal is None:
            assert typed(answer) == self.model.resources[id]

    def expect_list(self, query: Query) -> None:
        """List what matches, which must be what is there."""
        there = (resource for _, resource in sorted(self.model.resources.items()))
        listed = self.run(lambda: self.state.list(IntResource.kind(), query=query))
        assert [typed(found) for found in listed] == [found for found in there if query.matches(found.metadata)]

    def expect_nothing_more(self) -> None:
        """Raise AssertionError if more has happened than was foreseen: the next event must be of what is done now."""
        last = integer("last", 0)
        self.expect_resource(self.model.create(last, ""), "last", lambda: self.state.create(last))

    def _record(self, foreseen: Told) -> None:
        event = self.run(self.scribe.next)
        assert foreseen.resource is not None
        found = typed(event.resource)
        assert found is not None
        assert event.type is foreseen.type
        assert found.equivalent(foreseen.resource)
        assert found.metadata.finalizers == foreseen.resource.metadata.finalizers
        before = self.model.resources.get(found.id)
        if event.type is EventType.UPDATED:
            assert before is not None
            assert typed(event.old) == before
            assert found.metadata.created == before.metadata.created
        else:
            assert event.old is None
        if event.type is EventType.DESTROYED:
            assert found == before
        assert event.bookmark
        self.model.record(Told(event.type, found, typed(event.old), bookmark=event.bookmark))
