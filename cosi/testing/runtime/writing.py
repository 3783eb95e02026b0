"""What a runtime promises about outputs: they are written when they must, owned, counted and cleaned up."""

from __future__ import annotations

from cosi.controller.dependencies import destroy_ready, weak
from cosi.controller.runtime import Runtime
from cosi.resource.resource import Resource
from cosi.state import errors
from cosi.testing.resources import IntResource, IntSpec, StrResource, StrSpec
from cosi.testing.runtime.numbers import SOURCE, TARGET, Acting, Names, Sum, number, result, wish, word
from cosi.testing.runtime.stage import Stage, Staged


class Writing(Staged):
    """Outputs are as controllers want them, and are not written otherwise."""

    async def test_writing_returns_what_was_stored(self, stage: Stage) -> None:
        results: list[Resource[StrSpec]] = []

        async def copy(runtime: Runtime) -> None:
            one = await runtime.find(StrResource, "one", namespace=SOURCE)
            if one is not None:
                results.append(await runtime.modify(word("one", one.spec.value)))

        async with stage.running(Acting(copy, weak(StrResource, namespace=SOURCE))):
            await stage.state.create(wish("one", "first"))
            await stage.eventually(word("one", "first"))
            await stage.state.modify(wish("one", "second"))
            await stage.eventually(word("one", "second"))
            last = await stage.state.get(StrResource, "one", namespace=TARGET)

        assert results[-1] == last
        assert (last.metadata.version, last.metadata.owner) == (2, "kit.Acting")

    async def test_an_output_can_be_made_from_what_there_is(self, stage: Stage) -> None:
        async def double(runtime: Runtime) -> None:
            for each in await runtime.list(IntResource, namespace=SOURCE):
                doubled = IntSpec(value=2 * each.spec.value)
                await runtime.modify(
                    result(each.id, 0),
                    lambda known, spec=doubled: known.with_spec(spec),  # type: ignore[misc]
                )

        async with stage.running(Acting(double, weak(IntResource, namespace=SOURCE), outputs=(IntResource,))):
            await stage.state.create(number("one", 21))
            await stage.eventually(result("one", 42))
            await stage.state.modify(number("one", 22))
            await stage.eventually(result("one", 44))

    async def test_a_reconcile_that_changes_nothing_writes_nothing(self, stage: Stage) -> None:
        async with stage.running(Names(), Sum("sum")):
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            for value in range(5):
                await stage.state.modify(number("other", value))
            await stage.eventually(word("other", "4"))
            one = await stage.state.get(StrResource, "one", namespace=TARGET)

        assert one.metadata.version == 1

    async def test_outputs_that_are_not_wanted_any_more_go(self, stage: Stage) -> None:
        async with stage.running(Names()):
            for value in range(3):
                await stage.state.create(number(str(value), value))
            await stage.eventually(*(word(str(value), str(value)) for value in range(3)))
            await stage.state.destroy(number("1", 1).pointer)
            await stage.eventually_gone(word("1", "").pointer)
            await stage.eventually(word("0", "0"), word("2", "2"))

    async def test_outputs_that_somebody_holds_go_when_they_are_let_go(self, stage: Stage) -> None:
        async with stage.running(Names()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            await stage.state.add_finalizers(word("one", "").pointer, "somebody")
            await stage.state.destroy(one.pointer)
            await stage.eventually_torn_down(word("one", "").pointer)
            await stage.state.remove_finalizers(word("one", "").pointer, "somebody")
            await stage.eventually_gone(word("one", "").pointer)

    async def test_a_reconcile_that_fails_half_way_takes_nothing_back(self, stage: Stage) -> None:
        async with stage.running(Names()):
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            made = (await stage.state.get(StrResource, "one", namespace=TARGET)).metadata.created
            await stage.state.create(number("a bad one", -1))
            await stage.pass_time()
            await stage.state.modify(number("a bad one", 2))
            await stage.in_time(word("a bad one", "2"))
            one = await stage.state.get(StrResource, "one", namespace=TARGET)

        assert one.metadata.created == made

    async def test_only_own_outputs_are_cleaned_up(self, stage: Stage) -> None:
        foreign = await stage.state.create(word("foreign", "text"), owner="somebody else")
        async with stage.running(Names()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            await stage.state.destroy(one.pointer)
            await stage.eventually_gone(word("one", "").pointer)

        assert await stage.state.get(StrResource, "foreign", namespace=TARGET) == foreign

    async def test_work_is_counted(self, stage: Stage) -> None:
        async def work(runtime: Runtime) -> None:
            for each in await runtime.list(IntResource, namespace=SOURCE):
                if each.spec.value == 42:
                    raise RuntimeError("as requested")
                await runtime.modify(word(each.id, str(each.spec.value)))
                try:
                    await runtime.destroy(word("missing", "").pointer)
                except errors.NotFound:
                    await runtime.modify(word("tried", str(each.spec.value)))

        await stage.state.create(number("one", 1))
        inputs = weak(IntResource, namespace=SOURCE), destroy_ready(StrResource, namespace=TARGET)
        async with stage.running(Acting(work, *inputs)) as engine:
            await stage.eventually(word("tried", "1"))
            counters = engine.counters["kit.Acting"]
            first = counters.wakeups, counters.reconciles, counters.reads, counters.writes, counters.crashes
            await stage.state.modify(number("one", 42))
            await stage.until_due()
            counters = engine.counters["kit.Acting"]
            failed = counters.wakeups, counters.reconciles, counters.reads, counters.writes, counters.crashes

        assert first == (1, 1, 1, 3, 0)
        assert failed == (2, 2, 2, 3, 1)
