"""A filtered state does what its rule allows, and nothing else reaches the core; a policy has no surprises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.resource.metadata import Phase
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state import errors
from cosi.state.core import SupportsTeardown
from cosi.state.filtered import EVERYTHING, READS, WRITES, Access, Clause, Filtered, Policy, Verb
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.conformance.subject import LEAST_HISTORY_EVENTS
from cosi.testing.conformance.teardown import Teardown
from cosi.testing.listener import WAIT_SECONDS, listen_kind
from cosi.testing.resources import PathResource, PathSpec, path, sample_registry
from cosi.testing.state_conformance import StateConformance

NAMES = ("a", "b", "c")
TYPE = PathResource.definition.type
KIND = PathResource.kind()
POINTER = PathResource.pointer_to("a")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestFiltered(StateConformance):
    """Where all is allowed, nothing is missing."""

    overrun_events = 3 * LEAST_HISTORY_EVENTS

    @pytest.fixture
    def state(self) -> State:
        return State(Filtered(MemoryState(history=LEAST_HISTORY_EVENTS, gap=2), Policy(default=True)))


class TestFilteredTeardown(Teardown):
    """So it is with a core that tears down in one step."""

    @pytest.fixture
    def state(self) -> State:
        return State(Filtered(State(MemoryState()), Policy(default=True)))


async def _watch(state: State) -> None:
    async with state.watch(POINTER):
        pass


async def _watch_kind(state: State) -> None:
    async with state.watch_kind(KIND):
        pass


CALLS: dict[Verb, list[Callable[[State], Awaitable[object]]]] = {
    Verb.GET: [lambda state: state.get(POINTER)],
    Verb.LIST: [lambda state: state.list(KIND)],
    Verb.CREATE: [lambda state: state.create(path("new"))],
    Verb.UPDATE: [lambda state: state.update(path("a"))],
    Verb.DESTROY: [lambda state: state.destroy(POINTER)],
    Verb.WATCH: [_watch, _watch_kind],
}
"""Every primitive of a core, by what it is to a rule."""

DERIVED: list[tuple[Callable[[State], Awaitable[object]], set[Verb]]] = [
    (lambda state: state.teardown(POINTER), {Verb.GET, Verb.UPDATE}),
    (lambda state: state.teardown_and_destroy(POINTER), {Verb.GET, Verb.UPDATE, Verb.WATCH, Verb.DESTROY}),
    (lambda state: state.add_finalizers(POINTER, "B"), {Verb.GET, Verb.UPDATE}),
    (lambda state: state.modify(PathResource.new("a", PathSpec(path="/b"))), {Verb.GET, Verb.UPDATE}),
    (lambda state: state.modify(path("new")), {Verb.GET, Verb.CREATE}),
]
"""What is made of primitives, with all that it may come down to."""


class TestRefusal:
    """What a rule refuses."""

    pytestmark = pytest.mark.anyio

    @pytest.mark.parametrize("verb", Verb)
    async def test_what_is_not_allowed_is_refused_and_changes_nothing(self, verb: Verb) -> None:
        core = State(MemoryState())
        stored = await core.create(path("a"))
        state = State(Filtered(core, Policy(default=True).deny(verbs={verb})))

        async with listen_kind(core, KIND) as events:
            for call in CALLS[verb]:
                with pytest.raises(errors.AccessDenied):
                    await call(state)
            last = await core.update(stored)

            assert (await events.next()).resource == last

    @pytest.mark.parametrize("verb", Verb)
    async def test_what_is_allowed_needs_nothing_else(self, verb: Verb) -> None:
        core = State(MemoryState())
        await core.create(path("a"))
        state = State(Filtered(core, Policy().allow(verbs={verb})))

        for call in CALLS[verb]:
            try:
                await call(state)
            except errors.VersionConflict:
                assert verb is Verb.UPDATE

    @pytest.mark.parametrize("one_step", [True, False], ids=["in one step", "step by step"])
    @pytest.mark.parametrize("step", range(len(DERIVED)))
    async def test_what_is_derived_needs_what_it_comes_down_to(self, step: int, one_step: bool) -> None:
        call, verbs = DERIVED[step]
        for missing in verbs:
            memory = State(MemoryState())
            await memory.create(path("a"))
            await memory.add_finalizers(POINTER, "A")
            core = memory if one_step else memory.core
            state = State(Filtered(core, Policy().allow(verbs=verbs - {missing})))

            with anyio.fail_after(WAIT_SECONDS), pytest.raises(errors.AccessDenied, match=f"to {missing} "):
                await _while_a_finalizer_is_removed(memory, call(state))

    @pytest.mark.parametrize("one_step", [True, False], ids=["in one step", "step by step"])
    @pytest.mark.parametrize("step", range(len(DERIVED)))
    async def test_what_is_derived_needs_nothing_else(self, step: int, one_step: bool) -> None:
        call, verbs = DERIVED[step]
        memory = State(MemoryState())
        await memory.create(path("a"))
        await memory.add_finalizers(POINTER, "A")
        core = memory if one_step else memory.core

        with anyio.fail_after(WAIT_SECONDS):
            await _while_a_finalizer_is_removed(memory, call(State(Filtered(core, Policy().allow(verbs=verbs)))))

    async def test_a_served_state_shows_what_the_rule_allows(self, tmp_path: Path, anyio_backend_name: str) -> None:
        if anyio_backend_name == "trio":
            pytest.skip("grpc.aio runs on asyncio only")
        core = State(MemoryState())
        stored = await core.create(path("a"))
        readable = Policy().allow(verbs=READS, namespace="default")
        socket = Address(path=str(tmp_path / "cosi.sock"))

        async with (
            serving(Filtered(core, readable), sample_registry(), [socket]),
            connected(socket, sample_registry()) as remote,
        ):
            state = State(remote)
            assert await state.get(POINTER) == stored
            with pytest.raises(errors.AccessDenied, match="not allowed to watch"):
                await state.watch_kind(PathResource.kind(namespace="secrets")).__aenter__()
            with pytest.raises(errors.StateError, match="not allowed to update"):
                await state.teardown(POINTER)

        assert await core.get(POINTER) == stored

    async def test_a_refused_teardown_in_one_step_has_not_begun(self) -> None:
        core = State(MemoryState())
        await core.create(path("a"))
        state = State(Filtered(core, Policy(default=True).deny(verbs={Verb.DESTROY})))

        with pytest.raises(errors.AccessDenied):
            await state.teardown_and_destroy(POINTER)

        assert (await core.get(POINTER)).metadata.phase is Phase.RUNNING

    async def test_an_open_watch_is_asked_for_once(self) -> None:
        core = State(MemoryState())
        asked: list[Access] = []
        state = State(Filtered(core, lambda access: not asked.append(access)))  # type: ignore[func-returns-value]

        async with listen_kind(state, KIND) as events:
            for id in "abc":
                await core.create(path(id))
                await events.next()

        assert asked == [Access(Verb.WATCH, *KIND)]

    async def test_a_rule_is_told_who_writes(self) -> None:
        asked: list[Access] = []
        state = State(Filtered(MemoryState(), lambda access: not asked.append(access)))  # type: ignore[func-returns-value]

        stored = await state.create(path("a"), owner="me")
        await state.update(stored, owner="me")
        await state.get(POINTER)
        await state.destroy(POINTER, owner="me")

        assert asked == [
            Access(Verb.CREATE, *POINTER, "me"),
            Access(Verb.UPDATE, *POINTER, "me"),
            Access(Verb.GET, *POINTER),
            Access(Verb.DESTROY, *POINTER, "me"),
        ]

    async def test_a_refusal_says_what_was_wanted(self) -> None:
        state = State(Filtered(MemoryState(), Policy()))

        with pytest.raises(errors.AccessDenied) as of_one:
            await state.destroy(POINTER)
        with pytest.raises(errors.AccessDenied) as of_all:
            await state.list(KIND)

        assert str(of_one.value) == f"not allowed to destroy {TYPE}(default/a)"
        assert str(of_all.value) == f"not allowed to list {TYPE}(default/)"

    async def test_a_rule_may_say_why_itself(self) -> None:
        def rule(access: Access) -> bool:
            raise errors.AccessDenied(f"come back with a certificate to {access.verb}")

        with pytest.raises(errors.AccessDenied, match="come back with a certificate to get"):
            await State(Filtered(MemoryState(), rule)).get(POINTER)


def test_teardown_in_one_step_is_there_just_where_the_core_has_it() -> None:
    assert not isinstance(Filtered(MemoryState(), Policy()), SupportsTeardown)
    assert isinstance(Filtered(State(MemoryState()), Policy()), SupportsTeardown)
    assert isinstance(Filtered(Filtered(State(MemoryState()), Policy()), Policy()), SupportsTeardown)


async def _while_a_finalizer_is_removed(memory: State, call: Awaitable[object]) -> None:
    """Wait for the call; if it tears down, let go of what it tears down."""
    async with memory.watch(POINTER) as watch:
        refusals: list[errors.AccessDenied] = []

        async def run() -> None:
            try:
                await call
            except errors.AccessDenied as error:
                refusals.append(error)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            async for event in watch:
                if event.resource is not None and event.resource.metadata.tearing_down:
                    await memory.remove_finalizers(POINTER, "A")
                    break
    for refusal in refusals:
        raise refusal


names = st.sampled_from(NAMES)
maybe_names = st.none() | names
verbs = st.sampled_from(Verb)
clauses = st.builds(
    Clause,
    allows=st.booleans(),
    verbs=st.frozensets(verbs),
    namespace=maybe_names,
    type=maybe_names,
    id=maybe_names,
)
policies = st.builds(Policy, clauses=st.lists(clauses, max_size=6).map(tuple), default=st.booleans())
accesses_of_one = st.builds(Access, verb=verbs, namespace=names, type=names, id=names)
accesses_of_all = st.builds(Access, verb=verbs, namespace=names, type=names)


class TestPolicy:
    """What a policy decides."""

    @given(st.booleans(), accesses_of_one | accesses_of_all)
    def test_without_clauses_the_default_decides(self, default: bool, access: Access) -> None:
        assert Policy(default=default)(access) is default

    @given(policies, clauses, accesses_of_one | accesses_of_all)
    def test_a_clause_at_the_end_decides_only_what_was_left_to_the_default(
        self, policy: Policy, clause: Clause, access: Access
    ) -> None:
        longer = Policy((*policy.clauses, clause), policy.default)

        if any(earlier.decides(access) for earlier in policy.clauses):
            assert longer(access) is policy(access)
        else:
            assert longer(access) is (clause.allows if clause.decides(access) else policy.default)

    @given(policies, names, names, names)
    def test_who_may_watch_a_kind_may_watch_each_of_its_resources(
        self, policy: Policy, namespace: str, type: str, id: str
    ) -> None:
        if policy(Access(Verb.WATCH, namespace, type)):
            assert policy(Access(Verb.WATCH, namespace, type, id))

    @given(clauses, accesses_of_one)
    def test_a_clause_has_a_say_where_all_its_parts_fit(self, clause: Clause, access: Access) -> None:
        fits = (
            access.verb in clause.verbs,
            clause.namespace is None or clause.namespace == access.namespace,
            clause.type is None or clause.type == access.type,
            clause.id is None or clause.id == access.id,
        )

        assert clause.decides(access) is all(fits)

    @given(accesses_of_one, verbs)
    def test_what_is_denied_for_one_is_not_shown_with_the_others(self, access: Access, verb: Verb) -> None:
        policy = Policy(default=True).deny(type=access.type, id=access.id)

        assert not policy(Access(verb, access.namespace, access.type, access.id))
        assert not policy(Access(verb, access.namespace, access.type))
        assert policy(Access(verb, access.namespace, access.type, "another"))

    @given(accesses_of_one, verbs)
    def test_what_is_allowed_for_one_is_not_allowed_for_the_others(self, access: Access, verb: Verb) -> None:
        policy = Policy().allow(namespace=access.namespace, id=access.id)

        assert policy(Access(verb, access.namespace, access.type, access.id))
        assert not policy(Access(verb, access.namespace, access.type))
        assert not policy(Access(verb, access.namespace, access.type, "another"))

    def test_a_policy_reads_from_the_first_exception_to_the_rest(self) -> None:
        policy = (
            Policy()
            .deny(namespace="secrets")
            .allow(verbs=READS)
            .allow(verbs={Verb.UPDATE}, namespace="config", type="MachineConfigs.config.talos.dev", id="active")
        )

        assert policy(Access(Verb.LIST, "runtime", TYPE))
        assert not policy(Access(Verb.LIST, "secrets", TYPE))
        assert policy(Access(Verb.UPDATE, "config", "MachineConfigs.config.talos.dev", "active"))
        assert not policy(Access(Verb.UPDATE, "config", "MachineConfigs.config.talos.dev", "staged"))

    def test_every_verb_either_reads_or_writes(self) -> None:
        assert set(Verb) == EVERYTHING
        assert not READS & WRITES
