"""What a runtime promises to QControllers."""

from __future__ import annotations

from collections.abc import Iterable

import anyio

from cosi.controller.dependencies import exclusive, mapped, mapped_destroy_ready, primary
from cosi.controller.outcome import Skip
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Metadata, Pointer
from cosi.testing.resources import IntResource, IntSpec, PathResource, StrResource, integer, path, string
from cosi.testing.runtime.numbers import SOURCE, TARGET
from cosi.testing.runtime.stage import Stage, Staged


class QIntToStr(QController):
    """Spells each number, and holds it while it is spelt; counts on in a hook."""

    name = "kit.QIntToStr"
    inputs = (primary(IntResource, namespace=SOURCE), mapped_destroy_ready(StrResource, namespace=TARGET))
    outputs = (exclusive(StrResource),)
    concurrency = 4

    def __init__(self) -> None:
        self.hook_runs = 0
        self.shut_down = False

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Spell one number, or take its word away."""
        number = await runtime.find(IntResource, item.id, namespace=SOURCE)
        if number is None:
            return
        word = string(item.id, str(number.spec.value), namespace=TARGET)
        if not number.metadata.tearing_down:
            await runtime.add_finalizer(item)
            await runtime.modify(word)
        elif await runtime.remove(word.pointer):
            await runtime.remove_finalizer(item)

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Look at the number of a word that can go."""
        return (IntResource.pointer_to(changed.id, namespace=SOURCE),)

    async def run_hook(self, runtime: QRuntime) -> None:
        """Fail at first, then say so."""
        self.hook_runs += 1
        if self.hook_runs == 1:
            raise RuntimeError("as requested")
        await runtime.modify(string("hook", str(self.hook_runs), namespace="hooks"))
        await anyio.sleep_forever()

    def shutdown_hook(self) -> None:
        """Note the end."""
        self.shut_down = True


class QFailing(QController):
    """Copies words, but for those that tell it what else to do, which it does once each."""

    name = "kit.QFailing"
    inputs = (primary(StrResource, namespace=SOURCE),)
    outputs = (exclusive(StrResource),)
    concurrency = 4

    def __init__(self) -> None:
        self.done: list[str] = []

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Do as the word says."""
        word = await runtime.get(StrResource, item.id, namespace=SOURCE)
        wish = word.spec.value
        if wish not in self.done:
            self.done.append(wish)
            match wish:
                case "fail":
                    raise RuntimeError("failing as requested")
                case "exit":
                    raise SystemExit("leaving as requested")
                case "skip":
                    raise Skip("skipping as requested")
                case "requeue":
                    runtime.requeue_after(0.05)
                    return
                case "requeue and fail":
                    runtime.requeue_after(0.05)
                    raise RuntimeError("failing as requested")
        await runtime.modify(string(item.id, wish, namespace=TARGET))


class Turnstile(QController):
    """Lets items through when it is told to, and watches that no two of a name are inside."""

    name = "kit.Turnstile"
    inputs = (primary(IntResource, namespace=SOURCE),)
    outputs = (exclusive(StrResource),)

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.inside: list[str] = []
        self.most = 0
        self.entered = anyio.Event()
        self.open = anyio.Event()

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Enter, wait, leave."""
        number = await runtime.get(IntResource, item.id, namespace=SOURCE)
        assert item.id not in self.inside, f"{item} is reconciled twice at once"
        self.inside.append(item.id)
        self.most = max(self.most, len(self.inside))
        if len(self.inside) == self.concurrency:
            self.entered.set()
        try:
            await self.open.wait()
        finally:
            self.inside.remove(item.id)
        await runtime.modify(string(item.id, str(number.spec.value), namespace=TARGET))


