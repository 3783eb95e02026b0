"""Whatever happens to inputs, and whoever holds outputs meanwhile: in the end there are the outputs there should be."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.resource.metadata import Pointer
from cosi.state import errors
from cosi.testing.resources import IntResource, IntSpec, StrResource, string
from cosi.testing.world import AnyController, World, running
from tests.cosi.controller.generic.spelling import DESTROYED, LooseSpell, QSpell, Spell, hold, let_go

MAX_TURNS = 15
"""Turns of the event loop after which the controllers have usually done all there is to do."""


class Step(NamedTuple):
    """Something that happens to an input or its output, and how many turns pass before the next thing does."""

    action: str
    id: str
    value: int
    turns: int


ACTIONS = ("write", "write", "tear down", "destroy", "hold output", "let go of output", "hold input", "restart")

steps = st.builds(
    Step,
    action=st.sampled_from(ACTIONS),
    id=st.sampled_from("ab"),
    value=st.sampled_from([1, 2, DESTROYED]),
    turns=st.sampled_from([0, 1, 2, 3, 5, 8, MAX_TURNS, MAX_TURNS, MAX_TURNS]),
)


def outputs(inputs: Sequence[IntResource]) -> list[StrResource]:
    """Return what there is to be of these inputs: all that the controllers do, as a function."""
    return [
        string(each.id, str(each.spec.value))
        for each in inputs
        if not each.metadata.tearing_down and each.spec.value != DESTROYED
    ]


async def do(world: World, step: Step) -> None:
    """Take a step, which may be refused."""
    source, output = IntResource.pointer_to(step.id), StrResource.pointer_to(step.id)
    try:
        match step.action:
            case "write":
                await world.state.modify(IntResource.new(step.id, IntSpec(value=step.value)))
            case "tear down":
                await world.state.teardown(source)
            case "destroy":
                await world.state.destroy(source)
            case "hold output":
                await hold(world, output)
            case "let go of output":
                await let_go(world, output)
            case "hold input":
                await hold(world, source)
            case "restart":
                await world.restart()
    except (errors.NotFound, errors.Conflict):
        return
    finally:
        for _ in range(step.turns):
            await anyio.lowlevel.checkpoint()


async def let_go_of_all(world: World, pointers: Sequence[Pointer]) -> None:
    for pointer in pointers:
        await let_go(world, pointer)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("make", [Spell, LooseSpell, QSpell])
@settings(max_examples=150)
@given(happening=st.lists(steps, min_size=4, max_size=30))
def test_outputs_converge_and_every_input_can_go(
    make: Callable[[], AnyController], backend: str, happening: Sequence[Step]
) -> None:
    async def life() -> None:
        async with running(make()) as world:
            for step in happening:
                await do(world, step)
            await world.settle()
            await let_go_of_all(world, [each.pointer for each in await world.state.list(StrResource)])
            await let_go_of_all(world, [each.pointer for each in await world.state.list(IntResource)])
            await world.expect_all(StrResource, outputs(await world.state.list(IntResource)))

            for each in await world.state.list(IntResource):
                await world.state.teardown(each.pointer)
            await world.expect_all(StrResource, [])
            for each in await world.state.list(IntResource):
                await world.state.destroy(each.pointer)

    anyio.run(life, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("make", [Spell, QSpell])
@settings(max_examples=100)
@given(happening=st.lists(steps, min_size=4, max_size=30))
def test_no_held_input_goes_before_its_output(
    make: Callable[[], AnyController], backend: str, happening: Sequence[Step]
) -> None:
    async def life() -> None:
        async with running(make()) as world:
            for step in happening:
                await do(world, step)
                inputs = {each.id for each in await world.state.list(IntResource)}
                assert {each.id for each in await world.state.list(StrResource)} <= inputs

    anyio.run(life, backend=backend)
