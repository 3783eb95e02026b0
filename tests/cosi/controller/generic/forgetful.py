"""A state that lets caches fall behind for good."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from cosi.resource.metadata import Kind
from cosi.state.core import KIND_FROM_NOW, CoreState, Watch, WatchKindOptions
from cosi.state.event import Event
from cosi.state.state import State


class Forgetful(State):
    """A state whose watches of one kind tell nothing of what happens after they began."""

    def __init__(self, core: CoreState, forgotten: Kind) -> None:
        super().__init__(core)
        self._forgotten = forgotten

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        """Open a watch of a kind."""
        async with super().watch_kind(kind, options) as watch:
            yield _Beginning(watch) if kind == self._forgotten else watch


class _Beginning:
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
