"""How an output is written: what of it is the transform's, and what happens when others write as well."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from cosi.controller.engine.engine import Engine
from cosi.controller.generic.qtransform import QTransform
from cosi.controller.generic.transform import Transform
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Kind
from cosi.state import errors
from cosi.state.core import KIND_FROM_NOW, Watch, WatchKindOptions
from cosi.state.event import Event
from cosi.state.filtered import Verb
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, StrResource, StrSpec, integer, string
from cosi.testing.world import AnyController, running
from tests.cosi.controller.generic.spelling import NUMBER, WORD, QSpell, Spell, hold, let_go, set_number
from tests.cosi.controller.samples import eventually

pytestmark = pytest.mark.anyio

Make = Callable[[], AnyController]


def labelled(source: IntResource) -> StrResource:
    """Spell a number by labels and annotations."""
    word = {"word": str(source.spec.value)}
    return StrResource.new(source.id, StrSpec(), labels=word, annotations=word)


class Label(Transform[IntResource, StrResource]):
    """Spells all numbers by labels."""

    name = "test.Label"

    async def transform(self, runtime: Runtime, source: IntResource) -> StrResource:
        return labelled(source)


class QLabel(QTransform[IntResource, StrResource]):
    """Spells each number by labels."""

    name = "test.QLabel"

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        return labelled(source)


@pytest.mark.parametrize("make", [Label, QLabel])
async def test_labels_and_annotations_follow_the_input_and_finalizers_stay(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, WORD)
        await set_number(world, 2)
        await world.settle()

        metadata = (await world.state.get(WORD)).metadata
        assert metadata.labels == {"word": "2"}
        assert metadata.annotations == {"word": "2"}
        assert metadata.finalizers == ("somebody",)


@pytest.mark.parametrize("make", [Spell, QSpell])
async def test_a_write_that_somebody_else_was_faster_than_is_no_failure(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        conflict = errors.VersionConflict((await world.state.get(WORD)).metadata, expected=7)
        world.faults.fail(Verb.UPDATE, StrResource, error=conflict)
        await set_number(world, 2)
        await world.expect(string("one", "2"))
        assert not world.faults.pending


@pytest.mark.parametrize("make", [Spell, QSpell])
async def test_an_input_that_is_gone_before_it_can_be_held_is_no_failure(make: Make) -> None:
    async with running(make()) as world:
        await world.settle()
        world.faults.fail(Verb.UPDATE, IntResource, error=errors.NotFound(NUMBER))
        await set_number(world, 1)
        await world.expect_gone(WORD)
        assert not world.faults.pending

        await set_number(world, 2)
        await world.expect(string("one", "2"))


class Edit(QTransform[IntResource, StrResource]):
    """Makes the output out of the one that is there."""

    name = "test.Edit"

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        word = await runtime.find(StrResource, source.id)
        return (string(source.id, "") if word is None else word).with_spec(StrSpec(value=str(source.spec.value)))


async def test_an_output_made_of_the_former_one_takes_over_what_it_says_only() -> None:
    async with running(Edit()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, WORD)
        await world.state.teardown(WORD, owner="test.Edit")
        await let_go(world, WORD)
        await world.expect(string("one", "1"))
        assert not (await world.state.get(WORD)).metadata.tearing_down


class Forgetful(State):
    """A state whose watches of words tell nothing of what happens after they began."""

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        async with super().watch_kind(kind, options) as watch:
            yield Beginning(watch) if kind == StrResource.kind() else watch


class Beginning:
    """The beginning of a watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._told = False

    async def batch(self) -> Sequence[Event]:
        """Return the first events; then wait forever."""
        if self._told:
            await anyio.sleep_forever()
        self._told = True
        return await self._watch.batch()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._watch.__aiter__()


async def test_an_output_that_the_cache_does_not_show_yet_goes_before_its_input() -> None:
    state = Forgetful(MemoryState())
    engine = Engine(state, cached=[StrResource.kind()])
    engine.register(Spell())
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        await state.create(integer("one", 1))
        await eventually(state, string("one", "1"))

        await state.teardown_and_destroy(NUMBER)
        assert await state.find(WORD) is None
        tasks.cancel_scope.cancel()