class Sleeping(QController):
    """Sleeps over each number for ever, unless it is torn down."""

    name = "kit.Sleeping"
    inputs = (primary(IntResource, namespace=SOURCE),)
    outputs = (exclusive(StrResource),)

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Sleep."""
        number = await runtime.find(IntResource, item.id, namespace=SOURCE)
        if number is None or number.metadata.tearing_down:
            await runtime.remove_finalizer(item)
            return
        await runtime.add_finalizer(item)
        await runtime.modify(string(item.id, "asleep", namespace=TARGET))
        async with runtime.until_teardown(item):
            await anyio.sleep_forever()


class Mapping(QController):
    """Counts the paths that were mapped to each number; the first attempt to map each path fails."""

    name = "kit.Mapping"
    inputs = (primary(IntResource, namespace=SOURCE), mapped(PathResource, namespace=SOURCE))
    outputs = (exclusive(StrResource),)

    def __init__(self) -> None:
        self._attempted: set[str] = set()
        self._mapped: set[str] = set()

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Count."""
        await runtime.modify(string(item.id, str(len(self._mapped)), namespace=TARGET))

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Concern all numbers."""
        if changed.id not in self._attempted:
            self._attempted.add(changed.id)
            raise RuntimeError("failing as requested")
        self._mapped.add(changed.id)
        return [number.pointer for number in await runtime.list(IntResource, namespace=SOURCE)]


def number(id: str, value: int) -> IntResource:
    """A number in the source namespace."""
    return integer(id, value, namespace=SOURCE)


def word(id: str, text: str) -> StrResource:
    """A word in the target namespace."""
    return string(id, text, namespace=TARGET)


class Queueing(Staged):
    """Items are reconciled by themselves, several at once, and again until it works."""

    async def test_each_item_is_reconciled(self, stage: Stage) -> None:
        await stage.state.create(number("before", 0))
        async with stage.running(QIntToStr()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(word("before", "0"), word("one", "1"))
            await stage.state.modify(number("one", 11))
            await stage.eventually(word("one", "11"))
            await stage.state.add_finalizers(word("one", "").pointer, "somebody")
            assert not await stage.state.teardown(one.pointer)
            await stage.eventually_torn_down(word("one", "").pointer)
            await stage.state.remove_finalizers(word("one", "").pointer, "somebody")
            await stage.destroy(one.pointer)
            await stage.eventually_gone(word("one", "").pointer)

    async def test_the_run_hook_runs_until_it_works_and_the_shutdown_hook_at_the_end(self, stage: Stage) -> None:
        controller = QIntToStr()
        async with stage.running(controller):
            await stage.eventually(string("hook", "2", namespace="hooks"))
            assert not controller.shut_down

        assert controller.shut_down

    async def test_an_item_that_fails_comes_back_alone(self, stage: Stage) -> None:
        async with stage.running(QFailing()) as engine:
            for wish in ("fail", "exit", "fine"):
                await stage.state.create(string(wish, wish, namespace=SOURCE))
            await stage.eventually(word("fine", "fine"), word("fail", "fail"), word("exit", "exit"))

            assert engine.counters["kit.QFailing"].crashes == 2

    async def test_an_item_comes_back_when_it_asked_to(self, stage: Stage) -> None:
        async with stage.running(QFailing()) as engine:
            for wish in ("requeue", "requeue and fail"):
                await stage.state.create(string(wish.replace(" ", "-"), wish, namespace=SOURCE))
            await stage.eventually(word("requeue", "requeue"), word("requeue-and-fail", "requeue and fail"))

            counters = engine.counters["kit.QFailing"]
            assert (counters.requeues, counters.crashes) == (1, 1)

    async def test_an_item_that_was_skipped_comes_back_with_its_next_change(self, stage: Stage) -> None:
        async with stage.running(QFailing()) as engine:
            await stage.state.create(string("one", "skip", namespace=SOURCE))
            await stage.state.create(string("two", "fine", namespace=SOURCE))
            await stage.eventually(word("two", "fine"))
            await stage.state.modify(string("one", "done", namespace=SOURCE))
            await stage.eventually(word("one", "done"))

            counters = engine.counters["kit.QFailing"]
            assert (counters.skips, counters.crashes) == (1, 0)

    async def test_no_item_is_reconciled_twice_at_once_and_none_of_its_changes_is_lost(self, stage: Stage) -> None:
        controller = Turnstile(concurrency=2)
        await stage.state.create(number("one", 1))
        await stage.state.create(number("two", 2))
        async with stage.running(controller):
            await controller.entered.wait()
            for value in range(10, 20):
                await stage.state.modify(number("one", value))
            controller.open.set()
            await stage.eventually(word("one", "19"), word("two", "2"))

        assert controller.most == 2

    async def test_no_more_items_are_reconciled_at_once_than_allowed(self, stage: Stage) -> None:
        controller = Turnstile(concurrency=3)
        async with stage.running(controller):
            for value in range(8):
                await stage.state.create(number(str(value), value))
            await controller.entered.wait()
            controller.open.set()
            await stage.eventually(*(word(str(value), str(value)) for value in range(8)))

        assert controller.most == 3

    async def test_a_reconcile_can_be_cut_short_by_a_teardown(self, stage: Stage) -> None:
        async with stage.running(Sleeping()):
            one = await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "asleep"))
            await stage.destroy(one.pointer)

    async def test_a_mapping_that_fails_is_tried_again(self, stage: Stage) -> None:
        async with stage.running(Mapping()) as engine:
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "0"))
            await stage.state.create(path("somewhere", namespace=SOURCE))
            await stage.eventually(word("one", "1"))

            counters = engine.counters["kit.Mapping"]
            counted = (counters.crashes, counters.mapped_in, counters.mapped_out)
            assert counted == (1, 2, 1), counted

    async def test_a_queue_controller_registered_while_running_starts_with_what_exists(self, stage: Stage) -> None:
        async with stage.running() as engine:
            await stage.state.create(integer("one", 1, namespace=SOURCE).with_spec(IntSpec(value=7)))
            engine.register(QIntToStr())
            await stage.eventually(word("one", "7"))
