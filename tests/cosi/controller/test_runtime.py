"""A controller sees only what it declared."""

from collections.abc import Awaitable, Callable

import pytest

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, strong, weak
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Pointer
from cosi.state import errors
from tests.cosi.controller.samples import Number, NumberSpec, Word, WordSpec, eventually, running

pytestmark = pytest.mark.anyio

ELSEWHERE = Pointer("elsewhere", Number.definition.type, "a")


async def _list_undeclared(runtime: Runtime) -> None:
    await runtime.list(Number, namespace="elsewhere")


async def _get_undeclared(runtime: Runtime) -> None:
    await runtime.get(ELSEWHERE)


async def _list_where_only_an_id_is_declared(runtime: Runtime) -> None:
    await runtime.list(Number, namespace="one-only")


async def _write_an_input(runtime: Runtime) -> None:
    await runtime.create(Number.new("a", NumberSpec()))


async def _destroy_an_input(runtime: Runtime) -> None:
    await runtime.destroy(Number.pointer_to("a"))


async def _hold_a_weak_input(runtime: Runtime) -> None:
    await runtime.add_finalizer(Number.pointer_to("a"))


@pytest.mark.parametrize(
    ("forbidden", "message"),
    [
        (_list_undeclared, "reads Numbers.test.cosi.dev(elsewhere/), which is none of its inputs"),
        (_get_undeclared, "reads Numbers.test.cosi.dev(elsewhere/a), which is none of its inputs"),
        (_list_where_only_an_id_is_declared, "reads Numbers.test.cosi.dev(one-only/), which is none"),
        (_write_an_input, "writes Numbers.test.cosi.dev(default/a@undefined), which is none of its outputs"),
        (_destroy_an_input, "writes Numbers.test.cosi.dev(default/a@undefined), which is none of its outputs"),
        (_hold_a_weak_input, "changes finalizers of Numbers.test.cosi.dev(default/a@undefined)"),
    ],
)
async def test_what_was_not_declared_is_refused(forbidden: Callable[[Runtime], Awaitable[None]], message: str) -> None:
    refusals: list[str] = []

    class Nosy(Controller):
        name = "test.Nosy"
        inputs = (weak(Number), strong(Number, namespace="one-only", id="x"))
        outputs = (exclusive(Word),)

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                try:
                    await forbidden(runtime)
                except errors.AccessDenied as refusal:
                    refusals.append(str(refusal))
                await runtime.modify(Word.new("done", WordSpec(text="done")))

    async with running(Nosy()) as state:
        await eventually(state, Word.new("done", WordSpec(text="done")))

    assert refusals
    assert message in refusals[0]
    assert refusals[0].startswith("controller test.Nosy ")


async def test_declared_inputs_and_own_outputs_can_be_read() -> None:
    seen: list[object] = []

    class Reader(Controller):
        name = "test.Reader"
        inputs = (strong(Number, id="a"),)
        outputs = (exclusive(Word),)

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                number = await runtime.find(Number, "a")
                if number is None:
                    continue
                await runtime.add_finalizer(number.pointer)
                await runtime.create(Word.new("w", WordSpec(text="x")))
                seen.extend([(await runtime.get(Word, "w")).spec.text, len(await runtime.list(Word))])
                await runtime.remove_finalizer(number.pointer)
                await runtime.modify(Word.new("done", WordSpec(text="done")))
                return

    async with running(Reader()) as state:
        await state.create(Number.of_value("a", 1))
        await eventually(state, Word.new("done", WordSpec(text="done")))
        number = await state.get(Number, "a")

    assert seen == ["x", 1]
    assert number.metadata.finalizers == ()


async def test_a_body_that_raises_while_outputs_are_tracked_removes_nothing() -> None:
    class Fragile(Controller):
        name = "test.Fragile"
        inputs = (weak(Number),)
        outputs = (exclusive(Word),)
        rounds = 0

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                self.rounds += 1
                async with runtime.tracked_outputs(Word):
                    if self.rounds == 1:
                        await runtime.modify(Word.new("kept", WordSpec(text="kept")))
                    elif self.rounds == 2:
                        raise RuntimeError("before anything was written")
                    else:
                        await runtime.modify(Word.new("kept", WordSpec(text="still here")))

    async with running(Fragile()) as state:
        await eventually(state, Word.new("kept", WordSpec(text="kept")))
        created = (await state.get(Word, "kept")).metadata.created
        await state.create(Number.of_value("a", 1))
        await eventually(state, Word.new("kept", WordSpec(text="still here")))
        kept = await state.get(Word, "kept")

    assert kept.metadata.created == created
