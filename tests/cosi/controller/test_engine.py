"""The engine wakes whom a change concerns, restarts whom it must, and keeps everybody else running."""

from collections.abc import Sequence

import anyio
import pytest

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, exclusive, weak
from cosi.controller.engine.engine import Engine
from cosi.controller.engine.graph import Clash
from cosi.controller.runtime import Runtime
from cosi.state import errors
from cosi.state.core import WatchKindOptions
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from tests.cosi.controller.samples import (
    PATIENCE_SECONDS,
    Number,
    NumberSpec,
    Spell,
    Sum,
    Word,
    WordSpec,
    eventually,
    eventually_gone,
    running,
)

pytestmark = pytest.mark.anyio


def word(id: str, text: str) -> Word:
    return Word.new(id, WordSpec(text=text))


async def test_an_output_follows_its_input() -> None:
    async with running(Spell()) as state:
        number = await state.create(Number.of_value("one", 1))
        await eventually(state, word("one", "1"))

        await state.update(
            (await state.get(Number, "one")).with_spec(NumberSpec(value=11)),
        )
        await eventually(state, word("one", "11"))

        await state.teardown_and_destroy(number.pointer)
        await eventually_gone(state, word("one", ""))


async def test_what_existed_before_the_start_is_reconciled() -> None:
    state = State(MemoryState())
    await state.create(Number.of_value("early", 5))
    engine = Engine(state)
    engine.register(Spell())

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            await tasks.start(engine.run)
            await eventually(state, word("early", "5"))
            tasks.cancel_scope.cancel()


async def test_a_controller_registered_while_running_starts_at_once() -> None:
    state = State(MemoryState())
    engine = Engine(state)

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            await tasks.start(engine.run)
            engine.register(Spell())
            await state.create(Number.of_value("late", 7))
            await eventually(state, word("late", "7"))
            tasks.cancel_scope.cancel()


async def test_the_owner_of_an_output_is_its_controller() -> None:
    async with running(Spell()) as state:
        await state.create(Number.of_value("one", 1))
        await eventually(state, word("one", "1"))

        assert (await state.get(Word, "one")).metadata.owner == Spell.name
        with pytest.raises(errors.OwnerConflict):
            await state.destroy(Word.pointer_to("one"))


async def test_a_held_output_is_destroyed_once_it_is_let_go() -> None:
    async with running(Spell()) as state:
        number = await state.create(Number.of_value("one", 1))
        await eventually(state, word("one", "1"))
        await state.add_finalizers(Word.pointer_to("one"), "reader")

        assert not await state.teardown(number.pointer)
        await state.watch_for(
            Word.pointer_to("one"), lambda event: event.resource is not None and event.resource.metadata.tearing_down
        )
        await state.remove_finalizers(Word.pointer_to("one"), "reader")

        await eventually_gone(state, word("one", ""))
        await state.teardown_and_destroy(number.pointer)


async def test_an_input_by_id_wakes_for_that_id_alone() -> None:
    controller = Sum(weak(Number, id="a"))
    woken = 0

    class Count(Sum):
        name = "test.Count"

        async def run(self, runtime: Runtime) -> None:
            nonlocal woken
            async for _ in runtime.reconcile():
                woken += 1
                number = await runtime.find(Number, "a")
                value = number.spec.value if number else 0
                await runtime.modify(Number.new("seen", NumberSpec(value=value), namespace="sums"))

    async with running(Count(*controller.inputs)) as state:
        await eventually(state, Number.new("seen", NumberSpec(value=0), namespace="sums"))
        for index in range(20):
            await state.create(Number.of_value(f"other{index}", index))
        await state.create(Number.of_value("a", 9))
        await eventually(state, Number.new("seen", NumberSpec(value=9), namespace="sums"))

    assert woken == 2


async def test_many_changes_before_it_looks_are_one_wake_up() -> None:
    spell = Spell()
    async with running(spell) as state:
        for index in range(500):
            await state.create(Number.of_value(f"n{index:03d}", index))
        await eventually(state, word("n499", "499"))

    assert spell.reconciles < 20


async def test_a_controller_that_raises_is_restarted_and_others_do_not_notice() -> None:
    class Stumble(Sum):
        name = "test.Stumble"
        falls = 2

        async def run(self, runtime: Runtime) -> None:
            if self.falls:
                self.falls -= 1
                raise RuntimeError("stumbled")
            await super().run(runtime)

    async with running(Stumble(), Spell()) as state:
        await state.create(Number.of_value("a", 3))
        await eventually(state, word("a", "3"))
        await eventually(state, Number.new("sum", NumberSpec(value=3), namespace="sums"))


async def test_a_reconcile_that_was_cut_by_an_error_runs_again() -> None:
    class Picky(Spell):
        name = "test.Picky"
        refused = False

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                for number in await runtime.list(Number):
                    if not self.refused:
                        self.refused = True
                        raise ValueError("not yet")
                    await runtime.modify(word(number.id, "picked"))

    async with running(Picky()) as state:
        await state.create(Number.of_value("a", 1))
        await eventually(state, word("a", "picked"))


async def test_inputs_can_change_while_running() -> None:
    class Follow(Controller):
        name = "test.Follow"
        inputs: Sequence[Input] = (weak(Number, id="leader"),)
        outputs = (exclusive(Word),)

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                leader = await runtime.find(Number, "leader")
                if leader is not None and leader.spec.value and len(self.inputs) == 1:
                    self.inputs = (*self.inputs, weak(Number, namespace="elsewhere"))
                    await runtime.update_inputs(self.inputs)
                if len(self.inputs) > 1:
                    found = await runtime.list(Number, namespace="elsewhere")
                    await runtime.modify(word("found", str(len(found))))

    async with running(Follow()) as state:
        await state.create(Number.of_value("leader", 1))
        await eventually(state, word("found", "0"))
        await state.create(Number.new("far", NumberSpec(value=1), namespace="elsewhere"))
        await eventually(state, word("found", "1"))


async def test_a_watch_that_was_overrun_is_opened_again_and_nothing_is_missed() -> None:
    state = State(MemoryState(history=4, gap=1))
    engine = Engine(state)
    engine.register(Sum())

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            await tasks.start(engine.run)
            for index in range(100):
                await state.create(Number.of_value(f"n{index}", 1))
            await eventually(state, Number.new("sum", NumberSpec(value=100), namespace="sums"))
            await state.create(Number.of_value("last", 1))
            await eventually(state, Number.new("sum", NumberSpec(value=101), namespace="sums"))
            tasks.cancel_scope.cancel()


async def test_a_reconcile_that_changes_nothing_writes_nothing() -> None:
    async with running(Spell()) as state:
        await state.create(Number.of_value("one", 1))
        await eventually(state, word("one", "1"))
        async with state.watch_kind(Word.kind(), WatchKindOptions()) as watch:
            await state.create(Number.of_value("two", 2))
            events = [event.resource.id for event in await watch.batch() if event.resource is not None]

        assert events == ["two"]


async def test_names_and_exclusive_outputs_are_taken_once() -> None:
    engine = Engine(MemoryState())
    engine.register(Spell())

    with pytest.raises(Clash, match=r"named test\.Spell is registered already"):
        engine.register(Spell())

    class Rival(Spell):
        name = "test.Rival"

    with pytest.raises(Clash, match=r"test.Rival can't write Words.test.cosi.dev .*test.Spell writes it"):
        engine.register(Rival())
