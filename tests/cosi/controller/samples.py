"""Numbers, words, and the controllers that turn one into the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, destroy_ready, exclusive, strong, weak
from cosi.controller.engine.engine import Engine
from cosi.controller.runtime import Runtime
from cosi.resource.definition import Definition
from cosi.resource.resource import Resource, ResourceT
from cosi.resource.spec import Spec, field
from cosi.state.event import Event, EventType
from cosi.state.memory.state import MemoryState
from cosi.state.state import State

PATIENCE_SECONDS = 10.0
"""How long a promise may take to come true on a busy machine."""


class NumberSpec(Spec):
    """A number."""

    value: int = field(1, default=0)


class Number(Resource[NumberSpec]):
    """An input."""

    definition = Definition(type="Numbers.test.cosi.dev", default_namespace="default")

    @classmethod
    def of_value(cls, id: str, value: int) -> "Number":
        """Return a number."""
        return cls.new(id, NumberSpec(value=value))


class WordSpec(Spec):
    """A text."""

    text: str = field(1, default="")


class Word(Resource[WordSpec]):
    """An output."""

    definition = Definition(type="Words.test.cosi.dev", default_namespace="default")


class Spell(Controller):
    """Spells every number, and holds it while it is spelt."""

    name = "test.Spell"
    inputs = (strong(Number), destroy_ready(Word))
    outputs = (exclusive(Word),)

    def __init__(self) -> None:
        self.reconciles = 0

    async def run(self, runtime: Runtime) -> None:
        """Spell."""
        async for _ in runtime.reconcile():
            self.reconciles += 1
            numbers = await runtime.list(Number)
            async with runtime.tracked_outputs(Word):
                for number in numbers:
                    if not number.metadata.tearing_down:
                        await runtime.add_finalizer(number.pointer)
                        await runtime.modify(Word.new(number.id, WordSpec(text=str(number.spec.value))))
            words = {word.id for word in await runtime.list(Word)}
            for number in numbers:
                if number.metadata.tearing_down and number.id not in words:
                    await runtime.remove_finalizer(number.pointer)


class Sum(Controller):
    """Adds up the numbers it was told to read."""

    name = "test.Sum"
    outputs = (exclusive(Number),)

    def __init__(self, *inputs: Input) -> None:
        self.inputs = inputs or (weak(Number),)

    async def run(self, runtime: Runtime) -> None:
        """Add up."""
        async for _ in runtime.reconcile():
            total = sum(number.spec.value for number in await runtime.list(Number))
            await runtime.modify(Number.new("sum", NumberSpec(value=total), namespace="sums"))


@asynccontextmanager
async def running(*controllers: Controller) -> AsyncIterator[State]:
    """Run controllers on an empty state, for as long as the body takes and no longer than patience allows."""
    state = State(MemoryState())
    engine = Engine(state)
    for controller in controllers:
        engine.register(controller)
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            await tasks.start(engine.run)
            yield state
            tasks.cancel_scope.cancel()


async def eventually(state: State, wanted: ResourceT) -> None:
    """Wait until a resource exists with this spec."""

    def arrived(event: Event) -> bool:
        if event.type is EventType.DESTROYED or event.resource is None:
            return False
        return bool(event.resource.spec == wanted.spec)

    await state.watch_for(wanted.pointer, arrived)


async def eventually_gone(state: State, resource: ResourceT) -> None:
    """Wait until a resource does not exist."""
    await state.watch_for(resource.pointer, lambda event: event.type is EventType.DESTROYED)
