"""The steps of a story that attach watchers anywhere, and read them late."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from cosi.resource.query import Query
from cosi.state import errors
from cosi.state.core import WatchKindOptions, WatchOptions
from cosi.state.event import EventType
from cosi.testing.model.changes import IDS, QUERIES
from cosi.testing.model.model import Outcome
from cosi.testing.model.stage import Stage
from cosi.testing.model.steps import step
from cosi.testing.model.told import Told, Watcher, of_kind, same
from cosi.testing.resources import IntResource

_KIND = IntResource.kind()
_MOST_WATCHERS = 40
_COUNTS = st.integers(min_value=1, max_value=8)
_NO_BOOKMARKS = st.sampled_from([b"", b"short", b"sixteen bytes, no bookmark at all"[:16], b"\xff" * 16])
_REFUSED = Outcome(refusal=errors.InvalidBookmark)


class Reads(Stage):
    """Watching."""

    @step(query=QUERIES, contents=st.booleans(), bookmark=st.booleans())
    def watch_kind(self, query: Query, contents: bool, bookmark: bool) -> None:
        end = len(self.model.log)
        options = WatchKindOptions(query=query, bootstrap_contents=contents, bootstrap_bookmark=bookmark)
        initial = []
        if contents:
            there = [found for _, found in sorted(self.model.resources.items()) if query.matches(found.metadata)]
            initial = [*(Told(EventType.CREATED, found) for found in there), self._mark(EventType.BOOTSTRAPPED, end)]
        self._attach_to_kind(options, end, initial)

    @step(query=QUERIES, count=_COUNTS, bookmark=st.booleans())
    def watch_kind_with_tail_events(self, query: Query, count: int, bookmark: bool) -> None:
        position = max(len(self.model.log) - count, self._earliest())
        options = WatchKindOptions(query=query, tail_events=count, bootstrap_bookmark=bookmark)
        self._attach_to_kind(options, position)

    @step(query=QUERIES, back=_COUNTS, bookmark=st.booleans())
    def resume_watch_of_kind(self, query: Query, back: int, bookmark: bool) -> None:
        position = max(len(self.model.log) - back + 1, 0)
        options = WatchKindOptions(query=query, bookmark=self._bookmark_at(position), bootstrap_bookmark=bookmark)
        if self._resumable(position):
            self._attach_to_kind(options, position)
        else:
            self.expect(_REFUSED, lambda: self._open_and_close(options))

    @step(id=st.sampled_from(IDS))
    def watch_one(self, id: str) -> None:
        pointer = IntResource.pointer_to(id)
        current = self.model.resources.get(id)
        first = Told(EventType.CREATED, current) if current else Told(EventType.DESTROYED, tombstone=pointer)
        self._attach_to_one(id, WatchOptions(), len(self.model.log), [first])

    @step(id=st.sampled_from(IDS), count=_COUNTS)
    def watch_one_with_tail_events(self, id: str, count: int) -> None:
        log = self.model.log
        own = [at for at in range(self._earliest(), len(log)) if (found := log[at].resource) and found.id == id]
        position = own[-count] if len(own) >= count else self._earliest()
        self._attach_to_one(id, WatchOptions(tail_events=count), position)

    @step(id=st.sampled_from(IDS), back=_COUNTS)
    def resume_watch_of_one(self, id: str, back: int) -> None:
        if not self.model.log:
            return
        position = max(len(self.model.log) - back + 1, 1)
        options = WatchOptions(bookmark=self._bookmark_at(position))
        if self._resumable(position):
            self._attach_to_one(id, options, position)
        else:
            self.expect(_REFUSED, lambda: self._open_and_close(options))

    @step(nonsense=_NO_BOOKMARKS, pick=st.integers(min_value=0, max_value=5))
    def ask_for_what_cannot_be(self, nonsense: bytes, pick: int) -> None:
        bookmark = self._bookmark_at(len(self.model.log))
        requests: Sequence[tuple[WatchOptions | WatchKindOptions, type[errors.StateError]]] = (
            (WatchOptions(bookmark=nonsense), errors.InvalidBookmark),
            (WatchKindOptions(bookmark=nonsense), errors.InvalidBookmark),
            (WatchOptions(tail_events=1, bookmark=bookmark), errors.InvalidArgument),
            (WatchKindOptions(tail_events=1, bookmark=bookmark), errors.InvalidArgument),
            (WatchKindOptions(bootstrap_contents=True, bookmark=bookmark), errors.InvalidArgument),
            (WatchKindOptions(bootstrap_contents=True, tail_events=1), errors.InvalidArgument),
        )
        options, refusal = requests[pick]
        self.expect(Outcome(refusal=refusal), lambda: self._open_and_close(options))

    @step(pick=st.integers(min_value=0, max_value=_MOST_WATCHERS))
    def read(self, pick: int) -> None:
        if ready := self.readable():
            self._read(ready[pick % len(ready)])

    def read_to_the_end(self) -> None:
        """Read every watcher until it has been told everything."""
        while ready := self.readable():
            self._read(ready[0])

    def readable(self) -> Sequence[Watcher]:
        """Return the watchers that have something to be told: reading another one would wait."""
        return [watcher for watcher in self.watchers if watcher.pending(self.model.log)]

    def _read(self, watcher: Watcher) -> None:
        log = self.model.log
        pending = watcher.pending(log)
        overrun = len(log) - watcher.position > self.history
        batch = self.run(watcher.watch.batch)
        assert batch, "the watch has ended, and told nobody why"
        if batch[-1].type is EventType.ERRORED:
            assert overrun, f"the watch failed: {batch[-1].error}"
            assert "buffer overrun" in str(batch[-1].error)
            assert not self.run(watcher.watch.batch)
            self.watchers.remove(watcher)
            batch, pending = batch[:-1], pending if self.reads_ahead else ()
        elif not self.reads_ahead:
            assert watcher.initial or not overrun, "an overrun watcher was told no error"
            pending = watcher.initial or pending
            assert len(batch) == len(pending), "a watcher is told all there is at once"
        assert len(batch) <= len(pending), f"more was told than happened: {batch[len(pending) :]}"
        for event, told in zip(batch, pending, strict=False):
            same(event, told)
        if self.reads_ahead or watcher.initial:
            watcher.take(len(batch), log)
        else:
            watcher.position = len(log)

    def _attach_to_kind(self, options: WatchKindOptions, position: int, initial: Sequence[Told] = ()) -> None:
        if options.bootstrap_bookmark:
            initial = [*initial, self._mark(EventType.NOOP, position)]
        watch = self.enter(self.open_contexts, self.state.watch_kind(_KIND, options))
        self.watchers.append(Watcher(watch, position, initial, options.query))

    def _attach_to_one(self, id: str, options: WatchOptions, position: int, initial: Sequence[Told] = ()) -> None:
        watch = self.enter(self.open_contexts, self.state.watch(IntResource.pointer_to(id), options))
        self.watchers.append(Watcher(watch, position, initial, id))

    async def _open_and_close(self, options: WatchOptions | WatchKindOptions) -> None:
        if isinstance(options, WatchOptions):
            async with self.state.watch(IntResource.pointer_to("a"), options):
                pass
        else:
            async with self.state.watch_kind(_KIND, options):
                pass

    def _mark(self, type: EventType, position: int) -> Told:
        return Told(type, tombstone=of_kind(_KIND), bookmark=self._bookmark_at(position))

    def _bookmark_at(self, position: int) -> bytes:
        """Return the bookmark from which a watch resumes at a position."""
        return self.model.log[position - 1].bookmark if position else self.bookmark_before_all

    def _earliest(self) -> int:
        return max(len(self.model.log) - self.history + self.gap, 0)

    def _resumable(self, position: int) -> bool:
        return position - 1 >= len(self.model.log) - self.history + self.gap
