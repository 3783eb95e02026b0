"""What a runtime promises to QControllers: each item by itself, several at once, none twice, none forgotten."""

from __future__ import annotations

from cosi.testing.resources import IntResource
from cosi.testing.runtime.items import QIntToStr, QSlow, Turnstile
from cosi.testing.runtime.numbers import IntToStr, StrToSentence, number, sentence, word
from cosi.testing.runtime.stage import Stage, Staged

LONG_SECONDS = 1_000
"""Longer than any test."""


class Queueing(Staged):
    """Items are reconciled by themselves, as many at once as are allowed."""

    async def test_each_item_is_reconciled(self, stage: Stage) -> None:
        await stage.state.create(number("before", 0))
        async with stage.running(QIntToStr()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(word("before", "0"), word("one", "1"))
            await stage.state.modify(number("one", 11))
            await stage.eventually(word("one", "11"))
            assert not await stage.state.teardown(one.pointer)
            await stage.destroy(one.pointer)
            await stage.eventually_gone(word("one", "").pointer)
            await stage.eventually(word("before", "0"))

    async def test_an_item_waits_until_its_output_is_let_go(self, stage: Stage) -> None:
        async with stage.running(QIntToStr()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            await stage.state.add_finalizers(word("one", "").pointer, "somebody")
            assert not await stage.state.teardown(one.pointer)
            await stage.eventually_torn_down(word("one", "").pointer)
            assert (await stage.state.get(one.pointer)).metadata.finalizers == (QIntToStr.name,)
            await stage.state.remove_finalizers(word("one", "").pointer, "somebody")
            await stage.destroy(one.pointer)
            await stage.eventually_gone(word("one", "").pointer)

    async def test_both_sorts_of_controllers_work_on_each_others_outputs(self, stage: Stage) -> None:
        async with stage.running(QIntToStr(), StrToSentence()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(sentence("one", "1 sentence"))
            await stage.destroy(one.pointer)
            await stage.eventually_gone(sentence("one", "").pointer)

    async def test_no_item_is_reconciled_twice_at_once_and_none_of_its_changes_is_lost(self, stage: Stage) -> None:
        controller = Turnstile(concurrency=2)
        await stage.state.create(number("one", 1))
        await stage.state.create(number("two", 2))
        async with stage.running(controller):
            await controller.full.wait()
            for value in range(10, 20):
                await stage.state.modify(number("one", value))
            controller.open.set()
            await stage.eventually(word("one", "19"), word("two", "2"))

        assert controller.twice == []

    async def test_as_many_items_are_reconciled_at_once_as_allowed_and_no_more(self, stage: Stage) -> None:
        controller = Turnstile(concurrency=3)
        async with stage.running(controller):
            for value in range(8):
                await stage.state.create(number(str(value), value))
            await controller.full.wait()
            controller.open.set()
            await stage.eventually(*(word(str(value), str(value)) for value in range(8)))

        assert controller.most == 3

    async def test_a_teardown_cuts_a_long_reconcile_short_and_the_next_item_has_its_turn(self, stage: Stage) -> None:
        controller = QSlow()
        async with stage.running(controller):
            long = await stage.state.create(number("long", LONG_SECONDS))
            await self._until_held(stage, long)
            await stage.state.create(number("short", 0))
            await stage.destroy(long.pointer)
            await stage.eventually(word("short", "0"))

        assert controller.asleep == ["long"]
        assert await stage.state.find(word("long", "").pointer) is None

    async def test_a_controller_registered_while_running_starts_with_what_exists(self, stage: Stage) -> None:
        async with stage.running() as engine:
            await stage.state.create(number("one", 7))
            engine.register(QIntToStr())
            await stage.eventually(word("one", "7"))

    async def test_one_sort_takes_over_what_the_other_has_left(self, stage: Stage) -> None:
        class Successor(QIntToStr):
            name = IntToStr.name

        async with stage.running(IntToStr()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
        await stage.state.modify(number("one", 2))
        async with stage.running(Successor()):
            await stage.eventually(word("one", "2"))
            await stage.destroy(one.pointer)
            await stage.eventually_gone(word("one", "").pointer)

    async def _until_held(self, stage: Stage, held: IntResource) -> None:
        await stage.state.watch_for(
            held.pointer, lambda event: event.resource is not None and bool(event.resource.metadata.finalizers)
        )
