"""Checks that controllers do what they do again and again without harm, however often they are cut off.

    async def greeted(world: World) -> None:
        await world.state.create(Greeting.new("hello", GreetingSpec(text="hi")))
        await world.expect(Shouted.new("hello", ShoutedSpec(text="HI")))

    await check_idempotent(lambda: [Shout()], greeted)
    await check_survives_cuts(lambda: [Shout()], greeted)

A process can die between any two of its steps, and what it had written stays. So a scenario is run once undisturbed,
and then again and again, cut off one step later each time: before an access of the state, after it, and wherever a
controller waits. Other controllers, made anew, go on with what is there; in the end everything must be as if nothing
had happened.
"""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import anyio

from cosi.controller.controller import Controller
from cosi.controller.qcontroller import QController
from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.memory.state import MemoryState
from cosi.testing.differences import described
from cosi.testing.world import AnyController, World, living

MAX_CUTS: Final = 2_000
"""How many places a scenario may be cut off at; a larger one wants to be two."""

Make = Callable[[], Sequence[AnyController]]
Scenario = Callable[[World], Awaitable[None]]


async def check_idempotent(make: Make, scenario: Scenario) -> None:
    """Check that controllers which start over on what they have done write nothing. Raises AssertionError."""
    state = MemoryState()
    async with living(make, core=state) as world:
        await scenario(world)
        await world.settle()
        before = await _versions(state)
        await world.restart()
        await world.settle()
        after = await _versions(state)
        world.check_failures()
    changed = [f"{pointer}: version {before.get(pointer)} became {after.get(pointer)}" for pointer in before | after
               if before.get(pointer) != after.get(pointer)]  # fmt: skip
    if changed:
        raise AssertionError("controllers that start again have nothing to do, but wrote\n  " + "\n  ".join(changed))


async def check_survives_cuts(make: Make, scenario: Scenario) -> int:
    """Check that controllers can be cut off anywhere; return how many places there were. Raises AssertionError."""
    undisturbed = await _outcome(make, scenario, _Cut(0))
    for place in count(1):
        cut = _Cut(place)
        try:
            outcome = await _outcome(make, scenario, cut)
        except AssertionError as error:
            raise AssertionError(f"cut off at step {place} ({cut.where}): {error}") from error
        if not cut.made:
            if place == 1:
                raise AssertionError("there was nothing to cut off: the scenario gave the controllers nothing to do")
            return place - 1
        if outcome != undisturbed:
            raise AssertionError(
                f"cut off at step {place} ({cut.where}), it ended differently:\n{_unlike(undisturbed, outcome)}"
            )
        if place == MAX_CUTS:
            raise AssertionError(f"the scenario has more than {MAX_CUTS} steps; make it smaller")
    raise AssertionError("not reached")


class _Cut:
    """Where to cut off: at which step, counted over everything the controllers of one run do; 0 is nowhere."""

    def __init__(self, place: int) -> None:
        self.made = False
        self.where = ""
        self._world: World | None = None
        self._left = place

    def accesses(self, world: World) -> CoreState:
        """Return the world's core with accesses that are steps."""
        self._world = world
        return _Accesses(world.core, self)

    async def step(self, where: str) -> None:
        """Take a step, which may be the last: then wait for the end."""
        if self.takes(where):
            await anyio.sleep_forever()

    def takes(self, where: str) -> bool:
        """Tell whether this step is the last, and begin the end."""
        self._left -= 1
        if self._left != 0:
            return False
        assert self._world is not None
        self.made = True
        self.where = where
        self._world.kill()
        return True


async def _outcome(make: Make, scenario: Scenario, cut: _Cut) -> Mapping[Pointer, str]:
    """Run a scenario to its end and return what is there then."""
    state = MemoryState()

    def interrupted() -> Sequence[AnyController]:
        return [_interrupted(controller, cut) for controller in make()]

    async with living(interrupted, core=state, around=cut.accesses) as world:
        await scenario(world)
        await world.settle()
        world.check_failures()
        return {resource.pointer: _told(resource) for kind in state.kinds() for resource in await state.list(kind)}


def _interrupted(controller: AnyController, cut: _Cut) -> AnyController:
    """Have a controller's own waits counted as steps."""
    name = controller.name

    def counting(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def counted(*arguments: Any) -> Any:
            return await _counting(function(*arguments), lambda: cut.takes(f"while {name} was waiting"))

        return counted

    if isinstance(controller, QController):
        controller.reconcile = counting(controller.reconcile)  # type: ignore[method-assign]
        controller.map_input = counting(controller.map_input)  # type: ignore[method-assign]
    elif isinstance(controller, Controller):
        controller.run = counting(controller.run)  # type: ignore[method-assign]
    return controller


@types.coroutine
def _counting(coroutine: Coroutine[Any, Any, Any], waits: Callable[[], object]) -> Generator[Any, Any, Any]:
    """Await a coroutine; `waits` is told of each time that it has to wait."""
    step, value = coroutine.send, None
    while True:
        try:
            request = step(value)
        except StopIteration as stop:
            return stop.value
        waits()
        try:
            value = yield request
            step = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            step, value = coroutine.throw, error


class _Accesses:
    """A core state each access of which is two steps: before it happens, and after."""

    def __init__(self, core: CoreState, cut: _Cut) -> None:
        self._core = core
        self._step = cut.step

    async def get(self, pointer: Pointer) -> AnyResource:
        await self._step(f"before the get of {pointer}")
        return await self._core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        await self._step(f"before the list of {kind.type}")
        return await self._core.list(kind, query=query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        await self._step(f"before the create of {resource.pointer}")
        stored = await self._core.create(resource, owner=owner)
        await self._step(f"after the create of {resource.pointer}")
        return stored

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        await self._step(f"before the update of {resource.pointer}")
        stored = await self._core.update(resource, owner=owner, expected_phase=expected_phase)
        await self._step(f"after the update of {resource.pointer}")
        return stored

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        await self._step(f"before the destroy of {pointer}")
        await self._core.destroy(pointer, owner=owner)
        await self._step(f"after the destroy of {pointer}")

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[Watch]:
        await self._step(f"before the watch of {pointer}")
        async with self._core.watch(pointer, options) as watch:
            yield watch

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        async with self._core.watch_kind(kind, options) as watch:
            yield watch


async def _versions(state: MemoryState) -> dict[Pointer, int | None]:
    return {
        resource.pointer: resource.metadata.version for kind in state.kinds() for resource in await state.list(kind)
    }


def _told(resource: AnyResource) -> str:
    metadata = resource.metadata
    finalizers = " ".join(sorted(metadata.finalizers))
    return f"{described(resource)}owner: {metadata.owner}\nphase: {metadata.phase}\nfinalizers: [{finalizers}]\n"


def _unlike(wanted: Mapping[Pointer, str], found: Mapping[Pointer, str]) -> str:
    return "\n".join(
        f"{pointer} should be\n{wanted.get(pointer, 'gone')}\nand is\n{found.get(pointer, 'gone')}"
        for pointer in wanted.keys() | found.keys()
        if wanted.get(pointer) != found.get(pointer)
    )
