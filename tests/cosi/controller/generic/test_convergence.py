"""Whatever happens to inputs, and whoever holds outputs meanwhile: in the end there are the outputs there should be."""

from collections.abc import Callable, Sequence

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

IDS = ("a", "b", "c")
MAX_TURNS = 12
"""Turns of the event loop after which the controllers have usually done all there is to do."""

Step = tuple[str, str, int]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(IDS), st.sampled_from([0, 1, 2, DESTROYED])),
        st.tuples(
            st.sampled_from(["tear down", "destroy", "hold output", "let go of output", "hold input"]),
            st.sampled_from(IDS),
            st.just(0),
        ),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, MAX_TURNS)),
        st.tuples(st.just("restart"), st.just(""), st.just(0)),
    ),
    max_size=30,
)


def outputs(inputs: Sequence[IntResource]) -> list[StrResource]:
    """Return what there is to be of these inputs: the whole of what the controllers do, as a function."""
    return [
        string(each.id, str(each.spec.value))
        for each in inputs
        if not each.metadata.tearing_down and each.spec.value != DESTROYED
    ]


async def do(world: World, step: Step) -> None:
    """Do something that may be refused."""
    action, id, number = step
    source, output = IntResource.pointer_to(id), StrResource.pointer_to(id)
    try:
        match action:
            case "write":
                await world.state.modify(IntResource.new(id, IntSpec(value=number)))
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
            case "wait":
                for _ in range(number):
                    await anyio.lowlevel.checkpoint()
    except (errors.NotFound, errors.Conflict):
        return


async def let_go_of_all(world: World, pointers: Sequence[Pointer]) -> None:
    for pointer in pointers:
        await let_go(world, pointer)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("make", [Spell, LooseSpell, QSpell])
@settings(max_examples=60)
@given(happening=steps)
def test_outputs_converge_and_every_input_can_go(
    make: Callable[[], AnyController], backend: str, happening: Sequence[Step]
) -> None:
    async def life() -> None:
        async with running(make()) as world:
            for step in happening:
                await do(world, step)
            await world.settle()
            for kind in (StrResource, IntResource):
                await let_go_of_all(world, [each.pointer for each in await world.state.list(kind.kind())])
            await world.expect_all(StrResource, outputs(await world.state.list(IntResource)))

            for each in await world.state.list(IntResource):
                await world.state.teardown(each.pointer)
            await world.expect_all(StrResource, [])
            for each in await world.state.list(IntResource):
                await world.state.destroy(each.pointer)

    anyio.run(life, backend=backend)
