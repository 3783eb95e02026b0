"""The state that a conformance suite examines, and what the suite must know of it."""

from __future__ import annotations

import secrets
from typing import ClassVar, Final

import pytest

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.resource import AnyResource
from cosi.state.event import Event, EventType
from cosi.state.state import State
from cosi.testing.resources import PathResource, path

LEAST_HISTORY_EVENTS: Final = 16
"""What a state must keep for watchers to pass: no test lets a watcher fall farther behind, unless it means to."""

LIFE: Final = [EventType.CREATED, EventType.UPDATED, EventType.UPDATED, EventType.UPDATED, EventType.DESTROYED]
"""What a watcher is told of a resource that lives as `live` makes it."""

_NAMESPACE_BYTES: Final = 4


class Subject:
    """The base of every suite: say here what a backend cannot do, and override the `state` fixture.

    The state may be new for each test or live longer, here or in another process: every test works in a namespace of
    its own, and looks at nothing but what `State` offers.
    """

    pytestmark: ClassVar = [pytest.mark.anyio]

    supports_tail_events: ClassVar[bool] = True
    """Whether a watch can start with past events."""

    supports_bookmarks: ClassVar[bool] = True
    """Whether a watch can be resumed from a bookmark."""

    overrun_events: ClassVar[int | None] = None
    """How many events certainly overrun a watcher that does not read; None if that can't be had, or takes too many.

    A connection's buffers count: a remote state reads on its watchers' behalf, and may never let them be overrun.
    """

    @pytest.fixture
    def state(self) -> State:
        """Return the state to examine. A backend's test class overrides this, with an async generator if need be."""
        raise NotImplementedError(f"{type(self).__name__} must override the fixture `state` of the conformance suite")

    @pytest.fixture
    def needs_tail_events(self) -> None:
        """Skip the test where a watch can't start with past events."""
        if not self.supports_tail_events:
            pytest.skip("this state can't start a watch with past events")

    @pytest.fixture
    def needs_bookmarks(self) -> None:
        """Skip the test where a watch can't be resumed."""
        if not self.supports_bookmarks:
            pytest.skip("this state can't resume a watch from a bookmark")

    @pytest.fixture
    def enough_to_overrun(self) -> int:
        """Return how many events overrun a watcher; skip the test where that can't be had."""
        if self.overrun_events is None:
            pytest.skip("this state's watchers can't be overrun within a test")
        return self.overrun_events

    @pytest.fixture
    def namespace(self) -> str:
        """Return a namespace that nobody else uses."""
        return f"conformance-{secrets.token_hex(_NAMESPACE_BYTES)}"

    @pytest.fixture
    def kind(self, namespace: str) -> Kind:
        """Return the kind of this test's paths."""
        return PathResource.kind(namespace=namespace)

    @pytest.fixture
    def pointer(self, namespace: str) -> Pointer:
        """Return the name of a path that does not exist yet."""
        return PathResource.pointer_to("var/run", namespace=namespace)


async def live(state: State, pointer: Pointer) -> None:
    """Create a path, tear it down, add a finalizer and remove it, destroy the path."""
    await state.create(path(pointer.id, namespace=pointer.namespace))
    await state.teardown(pointer)
    await state.add_finalizers(pointer, "A")
    await state.remove_finalizers(pointer, "A")
    await state.destroy(pointer)


def shown(event: Event) -> PathResource:
    """Return the path an event is about, also where it came from a state that does not know the type."""
    return _path(event.resource)


def shown_before(event: Event) -> PathResource:
    """Return what an update replaced."""
    return _path(event.old)


def _path(resource: AnyResource | None) -> PathResource:
    assert resource is not None, "the event carries no resource"
    return PathResource.of(resource)
