"""What a runtime promises about mapped inputs: their changes become items, whatever it takes."""

from __future__ import annotations

from cosi.testing.resources import path
from cosi.testing.runtime.items import Signposts
from cosi.testing.runtime.numbers import SOURCE, number, word
from cosi.testing.runtime.stage import Stage, Staged


class Mapping(Staged):
    """Changes of mapped inputs become items."""

    async def test_a_change_of_a_mapped_input_concerns_the_items_it_is_mapped_to(self, stage: Stage) -> None:
        async with stage.running(Signposts()) as engine:
            await stage.state.create(number("one", 1))
            await stage.state.create(number("two", 2))
            await stage.eventually(word("one", ""), word("two", ""))
            await stage.state.create(path("there", namespace=SOURCE))
            await stage.eventually(word("one", "there"), word("two", "there"))
            counters = engine.counters[Signposts.name]

        assert (counters.mapped_in, counters.mapped_out, counters.crashes) == (1, 2, 0)

    async def test_what_is_gone_is_mapped_as_well(self, stage: Stage) -> None:
        there = await stage.state.create(path("there", namespace=SOURCE))
        await stage.state.create(number("one", 1))
        async with stage.running(Signposts()):
            await stage.eventually(word("one", ""))
            await stage.state.destroy(there.pointer)
            await stage.eventually(word("one", "there"))

    async def test_a_mapping_that_fails_is_tried_again(self, stage: Stage) -> None:
        async with stage.running(Signposts()) as engine:
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", ""))
            await stage.state.create(path("fail", namespace=SOURCE))
            await stage.in_time(word("one", "fail fail"))
            counters = engine.counters[Signposts.name]

        assert (counters.mapped_in, counters.mapped_out, counters.crashes) == (2, 1, 1)

    async def test_a_mapping_to_what_is_no_item_is_a_failure(self, stage: Stage) -> None:
        async with stage.running(Signposts()) as engine:
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", ""))
            await stage.state.create(path("astray", namespace=SOURCE))
            await stage.until_due()
            counters = engine.counters[Signposts.name]

            assert (counters.mapped_in, counters.mapped_out, counters.crashes) == (1, 0, 1)
