"""Random graphs of controllers, killed and hindered at random, end where a plain function of their inputs says.

Each stage reads a namespace that an earlier one has written, and writes one of its own: number by number with a
QTransform or a Transform, or all numbers summed up by a Controller. Clients set and remove numbers meanwhile, processes
die, and accesses of the state fail before they happen or after.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import anyio
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.controller.controller import Controller
from cosi.controller.dependencies import OutputSharing, shared, weak
from cosi.controller.generic.destroy import Destroy
from cosi.controller.generic.qtransform import QTransform
from cosi.controller.generic.transform import Transform
from cosi.controller.qcontroller import QController
from cosi.controller.runtime import Runtime
from cosi.state import errors
from cosi.state.filtered import Verb
from cosi.testing.resources import IntResource, integer
from cosi.testing.world import AnyController, World, living

IDS = ("a", "b", "c")
LAST_BACKOFF_SECONDS = 200.0
"""Longer than any backoff that so few failures can bring about."""

Numbers = Mapping[str, int]


class Stage(NamedTuple):
    """What is done to the numbers of which earlier stage, 0 being the clients."""

    kind: str
    source: int
    amount: int

    def apply(self, numbers: Numbers) -> Numbers:
        if self.kind == "sum":
            return {"sum": sum(numbers.values()) + self.amount}
        return {id: number + self.amount for id, number in numbers.items()}


def namespace(stage: int) -> str:
    return f"stage-{stage}"


def controller(stage: Stage, position: int) -> AnyController:
    """Make the controller of a stage, which writes the namespace of its position."""
    source, target, amount = namespace(stage.source), namespace(position), stage.amount

    class Sum(Controller):
        name = f"chaos.Sum{position}"
        inputs = (weak(IntResource, namespace=source),)
        outputs = (shared(IntResource),)

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                numbers = await runtime.list(IntResource, namespace=source)
                await anyio.lowlevel.checkpoint()  # everybody is to meet everybody in the middle of something
                total = sum(number.spec.value for number in numbers if not number.metadata.tearing_down)
                await runtime.modify(integer("sum", total + amount, namespace=target))

    class Shift(Transform[IntResource, IntResource]):
        name = f"chaos.Shift{position}"
        input_namespace, output_namespace = source, target
        input_finalizers = True
        output_sharing = OutputSharing.SHARED

        async def transform(self, runtime: Runtime, source: IntResource) -> IntResource:
            await anyio.lowlevel.checkpoint()
            return integer(source.id, source.spec.value + amount, namespace=target)

    class QShift(QTransform[IntResource, IntResource]):
        name = f"chaos.QShift{position}"
        input_namespace, output_namespace = source, target
        output_sharing = OutputSharing.SHARED
        concurrency = 2

        async def transform(self, runtime: object, source: IntResource) -> IntResource:
            await anyio.lowlevel.checkpoint()
            return integer(source.id, source.spec.value + amount, namespace=target)

    kinds: Mapping[str, type[Controller] | type[QController]] = {"sum": Sum, "shift": Shift, "qshift": QShift}
    return kinds[stage.kind]()


def expected(stages: Sequence[Stage], numbers: Numbers) -> Sequence[Numbers]:
    results = [numbers]
    for stage in stages:
        results.append(stage.apply(results[stage.source]))
    return results


@st.composite
def graphs(draw: st.DrawFn) -> Sequence[Stage]:
    kinds, amounts = st.sampled_from(["sum", "shift", "qshift"]), st.integers(-5, 5)
    count = draw(st.integers(1, 4))
    return [Stage(draw(kinds), draw(st.integers(0, position)), draw(amounts)) for position in range(count)]


STEPS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(IDS), st.integers(0, 9)),
    st.tuples(st.just("remove"), st.sampled_from(IDS)),
    st.tuples(st.just("kill")),
    st.tuples(st.just("fault"), st.sampled_from([Verb.CREATE, Verb.UPDATE, Verb.GET, Verb.DESTROY]), st.booleans()),
    st.tuples(st.just("settle")),
    st.tuples(st.just("turns"), st.integers(1, 6)),
    st.tuples(st.just("advance"), st.floats(0.1, 5)),
)


async def take(step: Sequence[object], world: World) -> None:
    match step:
        case ("set", str(id), int(value)):
            try:
                await world.state.modify(integer(id, value, namespace=namespace(0)))
            except errors.PhaseConflict:
                return  # it is being removed
        case ("remove", str(id)):
            try:
                await world.state.teardown(IntResource.pointer_to(id, namespace=namespace(0)))
            except errors.NotFound:
                return
        case ("kill",):
            world.kill()
        case ("fault", Verb() as verb, bool(after)):
            world.faults.fail(verb, after=after)
        case ("turns", int(turns)):
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
        case ("settle",):
            await world.settle()
        case ("advance", float(seconds)):
            await world.clock.advance(seconds)


async def run(stages: Sequence[Stage], steps: Sequence[Sequence[object]]) -> None:
    def make() -> Sequence[AnyController]:
        own = [controller(stage, position + 1) for position, stage in enumerate(stages)]
        return [*own, Destroy(IntResource, namespace=namespace(0))]

    async with living(make) as world:
        for step in steps:
            await take(step, world)
        world.faults.forgive()
        await world.clock.advance(LAST_BACKOFF_SECONDS)

        clients = await world.state.list(IntResource, namespace=namespace(0))
        numbers = {number.id: number.spec.value for number in clients}
        for position, result in enumerate(expected(stages, numbers)):
            found = await world.state.list(IntResource, namespace=namespace(position))
            assert {number.id: number.spec.value for number in found} == result, f"stage {position}"
            assert not any(number.metadata.tearing_down for number in found)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_whatever_happens_the_end_is_what_a_plain_function_says(backend: str) -> None:
    @settings(max_examples=300)
    @given(graphs(), st.lists(STEPS, max_size=25))
    def converge(stages: Sequence[Stage], steps: Sequence[Sequence[object]]) -> None:
        with structlog.testing.capture_logs():
            anyio.run(run, stages, steps, backend=backend)

    converge()
