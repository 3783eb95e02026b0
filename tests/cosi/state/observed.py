"""A resource of which a test can tell whether anybody still holds it."""

from __future__ import annotations

import weakref

from cosi.resource.resource import AnyResource
from cosi.state.state import State
from cosi.testing.resources import IntResource, IntSpec


class Observed(IntResource, gc=True, weakref=True):
    """A number that can be referred to weakly."""


class Held:
    """Stored resources, and how many of them are still in memory."""

    def __init__(self) -> None:
        self._stored: list[weakref.ref[AnyResource]] = []

    def note(self, stored: AnyResource) -> None:
        self._stored.append(weakref.ref(stored))

    @property
    def count(self) -> int:
        return sum(stored() is not None for stored in self._stored)


async def update_again_and_again(state: State, pointer_id: str, times: int, held: Held) -> None:
    """Update a number so many times, and note every version of it."""
    for number in range(times):
        current = await state.get(Observed, pointer_id)
        held.note(await state.update(current.with_spec(IntSpec(value=number))))
