"""Where the promises of a runtime are tried: a state for the test, and an engine that works on the same one.

The clock stands still until a test moves it, so that nothing is waited for in real time but what really happens. The
state may be in another process: a test can't know when an engine is at rest, only that something has come about.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

import anyio
import pytest

from cosi.controller.controller import Controller
from cosi.controller.engine.engine import Engine
from cosi.controller.engine.limiter import Rate
from cosi.controller.qcontroller import QController
from cosi.resource.metadata import Kind, Pointer
from cosi.resource.resource import AnyResource
from cosi.state.core import CoreState
from cosi.state.event import Event, EventType
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from cosi.testing.differences import difference, shows

PATIENCE_SECONDS: Final = 20.0
"""How long a promise may take to come true. Only a broken one ever takes it."""

LOOK_SECONDS: Final = 0.001
"""How often it is looked whether somebody waits for the clock, in real time."""


class Stage:
    """`state` is the test's, `core` what the engine works on: the same state, seen from wherever the engine is.

    `cached` are the kinds that the engine keeps in memory, `change_rate` limits its controllers' writes; no controller
    here needs more than twenty of them.
    """

    def __init__(
        self, state: State, core: CoreState, *, cached: Collection[Kind] = (), change_rate: Rate | None = None
    ) -> None:
        self.state = state
        self.clock = ManualClock()
        self._core = core
        self._cached = cached
        self._change_rate = change_rate

    @asynccontextmanager
    async def running(self, *controllers: Controller | QController) -> AsyncIterator[Engine]:
        """Run an engine with these controllers while the body runs."""
        engine = Engine(self._core, cached=self._cached, change_rate=self._change_rate, clock=self.clock)
        for controller in controllers:
            engine.register(controller)
        failure: BaseException | None = None
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                await tasks.start(engine.run)
                # The task group would wrap what a test raises.
                try:
                    yield engine
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:
                    failure = error
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def eventually(self, *wanted: AnyResource) -> None:
        """Wait until resources exist with these specs, without any time passing on the clock."""
        for resource in wanted:
            with anyio.move_on_after(PATIENCE_SECONDS / 2):
                await self.state.watch_for(resource.pointer, lambda event, to=resource: _arrived(event, to))  # type: ignore[misc]
                continue
            raise AssertionError(difference(await self.state.find(resource.pointer), resource))

    async def in_time(self, *wanted: AnyResource) -> None:
        """Wait until resources exist with these specs, and let time pass whenever somebody waits for it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hurry)
            try:
                await self.eventually(*wanted)
                failure = None
            except AssertionError as error:
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def until_due(self) -> float:
        """Wait until somebody waits for the clock; return how many seconds that takes."""
        while (seconds := self.clock.next_due) is None:  # noqa: ASYNC110 - what it waits for may be far away
            await anyio.sleep(LOOK_SECONDS)
        return seconds

    async def pass_time(self) -> float:
        """Wait until somebody waits for the clock, and let the time pass until the first wakes; return how long."""
        seconds = await self.until_due()
        await self.clock.advance(seconds)
        return seconds

    async def eventually_gone(self, *pointers: Pointer) -> None:
        """Wait until resources do not exist."""
        for pointer in pointers:
            await self.state.watch_for(pointer, lambda event: event.type is EventType.DESTROYED)

    async def eventually_torn_down(self, pointer: Pointer) -> None:
        """Wait until a resource is being torn down."""
        await self.state.watch_for(
            pointer, lambda event: event.resource is not None and event.resource.metadata.tearing_down
        )

    async def destroy(self, pointer: Pointer) -> None:
        """Tear a resource down and destroy it when everybody has let go of it."""
        await self.state.teardown_and_destroy(pointer)

    async def _hurry(self) -> None:
        while True:
            await self.pass_time()


class Staged:
    """The base of the kit's parts."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    async def stage(self) -> Stage:
        """Return the stage of one test; to be overridden."""
        raise NotImplementedError("override the `stage` fixture with one that yields a Stage")


def _arrived(event: Event, wanted: AnyResource) -> bool:
    return event.type is not EventType.DESTROYED and event.resource is not None and shows(event.resource, wanted)
