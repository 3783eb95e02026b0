"""What a state promises about owners: only they change what is theirs."""

from __future__ import annotations

import pytest

from cosi.state import errors
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject
from cosi.testing.resources import PathResource, PathSpec, path

_STRANGERS = ("", "somebody else")


class Ownership(Subject):
    """Owners."""

    async def test_who_creates_with_a_name_owns(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="owner")

        assert stored.metadata.owner == "owner"
        assert (await state.get(stored.pointer)).metadata.owner == "owner"

    async def test_nobody_creates_in_the_name_of_another(self, state: State, namespace: str) -> None:
        wanted = path("owned", namespace=namespace)
        wanted = wanted.with_metadata(wanted.metadata.replace(owner="owner"))

        for stranger in _STRANGERS:
            with pytest.raises(errors.OwnerConflict):
                await state.create(wanted, owner=stranger)

        assert (await state.create(wanted, owner="owner")).metadata.owner == "owner"

    async def test_only_the_owner_updates(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="owner")

        for stranger in _STRANGERS:
            with pytest.raises(errors.OwnerConflict):
                await state.update(stored, owner=stranger)

        assert (await state.update(stored, owner="owner")).metadata.owner == "owner"

    async def test_what_nobody_owns_no_owner_updates(self, state: State, namespace: str) -> None:
        stored = await state.create(path("free", namespace=namespace))

        with pytest.raises(errors.OwnerConflict):
            await state.update(stored, owner="owner")

    async def test_an_owner_is_set_once(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="owner")

        for other in _STRANGERS:
            renamed = stored.with_metadata(stored.metadata.replace(owner=other))
            stored = await state.update(renamed, owner="owner")

            assert stored.metadata.owner == "owner"
            assert (await state.get(stored.pointer)).metadata.owner == "owner"

    async def test_only_the_owner_tears_down(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="owner")

        for stranger in _STRANGERS:
            with pytest.raises(errors.OwnerConflict):
                await state.teardown(stored.pointer, owner=stranger)
            with pytest.raises(errors.OwnerConflict):
                await state.teardown_and_destroy(stored.pointer, owner=stranger)

        assert await state.teardown(stored.pointer, owner="owner")

    async def test_only_the_owner_destroys(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="owner")

        for stranger in _STRANGERS:
            with pytest.raises(errors.OwnerConflict):
                await state.destroy(stored.pointer, owner=stranger)

        await state.destroy(stored.pointer, owner="owner")

    async def test_ownership_is_judged_before_version_phase_and_finalizers(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="owner")
        await state.add_finalizers(stored.pointer, "A")
        await state.teardown(stored.pointer, owner="owner")

        with pytest.raises(errors.OwnerConflict):
            await state.update(stored, owner="somebody else")
        with pytest.raises(errors.OwnerConflict):
            await state.destroy(stored.pointer, owner="somebody else")

    async def test_anybody_may_hold_a_finalizer(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="owner")

        await state.add_finalizers(stored.pointer, "A", "B")
        await state.remove_finalizers(stored.pointer, "A")

        found = await state.get(stored.pointer)
        assert found.metadata.finalizers == ("B",)
        assert found.metadata.owner == "owner"

    async def test_modify_creates_and_updates_in_the_name_of_the_owner(self, state: State, namespace: str) -> None:
        created = await state.modify(path("owned", namespace=namespace), owner="owner")
        wanted = created.with_spec(PathSpec(path="/elsewhere"))

        with pytest.raises(errors.OwnerConflict):
            await state.modify(wanted)
        updated = await state.modify(wanted, owner="owner")

        assert created.metadata.owner == updated.metadata.owner == "owner"
        assert updated == await state.get(PathResource, "owned", namespace=namespace)

    async def test_an_error_tells_the_owner(self, state: State, namespace: str) -> None:
        stored = await state.create(path("owned", namespace=namespace), owner="its.Owner")

        with pytest.raises(errors.OwnerConflict, match=r"its\.Owner"):
            await state.destroy(stored.pointer)
