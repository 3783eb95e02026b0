"""What a runtime promises about reads, whether they go to the state or to a cache of it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cosi.controller.dependencies import exclusive, mapped, primary, weak
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource import query
from cosi.resource.metadata import Metadata, Pointer
from cosi.state import errors
from cosi.testing.resources import IntResource, PathResource, PathSpec, StrResource, path
from cosi.testing.runtime.numbers import SOURCE, TARGET, Acting, number, word
from cosi.testing.runtime.stage import Stage, Staged


class Looking(QController):
    """Compares what it is told with what it finds, and says how often it found less."""

    name = "kit.Looking"
    inputs = (primary(IntResource, namespace=SOURCE), mapped(PathResource, namespace=SOURCE))
    outputs = (exclusive(StrResource),)

    def __init__(self) -> None:
        self.told: dict[Pointer, int] = {}
        self.stale: list[Pointer] = []

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Look the number up."""
        found = await runtime.find(IntResource, item.id, namespace=SOURCE)
        text = "gone" if found is None else str(found.spec.value)
        await runtime.modify(word(item.id, text))

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Look the path up."""
        found = await runtime.find(changed.pointer)
        assert changed.version is not None
        if found is not None and (found.metadata.version or 0) < changed.version:
            self.stale.append(changed.pointer)
        self.told[changed.pointer] = changed.version
        return (IntResource.pointer_to(changed.id, namespace=SOURCE),)


class Reads(Staged):
    """Who was woken by a change can see it."""

    async def test_who_is_told_of_a_change_finds_it(self, stage: Stage) -> None:
        controller = Looking()
        async with stage.running(controller):
            await stage.state.create(number("one", 0))
            await stage.eventually(word("one", "0"))
            made = await stage.state.create(path("somewhere", namespace=SOURCE))
            for value in range(1, 8):
                await stage.state.modify(number("one", value))
                await stage.state.modify(PathResource.new("somewhere", PathSpec(path=str(value)), namespace=SOURCE))
                await stage.eventually(word("one", str(value)))
            await stage.state.destroy(number("one", 0).pointer)
            await stage.eventually(word("one", "gone"), word("somewhere", "gone"))

        assert controller.stale == []
        assert made.pointer in controller.told

    async def test_lists_are_in_order_and_show_what_was_asked_for(self, stage: Stage) -> None:
        async def look(runtime: Runtime) -> None:
            numbers = await runtime.list(IntResource, namespace=SOURCE)
            even = await runtime.list(IntResource, namespace=SOURCE, query=query.where(query.equal("parity", "even")))
            some = await runtime.list(IntResource, namespace=SOURCE, query=query.where(id_pattern="^[bc]$"))
            for name, found in (("all", numbers), ("even", even), ("some", some)):
                await runtime.modify(word(name, " ".join(each.id for each in found)))

        for value, id in enumerate("dbca"):
            await stage.state.create(number(id, value))
        async with stage.running(Acting(look, weak(IntResource, namespace=SOURCE))):
            await stage.eventually(word("all", "a b c d"), word("even", "c d"), word("some", "b c"))
            await stage.state.destroy(number("b", 1).pointer)
            await stage.eventually(word("all", "a c d"), word("even", "c d"), word("some", "c"))

    async def test_what_does_not_exist_is_not_found(self, stage: Stage) -> None:
        async def look(runtime: Runtime) -> None:
            with pytest.raises(errors.NotFound):
                await runtime.get(IntResource, "missing", namespace=SOURCE)
            assert await runtime.find(IntResource, "missing", namespace=SOURCE) is None
            await runtime.modify(word("missing", "yes"))

        async with stage.running(Acting(look, weak(IntResource, namespace=SOURCE))):
            await stage.eventually(word("missing", "yes"))

    async def test_who_looks_past_the_cache_finds_its_own_writes(self, stage: Stage) -> None:
        async def look(runtime: Runtime) -> None:
            written = await runtime.modify(word("own", str(looking.reconciles)))
            assert await runtime.uncached.get(StrResource, "own", namespace=TARGET) == written
            await runtime.modify(word("looked", str(looking.reconciles)))
            if looking.reconciles < 5:
                runtime.queue_reconcile()

        looking = Acting(look, weak(IntResource, namespace=SOURCE))
        async with stage.running(looking):
            await stage.eventually(word("looked", "5"))
