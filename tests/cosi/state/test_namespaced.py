"""A namespaced state is one state to its users, and one core a namespace to who provides them."""

from __future__ import annotations

import pytest

from cosi.resource.metadata import Pointer
from cosi.state import errors
from cosi.state.core import CoreState, SupportsTeardown, WatchKindOptions, WatchOptions
from cosi.state.memory.state import MemoryState
from cosi.state.namespaced import MAX_NAMESPACES, Namespaced
from cosi.state.owned import Owned
from cosi.state.state import State
from cosi.testing.conformance.subject import LEAST_HISTORY_EVENTS
from cosi.testing.conformance.teardown import Teardown
from cosi.testing.listener import listen, listen_kind
from cosi.testing.resources import PathResource, path
from cosi.testing.state_conformance import StateConformance

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestNamespaced(StateConformance):
    overrun_events = 3 * LEAST_HISTORY_EVENTS

    @pytest.fixture
    def state(self) -> State:
        return State(Namespaced(lambda _: MemoryState(history=LEAST_HISTORY_EVENTS, gap=2)))


class TestNamespacedTeardown(Teardown):
    """So it is with cores that tear down in one step."""

    @pytest.fixture
    def state(self) -> State:
        return State(Namespaced(lambda _: State(MemoryState())))


class Cores:
    """Makes a core in memory for each namespace, and keeps it for the test to see."""

    def __init__(self) -> None:
        self.made: list[tuple[str, CoreState]] = []

    def __call__(self, namespace: str) -> CoreState:
        self.made.append((namespace, MemoryState()))
        return self.made[-1][1]


async def test_a_namespaces_core_is_made_when_first_used_and_then_kept() -> None:
    cores = Cores()
    state = State(Namespaced(cores))
    assert cores.made == []

    await state.create(path("a", namespace="one"))
    await state.create(path("b", namespace="one"))
    await state.list(PathResource, namespace="two")

    assert [namespace for namespace, _ in cores.made] == ["one", "two"]


async def test_each_namespace_lives_in_its_own_core() -> None:
    cores = Cores()
    state = State(Namespaced(cores))

    for namespace in ("one", "two"):
        await state.create(path("same", namespace=namespace))

    for namespace, core in cores.made:
        other = {"one": "two", "two": "one"}[namespace]
        assert await State(core).find(PathResource, "same", namespace=namespace) is not None
        assert await State(core).find(PathResource, "same", namespace=other) is None


async def test_a_bookmark_of_another_namespace_is_invalid() -> None:
    state = State(Namespaced(lambda _: MemoryState()))
    async with listen_kind(state, PathResource.kind(namespace="one")) as events:
        for namespace in ("one", "two"):
            await state.create(path("a", namespace=namespace))
        bookmark = (await events.next()).bookmark

    with pytest.raises(errors.InvalidBookmark):
        async with listen_kind(state, PathResource.kind(namespace="two"), WatchKindOptions(bookmark=bookmark)):
            pass
    with pytest.raises(errors.InvalidBookmark):
        async with listen(state, PathResource.pointer_to("a", namespace="two"), WatchOptions(bookmark=bookmark)):
            pass


async def test_one_namespace_too_many_is_refused_and_the_others_work_on() -> None:
    cores = Cores()
    state = State(Namespaced(cores))
    for number in range(MAX_NAMESPACES):
        await state.create(path("a", namespace=f"n{number}"))
    one_more = Pointer("one-more", PathResource.definition.type, "a")

    for attempt in (
        lambda: state.get(one_more),
        lambda: state.list(one_more.kind),
        lambda: state.create(path("a", namespace="one-more")),
        lambda: state.update(path("a", namespace="one-more")),
        lambda: state.destroy(one_more),
        lambda: state.teardown(one_more),
        lambda: state.teardown_and_destroy(one_more),
        lambda: state.watch(one_more).__aenter__(),
        lambda: state.watch_kind(one_more.kind).__aenter__(),
    ):
        with pytest.raises(errors.LimitExceeded, match=f'namespace "one-more" .* at most {MAX_NAMESPACES} namespaces'):
            await attempt()

    assert len(cores.made) == MAX_NAMESPACES
    await state.create(path("b", namespace="n0"))


async def test_a_factory_that_fails_is_asked_again() -> None:
    problems = [OSError("the disk is not there yet")]

    def core_of(namespace: str) -> CoreState:
        if problems:
            raise problems.pop()
        return MemoryState()

    state = State(Namespaced(core_of))

    with pytest.raises(OSError, match="the disk"):
        await state.create(path("a"))

    await state.create(path("a"))


async def test_teardown_takes_the_step_of_the_namespaces_core_where_it_has_one() -> None:
    below = {"plain": State(MemoryState()), "native": State(MemoryState())}
    # Only the core's own step knows whose the resource is.
    cores = {"plain": below["plain"].core, "native": Owned(below["native"], "its.Owner")}
    state = State(Namespaced(cores.__getitem__))
    for namespace in cores:
        await state.create(path("a", namespace=namespace))

    for namespace in cores:
        await state.teardown_and_destroy(PathResource.pointer_to("a", namespace=namespace))

    assert isinstance(state.core, SupportsTeardown)
    for namespace, memory in below.items():
        assert await memory.list(PathResource, namespace=namespace) == []
