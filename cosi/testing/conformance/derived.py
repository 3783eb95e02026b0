"""What a state promises about changes made by reading, changing and writing back: no rival's change is lost."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from cosi.resource.metadata import Phase, Pointer
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.event import EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, integer, path

_RIVALS = 8


class Derived(Subject):
    """Changing what is there."""

    async def test_a_change_is_written_and_returned(self, state: State, namespace: str) -> None:
        before = await state.create(path("a", namespace=namespace))

        after = await state.update_with_conflicts(before.pointer, _labelled("bar"))

        assert after.metadata.labels == {"foo": "bar"}
        assert before.metadata.labels == {}
        assert PathResource.of(after) == await state.get(PathResource, "a", namespace=namespace)

    async def test_a_change_that_changes_nothing_writes_nothing(self, state: State, namespace: str) -> None:
        before = await state.create(path("a", namespace=namespace))

        same = await state.update_with_conflicts(before.pointer, lambda current: current)
        also_same = await state.modify(path("a", namespace=namespace))

        assert PathResource.of(same) == also_same == before
        assert (await state.get(before.pointer)).metadata.version == 1

    async def test_giving_a_resource_its_type_is_no_change(self, state: State, namespace: str) -> None:
        before = await state.create(path("a", namespace=namespace))

        same = await state.update_with_conflicts(before.pointer, PathResource.of)

        assert PathResource.of(same) == before

    async def test_a_change_in_the_wrong_phase_is_refused_even_if_it_is_none(
        self, state: State, namespace: str
    ) -> None:
        stored = await state.create(path("a", namespace=namespace))
        await state.teardown(stored.pointer)

        with pytest.raises(errors.PhaseConflict):
            await state.update_with_conflicts(stored.pointer, lambda current: current)
        changed = await state.update_with_conflicts(stored.pointer, _labelled("bar"), expected_phase=Phase.TEARING_DOWN)

        assert changed.metadata.labels == {"foo": "bar"}

    async def test_an_error_in_the_change_comes_out_and_nothing_is_written(self, state: State, namespace: str) -> None:
        stored = await state.create(path("a", namespace=namespace))

        def fail(_: AnyResource) -> PathResource:
            raise ZeroDivisionError("the change failed")

        with pytest.raises(ZeroDivisionError, match="the change failed"):
            await state.update_with_conflicts(stored.pointer, fail)
        with pytest.raises(ZeroDivisionError, match="the change failed"):
            await state.modify(stored, fail)

        assert await state.get(PathResource, "a", namespace=namespace) == stored

    async def test_rivals_lose_no_change(self, state: State, namespace: str) -> None:
        stored = await state.create(integer("counter", 0, namespace=namespace))

        def increment(current: AnyResource) -> AnyResource:
            counter = IntResource.of(current)
            return counter.with_spec(IntSpec(value=counter.spec.value + 1))

        async def count() -> None:
            await state.update_with_conflicts(stored.pointer, increment)

        async with anyio.create_task_group() as tasks:
            for _ in range(_RIVALS):
                tasks.start_soon(count)

        counter = await state.get(IntResource, "counter", namespace=namespace)
        assert counter.spec.value == _RIVALS
        assert counter.metadata.version == 1 + _RIVALS

    async def test_concurrent_finalizers_lose_none(self, state: State, namespace: str) -> None:
        stored = await state.create(path("a", namespace=namespace))

        async with anyio.create_task_group() as tasks:
            for name in "ABCDEFGH":
                tasks.start_soon(state.add_finalizers, stored.pointer, name)
            for name in "ABC":
                tasks.start_soon(state.remove_finalizers, stored.pointer, name)
        async with anyio.create_task_group() as tasks:
            for name in "ABC":
                tasks.start_soon(state.remove_finalizers, stored.pointer, name)

        assert sorted((await state.get(stored.pointer)).metadata.finalizers) == ["D", "E", "F", "G", "H"]

    async def test_a_finalizer_is_held_once_and_removed_in_any_phase(self, state: State, namespace: str) -> None:
        stored = await state.create(path("a", namespace=namespace))
        await state.add_finalizers(stored.pointer, "A")
        await state.add_finalizers(stored.pointer, "A", "B")
        assert (await state.get(stored.pointer)).metadata.finalizers == ("A", "B")
        await state.teardown(stored.pointer)

        await state.remove_finalizers(stored.pointer, "A", "never held")
        await state.remove_finalizers(stored.pointer, "A")

        assert (await state.get(stored.pointer)).metadata.finalizers == ("B",)

    async def test_modify_creates_what_is_missing(self, state: State, namespace: str) -> None:
        created = await state.modify(path("a", namespace=namespace), _labelled_path("bar"))

        assert created.metadata.version == 1
        assert created.metadata.labels == {"foo": "bar"}
        assert created == await state.get(PathResource, "a", namespace=namespace)

    async def test_modify_changes_what_is_there(self, state: State, namespace: str) -> None:
        await state.create(path("a", namespace=namespace, labels={"kept": "label"}))

        labelled = await state.modify(path("a", namespace=namespace), _labelled_path("bar"))
        respecified = await state.modify(PathResource.new("a", PathSpec(path="/b"), namespace=namespace))

        assert labelled.metadata.labels == {"kept": "label", "foo": "bar"}
        assert labelled.spec.path == "a"
        assert respecified.metadata.labels == labelled.metadata.labels
        assert respecified.spec.path == "/b"
        assert respecified.metadata.version == 3

    async def test_modify_respects_the_phase(self, state: State, namespace: str) -> None:
        stored = await state.create(path("a", namespace=namespace))
        await state.teardown(stored.pointer)

        with pytest.raises(errors.PhaseConflict):
            await state.modify(stored, _labelled_path("bar"))
        changed = await state.modify(stored, _labelled_path("bar"), expected_phase=None)

        assert changed.metadata.phase is Phase.TEARING_DOWN
        assert changed.metadata.labels == {"foo": "bar"}

    async def test_watch_for_returns_at_once_if_it_is_so_already(self, state: State, namespace: str) -> None:
        stored = await state.create(path("a", namespace=namespace))

        with anyio.fail_after(WAIT_SECONDS):
            event = await state.watch_for(stored.pointer, lambda event: event.type is EventType.CREATED)

        assert event.resource is not None
        assert PathResource.of(event.resource) == stored

    async def test_watch_for_waits_until_it_is_so(self, state: State, pointer: Pointer) -> None:
        phases: list[Phase] = []

        async def wait_for_teardown() -> None:
            event = await state.watch_for(
                pointer, lambda event: event.resource is not None and event.resource.metadata.tearing_down
            )
            assert event.resource is not None
            phases.append(event.resource.metadata.phase)

        with anyio.fail_after(WAIT_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait_for_teardown)
                await state.create(path(pointer.id, namespace=pointer.namespace))
                await state.add_finalizers(pointer, "A")
                await state.teardown(pointer)

        assert phases == [Phase.TEARING_DOWN]


def _labelled(value: str) -> Callable[[AnyResource], AnyResource]:
    return lambda current: current.with_metadata(current.metadata.with_labels(foo=value))


def _labelled_path(value: str) -> Callable[[PathResource], PathResource]:
    return lambda current: current.with_metadata(current.metadata.with_labels(foo=value))
