"""What a runtime promises to Controllers."""

from __future__ import annotations

import pytest

from cosi.controller.dependencies import exclusive
from cosi.controller.engine.graph import Clash
from cosi.resource import query
from cosi.state import errors
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, StrResource, StrSpec, integer, string
from cosi.testing.runtime.numbers import (
    SENTENCES,
    SOURCE,
    TARGET,
    Doubler,
    Failing,
    IntToStr,
    Results,
    StrToSentence,
    Sum,
)
from cosi.testing.runtime.stage import Stage, Staged

EVEN = query.where(query.equal("parity", "even"))
ODD = query.where(query.equal("parity", "odd"))


def number(id: str, value: int) -> IntResource:
    """A number in the source namespace, labelled with its parity."""
    labels = {"parity": "odd" if value % 2 else "even"}
    return IntResource.new(id, IntSpec(value=value), namespace=SOURCE, labels=labels)


def word(id: str, text: str) -> StrResource:
    """A word in the target namespace."""
    return string(id, text, namespace=TARGET)


class Waking(Staged):
    """Changes wake whom they concern, and outputs follow inputs."""

    async def test_an_engine_without_controllers_runs(self, stage: Stage) -> None:
        async with stage.running():
            await stage.state.create(number("one", 1))

    async def test_outputs_follow_inputs(self, stage: Stage) -> None:
        await stage.state.create(number("before", 0))
        async with stage.running(IntToStr()):
            await stage.state.create(number("one", 1))
            await stage.eventually(word("before", "0"), word("one", "1"))
            one = await stage.state.get(IntResource, "one", namespace=SOURCE)
            await stage.state.update(one.with_spec(IntSpec(value=11)))
            await stage.eventually(word("one", "11"))
            await stage.destroy(one.pointer)
            await stage.eventually_gone(word("one", "").pointer)

    async def test_a_teardown_runs_backwards_through_a_chain(self, stage: Stage) -> None:
        sentence = PathResource.new("one", PathSpec(path="1 sentence"), namespace=SENTENCES)
        async with stage.running(IntToStr(), StrToSentence()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(sentence)
            await stage.state.add_finalizers(sentence.pointer, "somebody")
            assert not await stage.state.teardown(one.pointer)
            await stage.eventually_torn_down(sentence.pointer)
            with pytest.raises(errors.PendingFinalizers):
                await stage.state.destroy(one.pointer)
            await stage.state.remove_finalizers(sentence.pointer, "somebody")
            await stage.destroy(one.pointer)
            await stage.eventually_gone(sentence.pointer, word("one", "").pointer)

    async def test_a_sum_follows_all_its_numbers(self, stage: Stage) -> None:
        async with stage.running(Sum("sum")):
            await stage.eventually(integer("sum", 0, namespace=TARGET))
            for value in range(1, 5):
                await stage.state.create(number(str(value), value))
            await stage.eventually(integer("sum", 10, namespace=TARGET))
            await stage.state.destroy(number("4", 4).pointer)
            await stage.eventually(integer("sum", 6, namespace=TARGET))

    async def test_a_filtered_sum_sees_what_its_query_shows(self, stage: Stage) -> None:
        async with stage.running(Sum("even", query=EVEN), Sum("odd", query=ODD)):
            for value in range(1, 6):
                await stage.state.create(number(str(value), value))
            await stage.eventually(integer("even", 6, namespace=TARGET), integer("odd", 9, namespace=TARGET))

    async def test_sums_of_sums_settle(self, stage: Stage) -> None:
        parts = Sum("even", to="parts", query=EVEN), Sum("odd", to="parts", query=ODD)
        async with stage.running(*parts, Sum("total", of="parts")):
            for value in range(1, 6):
                await stage.state.create(number(str(value), value))
            await stage.eventually(integer("total", 15, namespace=TARGET))
            await stage.state.destroy(number("5", 5).pointer)
            await stage.eventually(integer("total", 10, namespace=TARGET))

    async def test_a_controller_that_fails_is_started_again_whatever_it_raises(self, stage: Stage) -> None:
        failing = Failing(RuntimeError("as requested"), SystemExit(3))
        async with stage.running(failing, Sum("sum")) as engine:
            await stage.eventually(integer("starts", 3, namespace=TARGET))
            assert engine.counters["kit.Failing"].crashes == 2
            assert engine.counters["kit.Sum.sum"].crashes == 0

    async def test_an_output_can_be_made_from_what_there_is(self, stage: Stage) -> None:
        async with stage.running(Doubler()):
            await stage.state.create(number("one", 21))
            await stage.eventually(integer("one", 42, namespace=TARGET))

    async def test_writing_returns_what_was_stored(self, stage: Stage) -> None:
        results = Results()
        async with stage.running(results):
            await stage.state.create(string("one", "first", namespace=SOURCE))
            await stage.eventually(word("one", "first"))
            await stage.state.modify(string("one", "second", namespace=SOURCE))
            await stage.eventually(word("one", "second"))

        last = next(result for result in results.results if result.spec == StrSpec(value="second"))
        assert (last.metadata.version, last.metadata.owner) == (2, "kit.Results")

    async def test_work_is_counted(self, stage: Stage) -> None:
        async with stage.running(IntToStr()) as engine:
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            counters = engine.counters["kit.IntToStr"]

            assert counters.wakeups >= counters.reconciles >= 1
            assert counters.reads >= 1
            assert counters.writes >= 2
            assert counters.crashes == 0

    async def test_an_exclusive_output_has_one_writer(self, stage: Stage) -> None:
        async with stage.running(IntToStr()) as engine:
            rival = Sum("rival")
            rival.outputs = (exclusive(StrResource),)
            with pytest.raises(Clash, match=r"kit\.IntToStr writes it"):
                engine.register(rival)

    async def test_a_controller_registered_while_running_starts_at_once(self, stage: Stage) -> None:
        async with stage.running() as engine:
            await stage.state.create(number("one", 1))
            engine.register(IntToStr())
            await stage.eventually(word("one", "1"))
