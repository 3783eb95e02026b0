"""What a state promises about storing: create, read, list, update, destroy, versions and timestamps."""

from __future__ import annotations

import anyio
import pytest

from cosi.resource.metadata import Kind, Metadata, Phase, Pointer
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject
from cosi.testing.resources import PathResource, PathSpec, StrResource, path, string

_RIVALS = 10


class Lifecycle(Subject):
    """Storing."""

    async def test_a_created_resource_can_be_read(self, state: State, namespace: str) -> None:
        wanted = path("var/run", namespace=namespace, labels={"app": "one"})

        await state.create(wanted)

        found = await state.get(PathResource, "var/run", namespace=namespace)
        assert found.spec == wanted.spec
        assert found.metadata.labels == {"app": "one"}
        assert found.metadata.phase is Phase.RUNNING
        assert (found.metadata.owner, found.metadata.finalizers, found.metadata.annotations) == ("", (), {})

    async def test_create_returns_what_is_stored(self, state: State, namespace: str) -> None:
        stored = await state.create(path("var/run", namespace=namespace))

        assert stored == await state.get(PathResource, "var/run", namespace=namespace)

    async def test_create_and_update_answer_with_version_owner_and_times(self, state: State, namespace: str) -> None:
        created = await state.create(path("var/run", namespace=namespace), owner="owner")
        updated = await state.update(created, owner="owner")

        found = (await state.get(created.pointer)).metadata
        assert (created.metadata.version, created.metadata.owner) == (1, "owner")
        assert (updated.metadata.version, updated.metadata.owner) == (2, "owner")
        assert updated.metadata.created == created.metadata.created == found.created > 0
        assert updated.metadata.updated == found.updated >= created.metadata.updated > 0

    async def test_all_metadata_is_kept(self, state: State, namespace: str) -> None:
        metadata = path("var/run", namespace=namespace).metadata.replace(
            finalizers=("b", "a"), labels={"": "", "empty": "", "ключ": "значение"}, annotations={"note": "two\nlines"}
        )

        await state.create(PathResource(metadata, PathSpec(path="/")))

        found = (await state.get(PathResource, "var/run", namespace=namespace)).metadata
        assert found.finalizers == ("b", "a")
        assert found.labels == metadata.labels
        assert found.annotations == metadata.annotations

    async def test_what_does_not_exist_is_not_found(self, state: State, pointer: Pointer) -> None:
        missing = path(pointer.id, namespace=pointer.namespace)

        for attempt in (
            lambda: state.get(pointer),
            lambda: state.update(missing),
            lambda: state.destroy(pointer),
            lambda: state.teardown(pointer),
            lambda: state.teardown_and_destroy(pointer),
            lambda: state.add_finalizers(pointer, "A"),
        ):
            with pytest.raises(errors.NotFound):
                await attempt()
        assert await state.find(pointer) is None

    async def test_a_resource_is_created_only_once(self, state: State, namespace: str) -> None:
        await state.create(path("var/run", namespace=namespace))

        with pytest.raises(errors.AlreadyExists):
            await state.create(path("var/run", namespace=namespace))

    async def test_a_destroyed_resource_is_gone_and_can_be_created_anew(self, state: State, namespace: str) -> None:
        stored = await state.create(path("var/run", namespace=namespace))
        await state.update(stored)

        await state.destroy(stored.pointer)

        assert await state.find(stored.pointer) is None
        assert await state.list(PathResource, namespace=namespace) == []
        again = await state.create(path("var/run", namespace=namespace))
        assert again.metadata.version == 1

    async def test_a_list_is_ordered_by_id(self, state: State, namespace: str, kind: Kind) -> None:
        for id in ("b", "a/b", "a", "é", "Z", "𝄞", "\ufffd", "a-b"):
            await state.create(path(id, namespace=namespace))

        listed = [resource.id for resource in await state.list(kind)]

        assert listed == sorted(listed)
        assert len(listed) == 8

    async def test_types_and_namespaces_are_apart(self, state: State, namespace: str) -> None:
        await state.create(path("same", namespace=namespace))
        await state.create(path("same", namespace=f"{namespace}-other"))
        await state.create(string("same", "text", namespace=namespace))

        await state.destroy(PathResource.pointer_to("same", namespace=namespace))

        assert await state.list(PathResource, namespace=namespace) == []
        assert len(await state.list(PathResource, namespace=f"{namespace}-other")) == 1
        assert (await state.get(StrResource, "same", namespace=namespace)).spec.value == "text"

    async def test_versions_count_one_two_three(self, state: State, namespace: str) -> None:
        first = await state.create(path("var/run", namespace=namespace))

        second = await state.update(first)
        third = await state.update(second)

        assert [first.metadata.version, second.metadata.version, third.metadata.version] == [1, 2, 3]

    async def test_an_update_replaces_everything_but_name_and_creation(self, state: State, namespace: str) -> None:
        first = await state.create(path("var/run", namespace=namespace, labels={"old": "label"}))
        changed = first.with_spec(PathSpec(path="/elsewhere"))
        changed = changed.with_metadata(
            changed.metadata.replace(
                labels={"new": "label"}, annotations={"a": "b"}, finalizers=("F",), created=1, updated=1
            )
        )

        second = await state.update(changed)

        assert second == await state.get(PathResource, "var/run", namespace=namespace)
        assert second.spec.path == "/elsewhere"
        assert second.metadata.labels == {"new": "label"}
        assert second.metadata.annotations == {"a": "b"}
        assert second.metadata.finalizers == ("F",)
        assert second.metadata.created == first.metadata.created
        assert second.metadata.updated >= first.metadata.updated > 1

    async def test_the_state_sets_the_timestamps(self, state: State, namespace: str) -> None:
        wanted = path("var/run", namespace=namespace)

        stored = await state.create(wanted.with_metadata(wanted.metadata.replace(created=1, updated=1)))

        assert stored.metadata.created > 1
        assert stored.metadata.created == (await state.get(stored.pointer)).metadata.created

    async def test_an_update_needs_the_version_that_is_stored(self, state: State, namespace: str) -> None:
        first = await state.create(path("var/run", namespace=namespace))
        second = await state.update(first)

        for version in (1, 3, None):
            with pytest.raises(errors.Conflict) as refused:
                await state.update(second.with_metadata(second.metadata.replace(version=version)))
            assert not isinstance(refused.value, errors.OwnerConflict | errors.PhaseConflict)
        assert (await state.get(first.pointer)).metadata.version == 2

    async def test_an_update_needs_the_phase_it_expects(self, state: State, namespace: str) -> None:
        stored = await state.create(path("var/run", namespace=namespace))
        with pytest.raises(errors.PhaseConflict):
            await state.update(stored, expected_phase=Phase.TEARING_DOWN)
        await state.teardown(stored.pointer)
        torn_down = await state.get(PathResource, "var/run", namespace=namespace)

        with pytest.raises(errors.PhaseConflict):
            await state.update(torn_down)
        as_expected = await state.update(torn_down, expected_phase=Phase.TEARING_DOWN)
        whatever = await state.update(as_expected, expected_phase=None)

        assert whatever.metadata.phase is Phase.TEARING_DOWN

    async def test_a_refused_change_changes_nothing(self, state: State, namespace: str) -> None:
        stored = await state.create(_with_finalizers(path("var/run", namespace=namespace), "F"), owner="owner")

        for attempt in (
            lambda: state.create(path("var/run", namespace=namespace)),
            lambda: state.update(stored.with_spec(PathSpec(path="/stolen"))),
            lambda: state.destroy(stored.pointer, owner="owner"),
        ):
            with pytest.raises(errors.Conflict):
                await attempt()

        assert await state.get(PathResource, "var/run", namespace=namespace) == stored

    async def test_finalizers_hold_a_resource(self, state: State, namespace: str) -> None:
        stored = await state.create(_with_finalizers(path("var/run", namespace=namespace), "A"))

        with pytest.raises(errors.Conflict) as refused:
            await state.destroy(stored.pointer)

        assert not isinstance(refused.value, errors.OwnerConflict | errors.PhaseConflict)
        await state.remove_finalizers(stored.pointer, "A")
        await state.destroy(stored.pointer)

    async def test_of_rivals_who_destroy_one_wins(self, state: State, namespace: str) -> None:
        stored = await state.create(path("var/run", namespace=namespace))
        results: list[str] = []

        async def destroy() -> None:
            try:
                await state.destroy(stored.pointer)
            except errors.NotFound:
                results.append("not found")
            else:
                results.append("destroyed")

        async with anyio.create_task_group() as tasks:
            for _ in range(_RIVALS):
                tasks.start_soon(destroy)

        assert sorted(results) == ["destroyed"] + ["not found"] * (_RIVALS - 1)

    async def test_of_rivals_who_create_one_wins(self, state: State, namespace: str) -> None:
        winners: list[AnyResource] = []

        async def create(text: str) -> None:
            try:
                winners.append(await state.create(string("prize", text, namespace=namespace)))
            except errors.AlreadyExists:
                return

        async with anyio.create_task_group() as tasks:
            for number in range(_RIVALS):
                tasks.start_soon(create, str(number))

        assert winners == [await state.get(StrResource, "prize", namespace=namespace)]

    async def test_errors_name_the_resource(self, state: State, namespace: str, pointer: Pointer) -> None:
        name = f"{pointer.type}({namespace}/{pointer.id}@"

        with pytest.raises(errors.NotFound) as missing:
            await state.get(pointer)
        await state.create(path(pointer.id, namespace=namespace))
        with pytest.raises(errors.AlreadyExists) as present:
            await state.create(path(pointer.id, namespace=namespace))

        assert name in str(missing.value)
        assert name in str(present.value)


def _with_finalizers(resource: PathResource, *names: str) -> PathResource:
    metadata: Metadata = resource.metadata.with_finalizers(*names)
    return resource.with_metadata(metadata)
