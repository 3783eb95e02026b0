"""What a runtime promises about what controllers declare: it is all they can touch, and it can change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, mapped, shared, strong, weak
from cosi.controller.engine.graph import Clash
from cosi.controller.runtime import Runtime
from cosi.state import errors
from cosi.testing.resources import IntResource, PathResource, StrResource, integer
from cosi.testing.runtime.items import QIntToStr
from cosi.testing.runtime.numbers import PARTS, SOURCE, TARGET, Acting, IntToStr, Sum, number, result, word
from cosi.testing.runtime.stage import Stage, Staged

ONE = number("one", 1).pointer


async def _list_elsewhere(runtime: Runtime) -> None:
    await runtime.list(IntResource, namespace=TARGET)


async def _get_another(runtime: Runtime) -> None:
    await runtime.get(IntResource, "two", namespace=PARTS)


async def _list_where_one_is_declared(runtime: Runtime) -> None:
    await runtime.list(IntResource, namespace=PARTS)


async def _read_another_type(runtime: Runtime) -> None:
    await runtime.find(PathResource, "one", namespace=SOURCE)


async def _read_without_the_cache(runtime: Runtime) -> None:
    await runtime.uncached.list(IntResource, namespace=TARGET)


async def _write_an_input(runtime: Runtime) -> None:
    await runtime.modify(number("one", 2))


async def _destroy_an_input(runtime: Runtime) -> None:
    await runtime.destroy(ONE)


async def _hold_what_is_only_read(runtime: Runtime) -> None:
    await runtime.add_finalizer(ONE)


async def _hold_an_output(runtime: Runtime) -> None:
    await runtime.add_finalizer(word("one", "").pointer)


class Wiring(Staged):
    """Inputs and outputs are declared, checked, and replaced."""

    @pytest.mark.parametrize(
        "forbidden",
        [
            _list_elsewhere,
            _get_another,
            _list_where_one_is_declared,
            _read_another_type,
            _read_without_the_cache,
            _write_an_input,
            _destroy_an_input,
            _hold_what_is_only_read,
            _hold_an_output,
        ],
        ids=lambda forbidden: forbidden.__name__.strip("_"),
    )
    async def test_what_was_not_declared_is_refused(
        self, stage: Stage, forbidden: Callable[[Runtime], Awaitable[None]]
    ) -> None:
        async def trespass(runtime: Runtime) -> None:
            with pytest.raises(errors.AccessDenied, match=r"controller kit\.Acting "):
                await forbidden(runtime)
            await runtime.modify(word("refused", "yes"))

        inputs = weak(IntResource, namespace=SOURCE), strong(IntResource, namespace=PARTS, id="one")
        async with stage.running(Acting(trespass, *inputs)):
            await stage.eventually(word("refused", "yes"))

    async def test_what_was_declared_can_be_touched(self, stage: Stage) -> None:
        async def touch(runtime: Runtime) -> None:
            if touching.reconciles > 1:
                return
            one = await runtime.get(IntResource, "one", namespace=PARTS)
            await runtime.add_finalizer(one.pointer)
            await runtime.create(word("made", "first"))
            made = await runtime.uncached.get(StrResource, "made", namespace=TARGET)
            await runtime.remove(made.pointer)
            await runtime.remove_finalizer(one.pointer)
            await runtime.remove_finalizer(number("missing", 0).pointer)
            await runtime.modify(word("touched", made.spec.value))

        await stage.state.create(integer("one", 1, namespace=PARTS))
        inputs = strong(IntResource, namespace=PARTS, id="one"), strong(IntResource, namespace=SOURCE)
        touching = Acting(touch, *inputs)
        async with stage.running(touching):
            await stage.eventually(word("touched", "first"))
            one = await stage.state.get(IntResource, "one", namespace=PARTS)

        assert one.metadata.finalizers == ()
        assert await stage.state.find(word("made", "").pointer) is None

    async def test_an_exclusive_output_has_one_writer(self, stage: Stage) -> None:
        async with stage.running(IntToStr()) as engine:
            for rival in (Acting(_list_elsewhere), QIntToStr()):
                with pytest.raises(Clash, match=r"kit\.IntToStr writes it"):
                    engine.register(rival)

    async def test_a_name_belongs_to_one_controller(self, stage: Stage) -> None:
        async with stage.running(Sum("sum")) as engine:
            with pytest.raises(Clash, match=r"named kit\.Sum\.sum is registered already"):
                engine.register(Sum("sum"))

    async def test_each_sort_of_controllers_has_its_own_sorts_of_inputs(self, stage: Stage) -> None:
        async with stage.running() as engine:
            with pytest.raises(ValueError, match=r"has no queue, so its input Paths\.test\.cosi\.dev can't be mapped"):
                engine.register(Acting(_list_elsewhere, mapped(PathResource, namespace=SOURCE)))
            queue = QIntToStr()
            queue.inputs = (weak(IntResource, namespace=SOURCE),)
            with pytest.raises(ValueError, match=r"has a queue, so its input Ints\.test\.cosi\.dev can't be weak"):
                engine.register(queue)

    async def test_an_output_belongs_to_who_made_it_also_where_the_type_is_shared(self, stage: Stage) -> None:
        async def take_over(runtime: Runtime) -> None:
            if await runtime.find(IntResource, "sum", namespace=TARGET) is not None:
                with pytest.raises(errors.OwnerConflict):
                    await runtime.modify(result("sum", 99))
                await runtime.modify(word("refused", "yes"))

        async with stage.running(
            Sum("sum"),
            Acting(take_over, weak(IntResource, namespace=TARGET), outputs=(IntResource, StrResource)),
        ):
            await stage.eventually(word("refused", "yes"), result("sum", 0))
            with pytest.raises(errors.OwnerConflict):
                await stage.state.destroy(result("sum", 0).pointer)

    async def test_inputs_can_be_replaced_by_others(self, stage: Stage) -> None:
        class Turning(Controller):
            name = "kit.Turning"
            inputs = (weak(IntResource, namespace=SOURCE),)
            outputs = (exclusive(StrResource),)
            reconciles = 0

            async def run(self, runtime: Runtime) -> None:
                reads = SOURCE
                async for _ in runtime.reconcile():
                    self.reconciles += 1
                    numbers = await runtime.list(IntResource, namespace=reads)
                    await runtime.modify(word("looks", f"{self.reconciles}: {len(numbers)} of {reads}"))
                    if reads == SOURCE and numbers:
                        reads = PARTS
                        await runtime.update_inputs((weak(IntResource, namespace=PARTS),))
                        with pytest.raises(errors.AccessDenied):
                            await runtime.list(IntResource, namespace=SOURCE)

        async with stage.running(Turning(), Sum("sum")):
            await stage.eventually(word("looks", "1: 0 of source"))
            await stage.state.create(integer("before", 1, namespace=PARTS))
            await stage.state.create(number("one", 1))
            await stage.eventually(word("looks", "3: 1 of parts"))
            await stage.state.create(number("two", 2))
            await stage.eventually(result("sum", 3))
            await stage.state.create(integer("after", 1, namespace=PARTS))
            await stage.eventually(word("looks", "4: 2 of parts"))

    async def test_who_is_started_again_reads_what_it_has_declared(self, stage: Stage) -> None:
        class Straying(Controller):
            name = "kit.Straying"
            inputs = (weak(IntResource, namespace=SOURCE),)
            outputs = (shared(StrResource),)
            starts = 0

            async def run(self, runtime: Runtime) -> None:
                self.starts += 1
                if self.starts == 1:
                    await runtime.update_inputs((weak(IntResource, namespace=PARTS),))
                    raise RuntimeError("as requested")
                async for _ in runtime.reconcile():
                    for each in await runtime.list(IntResource, namespace=SOURCE):
                        await runtime.modify(word(each.id, str(each.spec.value)))

        async with stage.running(Straying()):
            await stage.pass_time()
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
