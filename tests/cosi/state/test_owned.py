"""An owned state writes in its owner's name, and keeps every other promise of a state."""

from __future__ import annotations

import anyio
import pytest

from cosi.resource.metadata import Phase
from cosi.state import errors
from cosi.state.core import SupportsTeardown
from cosi.state.filtered import Filtered, Policy
from cosi.state.memory.state import MemoryState
from cosi.state.metered import Metered, PrometheusMetrics
from cosi.state.namespaced import Namespaced
from cosi.state.owned import Owned
from cosi.state.state import State
from cosi.testing.conformance.subject import LEAST_HISTORY_EVENTS
from cosi.testing.conformance.teardown import Teardown
from cosi.testing.resources import PathResource, PathSpec, path
from cosi.testing.state_conformance import StateConformance

pytestmark = pytest.mark.anyio

OWNER = "test.Owner"
POINTER = PathResource.pointer_to("a")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestOwned(StateConformance):
    overrun_events = 3 * LEAST_HISTORY_EVENTS

    @pytest.fixture
    def state(self) -> State:
        return State(Owned(MemoryState(history=LEAST_HISTORY_EVENTS, gap=2), OWNER))

    async def test_a_created_resource_can_be_read(self, state: State, namespace: str) -> None:
        """As everywhere, but for the owner: elsewhere there is none."""
        wanted = path("var/run", namespace=namespace, labels={"app": "one"})

        await state.create(wanted)

        found = await state.get(PathResource, "var/run", namespace=namespace)
        assert found.spec == wanted.spec
        assert found.metadata.owner == OWNER
        assert found.metadata.labels == {"app": "one"}


class TestAllWrappersOnTopOfEachOther(TestOwned):
    """Metered, filtered, owned, and a core for each namespace: the promises hold for the whole stack."""

    @pytest.fixture
    def state(self) -> State:
        core = Namespaced(lambda _: MemoryState(history=LEAST_HISTORY_EVENTS, gap=2))
        return State(Metered(Filtered(Owned(core, OWNER), Policy(default=True)), PrometheusMetrics()))


class TestOwnedTeardown(Teardown):
    """So it is with a core that tears down in one step."""

    @pytest.fixture
    def state(self) -> State:
        return State(Owned(State(MemoryState()), OWNER))


@pytest.fixture(params=["in one step", "step by step"])
def core(request: pytest.FixtureRequest) -> State:
    """The state below; what is owned of it tears down in one way or the other."""
    memory = MemoryState()
    return State(State(memory) if request.param == "in one step" else memory)


@pytest.fixture
def owned(core: State) -> State:
    return State(Owned(core.core, OWNER))


async def test_what_is_created_is_the_owners(core: State, owned: State) -> None:
    created = await owned.create(path("a"))
    modified = await owned.modify(path("b"))

    assert created.metadata.owner == modified.metadata.owner == OWNER
    assert (await core.get(POINTER)).metadata.owner == OWNER


async def test_the_owner_does_what_it_likes_with_its_own(core: State, owned: State) -> None:
    await owned.create(path("a"))

    await owned.modify(PathResource.new("a", PathSpec(path="/elsewhere")))
    assert await owned.teardown(POINTER)
    await owned.destroy(POINTER)
    await owned.create(path("a"))
    await owned.teardown_and_destroy(POINTER)

    assert await core.find(POINTER) is None


@pytest.mark.parametrize("other", ["", "somebody else"])
async def test_what_is_not_the_owners_is_left_alone(core: State, owned: State, other: str) -> None:
    stored = await core.create(path("a"), owner=other)

    for attempt in (
        lambda: owned.update(stored),
        lambda: owned.update(stored.with_spec(PathSpec(path="/stolen"))),
        lambda: owned.update(stored.with_metadata(stored.metadata.with_labels(stolen=""))),
        lambda: owned.modify(PathResource.new("a", PathSpec(path="/stolen"))),
        lambda: owned.teardown(POINTER),
        lambda: owned.teardown_and_destroy(POINTER),
        lambda: owned.destroy(POINTER),
    ):
        with pytest.raises(errors.OwnerConflict):
            await attempt()

    assert await core.get(POINTER) == stored


@pytest.mark.parametrize("other", ["", "somebody else", OWNER])
async def test_it_can_hold_and_let_go_of_whatever_there_is(core: State, owned: State, other: str) -> None:
    await core.create(path("a"), owner=other)

    await owned.add_finalizers(POINTER, "A", "B")
    await core.teardown(POINTER, owner=other)
    await owned.remove_finalizers(POINTER, "A")

    found = (await core.get(POINTER)).metadata
    assert (found.finalizers, found.owner, found.phase) == (("B",), other, Phase.TEARING_DOWN)


async def test_finalizers_of_what_nobody_owns_are_not_lost_to_rivals(core: State, owned: State) -> None:
    await core.create(path("a"))

    async with anyio.create_task_group() as tasks:
        for name in "ABCD":
            tasks.start_soon(owned.add_finalizers, POINTER, name)
            tasks.start_soon(core.add_finalizers, POINTER, name.lower())

    assert sorted((await core.get(POINTER)).metadata.finalizers) == sorted("ABCDabcd")


async def test_a_stale_change_of_finalizers_is_told_to_read_again(core: State, owned: State) -> None:
    stale = await core.create(path("a"))
    await core.update(stale)

    with pytest.raises(errors.VersionConflict):
        await owned.update(stale.with_metadata(stale.metadata.with_finalizers("A")))


async def test_what_is_read_may_be_anybodys(core: State, owned: State) -> None:
    stored = await core.create(path("a"), owner="somebody else")

    assert await owned.get(POINTER) == stored
    assert await owned.list(PathResource) == [stored]


async def test_another_owner_can_be_named(core: State, owned: State) -> None:
    await core.create(path("a"), owner="former.Owner")

    await owned.teardown_and_destroy(POINTER, owner="former.Owner")
    created = await owned.create(path("a"), owner="former.Owner")

    assert created.metadata.owner == "former.Owner"


async def test_teardown_in_one_step_is_there_just_where_the_core_has_it() -> None:
    assert not isinstance(Owned(MemoryState(), OWNER), SupportsTeardown)
    assert isinstance(Owned(State(MemoryState()), OWNER), SupportsTeardown)


async def test_an_owner_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the name of its owner"):
        Owned(MemoryState(), "")
