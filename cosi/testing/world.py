"""A small world to try controllers in: an engine on a state in memory, and a clock that stands still until moved.

    async with running(Shout()) as world:
        await world.state.create(Greeting.new("hello", GreetingSpec(text="hi")))
        await world.expect(Shouted.new("hello", ShoutedSpec(text="HI")))

Every expectation first lets the controllers finish (`settle`), so there is nothing to wait for and nothing to poll. A
controller that fails makes the test fail when the world ends, unless the test says that it may (`allow_failures`, or
`world.failures.clear()` once it has looked at them). Nothing here depends on a test runner, nor on an
event loop: asyncio and trio will both do.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import anyio

from cosi.controller.controller import Controller
from cosi.controller.engine.engine import Engine
from cosi.controller.qcontroller import QController
from cosi.resource.metadata import Kind, Pointer
from cosi.resource.resource import AnyResource, ResourceT
from cosi.state.core import CoreState
from cosi.state.event import Event, EventType
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from cosi.testing.differences import difference, shows
from cosi.testing.faults import Faults

SETTLE_SECONDS: Final = 5.0
"""How long a world may take to come to rest, in real time; the clock of the world stands still meanwhile."""

MAX_RECONCILES: Final = 10_000
"""How many reconciles may be needed for that. Controllers that need more are taken to wake each other for ever."""

EVENTUALLY_SECONDS: Final = 5.0
"""How long `eventually` waits, in real time."""

QUIET_TURNS: Final = 3
"""Turns of the event loop in which nothing may happen before a world is at rest."""

PATIENT_TURNS: Final = 200
"""Turns after which waiting for a thread, say, goes on in longer steps."""

AnyController = Controller | QController


class Failure(NamedTuple):
    """A controller failed at something, and was or will be retried."""

    controller: str
    what: str
    error: Exception


class World:
    """What a test holds. `state` is for the test's own reads and writes, `faults` for what the controllers' meet."""

    def __init__(self, core: CoreState, make: Callable[[], Sequence[AnyController]]) -> None:
        self.core = core
        self.state = State(core)
        self.faults = Faults(core)
        self.clock = ManualClock(self.settle)
        self.failures: list[Failure] = []
        self.engine: Engine
        self._make = make
        self._life = anyio.CancelScope()
        self._alive = False
        self._ended = False

    async def settle(self) -> None:
        """Let the controllers do all that can be done without time passing.

        Raises AssertionError if that never ends.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        reconciles = self._reconciles()
        turns = quiet = 0
        while quiet < QUIET_TURNS:
            turns += 1
            await (anyio.lowlevel.checkpoint() if turns < PATIENT_TURNS else anyio.sleep(0.001))
            quiet = quiet + 1 if self._alive and self.engine.idle else 0
            if self._reconciles() - reconciles > MAX_RECONCILES:
                raise AssertionError(f"the controllers keep waking each other or themselves: {self._told()}")
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"the controllers did not come to rest within {SETTLE_SECONDS:g} s: {self._told()}"
                )

    async def restart(self) -> None:
        """Stop all controllers where they are, and start new ones on what they left."""
        self.kill()
        await self.settle()

    def kill(self) -> None:
        """Cut all controllers off where they wait, now or next; new ones will be started."""
        self._alive = False
        self._life.cancel()

    async def expect(self, wanted: AnyResource) -> None:
        """Check that a resource exists with this spec, and with these labels if it has any."""
        await self.settle()
        found = await self.state.find(wanted.pointer)
        if found is None or not shows(found, wanted):
            raise AssertionError(difference(found, wanted) + await self._context(wanted.pointer.kind))

    async def expect_gone(self, of: Pointer | AnyResource) -> None:
        """Check that a resource does not exist."""
        await self.settle()
        pointer = of if isinstance(of, Pointer) else of.pointer
        found = await self.state.find(pointer)
        if found is not None:
            raise AssertionError(f"{found} should be gone" + await self._context(pointer.kind))

    async def expect_all(
        self, of: type[ResourceT], wanted: Sequence[ResourceT], *, namespace: str | None = None
    ) -> None:
        """Check that a kind consists of these resources and no others."""
        await self.settle()
        kind = of.kind(namespace=namespace)
        expected = {resource.id for resource in wanted}
        for found in await self.state.list(kind):
            if found.id not in expected:
                raise AssertionError(f"{found} should not exist" + await self._context(kind))
        for resource in wanted:
            await self.expect(resource)

    async def eventually(self, wanted: AnyResource) -> None:
        """Wait until a resource exists with this spec: for worlds that never come to rest."""

        def arrived(event: Event) -> bool:
            resource = event.resource
            return event.type is not EventType.DESTROYED and resource is not None and shows(resource, wanted)

        with anyio.move_on_after(EVENTUALLY_SECONDS):
            await self.state.watch_for(wanted.pointer, arrived)
            return
        found = await self.state.find(wanted.pointer)
        raise AssertionError(difference(found, wanted) + await self._context(wanted.pointer.kind))

    def check_failures(self) -> None:
        """Raise AssertionError if a controller has failed."""
        if self.failures:
            first = self.failures[0]
            others = f" (and {len(self.failures) - 1} more failures)" if len(self.failures) > 1 else ""
            raise AssertionError(f"{first.controller}: {first.what}: {first.error}{others}") from first.error

    async def live(self, core: CoreState, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run an engine on a core, and another one after each restart, until `end`."""
        started = False
        while not self._ended:
            self._life = anyio.CancelScope()
            self.engine = Engine(core, clock=self.clock, on_failure=self._failed)
            with self._life:
                for controller in self._make():
                    self.engine.register(controller)
                async with anyio.create_task_group() as tasks:
                    await tasks.start(self.engine.run)
                    self._alive = True
                    if not started:
                        task_status.started()
                        started = True

    def end(self) -> None:
        """Stop everything."""
        self._ended = True
        self._life.cancel()

    def _failed(self, controller: str, what: str, error: Exception) -> None:
        self.failures.append(Failure(controller, what, error))

    def _reconciles(self) -> int:
        return sum(counters.reconciles for counters in self.engine.counters.values())

    def _told(self) -> str:
        counts = (f"{name}: {counters.reconciles} reconciles" for name, counters in self.engine.counters.items())
        busy = ", ".join(self.engine.busy) or "nobody"
        return f"busy now: {busy}; so far {', '.join(counts)}"

    async def _context(self, kind: Kind) -> str:
        there = ", ".join(str(resource) for resource in await self.state.list(kind)) or "none"
        failures = "".join(f"\n  {each.controller}: {each.what}: {each.error!r}" for each in self.failures)
        return f"\nof this kind there are: {there}" + (f"\nfailures:{failures}" if failures else "")


@asynccontextmanager
async def running(
    *controllers: AnyController, core: CoreState | None = None, allow_failures: bool = False
) -> AsyncIterator[World]:
    """Run controllers while the body runs, on `core` or on a new state in memory.

    Raises AssertionError at the end if a controller has failed, unless failures are allowed.
    """
    async with living(lambda: controllers, core=core) as world:
        yield world
    if not allow_failures:
        world.check_failures()


@asynccontextmanager
async def living(
    make: Callable[[], Sequence[AnyController]],
    *,
    core: CoreState | None = None,
    around: Callable[[World], CoreState] = lambda world: world.faults,
) -> AsyncIterator[World]:
    """Run what `make` makes, anew after each restart; `around` wraps the core as the controllers see it."""
    world = World(core if core is not None else MemoryState(), make)
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        await tasks.start(world.live, around(world))
        # The task group would wrap what the test raises.
        try:
            yield world
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # a test runner's own failures are no Exceptions
            failure = error
        world.end()
    if failure is not None:
        raise failure
