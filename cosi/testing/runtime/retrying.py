"""What a runtime promises about items that fail, are skipped, or ask to come back: when they do, and that they do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cosi.backoff import INITIAL_SECONDS, JITTER
from cosi.controller.engine.engine import Engine
from cosi.testing.runtime.items import REQUEUE_SECONDS, QFailing
from cosi.testing.runtime.numbers import wish, word
from cosi.testing.runtime.stage import Stage, Staged


class Retrying(Staged):
    """An item comes back alone, and in time."""

    async def test_an_item_that_fails_comes_back_and_the_others_do_not_wait_for_it(self, stage: Stage) -> None:
        async with self._failing(stage) as engine:
            for text in ("fail", "exit", "fine"):
                await stage.state.create(wish(text, text))
            await stage.eventually(word("fine", "fine"))
            assert await stage.state.find(word("fail", "").pointer) is None
            await stage.in_time(word("fail", "fail"), word("exit", "exit"))

            assert engine.counters[QFailing.name].crashes == 2

    async def test_an_item_that_fails_waits_a_little(self, stage: Stage) -> None:
        async with self._failing(stage):
            await stage.state.create(wish("one", "fail"))
            waited = await stage.pass_time()
            await stage.eventually(word("one", "fail"))

        assert INITIAL_SECONDS * (1 - JITTER) <= waited <= INITIAL_SECONDS * (1 + JITTER)

    @pytest.mark.parametrize(("text", "counted"), [("requeue", (1, 0)), ("requeue and fail", (0, 1))])
    async def test_an_item_comes_back_when_it_asked_to(self, stage: Stage, text: str, counted: tuple[int, int]) -> None:
        async with self._failing(stage) as engine:
            await stage.state.create(wish("one", text))
            waited = await stage.pass_time()
            await stage.eventually(word("one", text))
            counters = engine.counters[QFailing.name]

        assert waited == REQUEUE_SECONDS
        assert (counters.requeues, counters.crashes) == counted

    @pytest.mark.parametrize("text", ["fail", "requeue", "requeue and fail"])
    async def test_an_item_that_changes_does_not_wait(self, stage: Stage, text: str) -> None:
        async with self._failing(stage):
            await stage.state.create(wish("one", text))
            await stage.until_due()
            await stage.state.modify(wish("one", "changed"))
            await stage.eventually(word("one", "changed"))

    async def test_an_item_that_was_skipped_comes_back_with_its_next_change(self, stage: Stage) -> None:
        async with self._failing(stage) as engine:
            await stage.state.create(wish("one", "skip"))
            await stage.state.create(wish("two", "fine"))
            await stage.eventually(word("two", "fine"))
            await stage.state.modify(wish("one", "done"))
            await stage.eventually(word("one", "done"))
            counters = engine.counters[QFailing.name]

        assert (counters.skips, counters.crashes, counters.requeues) == (1, 0, 0)
        assert stage.clock.next_due is None

    @asynccontextmanager
    async def _failing(self, stage: Stage) -> AsyncIterator[Engine]:
        """Run a controller that has seen what there was at the start: no listing brings anything up again."""
        await stage.state.create(wish("before", "fine"))
        async with stage.running(QFailing()) as engine:
            await stage.eventually(word("before", "fine"))
            yield engine
