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

REST = 1000
"""Instead of a number of turns of the event loop: until the controllers have done all there is to do."""


class Step(NamedTuple):
    """Something that happens to an input or its output, and how many turns pass before the next thing does."""

    action: str
    id: str
    value: int
    turns: int


ACTIONS = (*4 * ("write",), *3 * ("output",), *2 * ("end",), "input", "restart")
"""Write or end an input, hold or let go of an output or input, restart the controllers."""

steps = st.builds(
    Step,
    action=st.sampled_from(ACTIONS),
    id=st.sampled_from("aaab"),
    value=st.sampled_from([1, 2, DESTROYED]),
    turns=st.sampled_from([REST, REST, REST, 0, 1, 2, 3, 5, 8]),
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
            case "end":
                await world.state.teardown(source)
                await let_pass(world, step.turns)
                await world.state.destroy(source)
            case "output":
                await hold_or_let_go(world, output)
            case "input":
                await hold_or_let_go(world, source)
            case "restart":
                await world.restart()
    except (errors.NotFound, errors.Conflict):
        return
    finally:
        await let_pass(world, step.turns)


async def hold_or_let_go(world: World, pointer: Pointer) -> None:
    """Be somebody who holds a resource, or does not any more."""
    if "somebody" in (await world.state.get(pointer)).metadata.finalizers:
        await let_go(world, pointer)
    else:
        await hold(world, pointer)


async def let_pass(world: World, turns: int) -> None:
    """Let the controllers do something meanwhile, or everything."""
    if turns == REST:
        await world.settle()
    else:
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()


async def let_go_of_all(world: World, pointers: Sequence[Pointer]) -> None:
    for pointer in pointers:
        await let_go(world, pointer)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("make", [Spell, LooseSpell, QSpell])
@settings(max_examples=150)
@given(happening=st.lists(steps, min_size=5, max_size=30))
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
            assert not [each for each in await world.state.list(StrResource) if each.metadata.tearing_down]

            for each in await world.state.list(IntResource):
                await world.state.teardown(each.pointer)
            await world.expect_all(StrResource, [])
            for each in await world.state.list(IntResource):
                await world.state.destroy(each.pointer)

    anyio.run(life, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("make", [Spell, QSpell])
@settings(max_examples=100)
@given(happening=st.lists(steps, min_size=5, max_size=30))
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
