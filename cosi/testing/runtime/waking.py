"""What a runtime promises to Controllers about being woken: by what concerns them, and by nothing else."""

from __future__ import annotations

import pytest

from cosi.controller.controller import Controller
from cosi.controller.dependencies import destroy_ready, shared, weak
from cosi.controller.runtime import Runtime
from cosi.resource import query
from cosi.state import errors
from cosi.testing.resources import IntResource, IntSpec, StrResource, integer
from cosi.testing.runtime.numbers import (
    PARTS,
    SOURCE,
    TARGET,
    Acting,
    IntToStr,
    Paused,
    StrToSentence,
    Sum,
    number,
    result,
    sentence,
    word,
)
from cosi.testing.runtime.stage import Stage, Staged

EVEN = query.where(query.equal("parity", "even"))
ODD = query.where(query.equal("parity", "odd"))


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
        spoken = sentence("one", "1 sentence")
        async with stage.running(IntToStr(), StrToSentence()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(spoken)
            await stage.state.add_finalizers(spoken.pointer, "somebody")
            assert not await stage.state.teardown(one.pointer)
            await stage.eventually_torn_down(spoken.pointer)
            with pytest.raises(errors.PendingFinalizers):
                await stage.state.destroy(one.pointer)
            await stage.state.remove_finalizers(spoken.pointer, "somebody")
            await stage.destroy(one.pointer)
            await stage.eventually_gone(spoken.pointer, word("one", "").pointer)

    async def test_a_sum_follows_all_its_numbers(self, stage: Stage) -> None:
        async with stage.running(Sum("sum")):
            await stage.eventually(result("sum", 0))
            for value in range(1, 5):
                await stage.state.create(number(str(value), value))
            await stage.eventually(result("sum", 10))
            await stage.state.destroy(number("4", 4).pointer)
            await stage.eventually(result("sum", 6))

    async def test_a_filtered_sum_sees_what_its_query_shows(self, stage: Stage) -> None:
        async with stage.running(Sum("even", query=EVEN), Sum("odd", query=ODD)):
            for value in range(1, 6):
                await stage.state.create(number(str(value), value))
            await stage.eventually(result("even", 6), result("odd", 9))
            await stage.state.destroy(number("5", 5).pointer)
            await stage.eventually(result("even", 6), result("odd", 4))

    async def test_sums_of_sums_settle(self, stage: Stage) -> None:
        parts = Sum("even", to=PARTS, query=EVEN), Sum("odd", to=PARTS, query=ODD)
        async with stage.running(*parts, Sum("total", of=PARTS)):
            for value in range(1, 6):
                await stage.state.create(number(str(value), value))
            await stage.eventually(result("total", 15))
            await stage.state.destroy(number("5", 5).pointer)
            await stage.eventually(result("total", 10))

    async def test_what_changes_during_a_reconcile_brings_about_another_one(self, stage: Stage) -> None:
        controller = Paused()
        await stage.state.create(number("one", 1))
        async with stage.running(controller, Sum("sum")):
            await controller.read.wait()
            await stage.state.create(number("two", 2))
            await stage.state.create(number("three", 3))
            await stage.eventually(result("sum", 6))  # by now it has been woken
            controller.go_on.set()
            await stage.eventually(result("paused", 6))

        assert controller.reconciles >= 2

    async def test_an_input_of_one_resource_wakes_by_no_other(self, stage: Stage) -> None:
        async def look(runtime: Runtime) -> None:
            found = await runtime.find(IntResource, "one", namespace=SOURCE) is not None
            await runtime.modify(word("looks", f"{choosy.reconciles}, found: {found}"))

        choosy = Acting(look, weak(IntResource, namespace=SOURCE, id="one"))
        async with stage.running(choosy, Sum("sum")):
            await stage.eventually(word("looks", "1, found: False"))
            await stage.state.create(number("two", 2))
            await stage.eventually(result("sum", 2))
            await stage.state.create(number("one", 1))
            await stage.eventually(word("looks", "2, found: True"))

    async def test_a_destroy_ready_input_wakes_when_it_can_be_destroyed_and_not_before(self, stage: Stage) -> None:
        async def look(runtime: Runtime) -> None:
            await runtime.modify(word("looks", str(patient.reconciles)))

        async def observe(runtime: Runtime) -> None:
            for each in await runtime.list(IntResource, namespace=SOURCE):
                held = " ".join(each.metadata.finalizers)
                await runtime.modify(word("observed", f"{each.metadata.phase} {held}"))

        patient = Acting(look, destroy_ready(IntResource, namespace=SOURCE), name="kit.Patient")
        async with stage.running(patient, Acting(observe, weak(IntResource, namespace=SOURCE))):
            await stage.eventually(word("looks", "1"))
            one = await stage.state.create(number("one", 1))
            await stage.state.add_finalizers(one.pointer, "somebody")
            await stage.eventually(word("observed", "running somebody"))
            await stage.state.teardown(one.pointer)
            await stage.eventually(word("observed", "tearingDown somebody"), word("looks", "1"))
            await stage.state.remove_finalizers(one.pointer, "somebody")
            await stage.eventually(word("looks", "2"))

    async def test_a_controller_can_ask_to_be_woken_again(self, stage: Stage) -> None:
        async def ask(runtime: Runtime) -> None:
            await runtime.modify(word("times", str(asking.reconciles)))
            if asking.reconciles < 5:
                runtime.queue_reconcile()

        asking = Acting(ask)
        async with stage.running(asking):
            await stage.eventually(word("times", "5"))

    async def test_a_controller_that_returns_has_done_its_work(self, stage: Stage) -> None:
        class Once(Controller):
            name = "kit.Once"
            inputs = (weak(IntResource, namespace=SOURCE),)
            outputs = (shared(StrResource),)
            starts = 0

            async def run(self, runtime: Runtime) -> None:
                self.starts += 1
                await runtime.modify(word("once", str(self.starts)))

        once = Once()
        async with stage.running(once, Sum("sum")):
            await stage.eventually(word("once", "1"))
            await stage.state.create(number("one", 1))
            await stage.eventually(result("sum", 1))

        assert once.starts == 1

    async def test_a_controller_registered_while_running_starts_at_once(self, stage: Stage) -> None:
        async with stage.running(Sum("sum")) as engine:
            await stage.state.create(number("one", 1))
            await stage.state.create(integer("one", 5, namespace=PARTS))
            engine.register(IntToStr())
            engine.register(Sum("parts", of=PARTS, to=TARGET))
            await stage.eventually(word("one", "1"), result("parts", 5), result("sum", 1))
