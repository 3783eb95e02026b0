"""QControllers that spell one number at a time, and such that fail, wait, sleep or map on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import anyio

from cosi.controller.dependencies import Input, exclusive, mapped, mapped_destroy_ready, primary
from cosi.controller.outcome import Skip
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Metadata, Pointer
from cosi.testing.resources import IntResource, PathResource, StrResource
from cosi.testing.runtime.numbers import SOURCE, TARGET, word

REQUEUE_SECONDS = 30.0
"""When items come back that ask to."""


class QIntToStr(QController):
    """Spells each number, and holds it while it is spelt."""

    name = "kit.QIntToStr"
    inputs: Sequence[Input] = (
        primary(IntResource, namespace=SOURCE),
        mapped_destroy_ready(StrResource, namespace=TARGET),
    )
    outputs = (exclusive(StrResource),)
    concurrency = 4

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Spell one number, or take its word away."""
        number = await runtime.find(IntResource, item.id, namespace=SOURCE)
        if number is None:
            return
        spelt = word(item.id, str(number.spec.value))
        if not number.metadata.tearing_down:
            await runtime.add_finalizer(item)
            await runtime.modify(spelt)
        elif await runtime.remove(spelt.pointer):
            await runtime.remove_finalizer(item)

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Look at the number of a word that can go."""
        return (IntResource.pointer_to(changed.id, namespace=SOURCE),)


class QSlow(QIntToStr):
    """Spells one number after the other, and sleeps over each for so many seconds, unless it is torn down."""

    name = "kit.QSlow"
    concurrency = 1

    def __init__(self) -> None:
        self.asleep: list[str] = []

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Sleep over the number, and spell it."""
        number = await runtime.find(IntResource, item.id, namespace=SOURCE)
        if number is not None and not number.metadata.tearing_down and number.spec.value:
            await runtime.add_finalizer(item)
            async with runtime.until_teardown(item) as scope:
                self.asleep.append(item.id)
                await anyio.sleep(number.spec.value)
            if scope.cancelled_caught:
                return
        await super().reconcile(runtime, item)


class QFailing(QController):
    """Copies words, but for those that tell it what else to do, which it does once each."""

    name = "kit.QFailing"
    inputs = (primary(StrResource, namespace=SOURCE),)
    outputs = (exclusive(StrResource),)
    concurrency = 4

    def __init__(self) -> None:
        self.done: set[str] = set()

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Do as the word says."""
        wish = (await runtime.get(StrResource, item.id, namespace=SOURCE)).spec.value
        if wish not in self.done:
            self.done.add(wish)
            match wish:
                case "fail":
                    raise RuntimeError("failing as requested")
                case "exit":
                    raise SystemExit("leaving as requested")
                case "skip":
                    raise Skip("skipping as requested")
                case "requeue":
                    runtime.requeue_after(REQUEUE_SECONDS)
                    return
                case "requeue and fail":
                    runtime.requeue_after(REQUEUE_SECONDS)
                    raise RuntimeError("failing as requested")
        await runtime.modify(word(item.id, wish))


class Turnstile(QController):
    """Lets items through when it is told to, and watches that no two of a name are inside."""

    name = "kit.Turnstile"
    inputs = (primary(IntResource, namespace=SOURCE),)
    outputs = (exclusive(StrResource),)

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.inside: list[str] = []
        self.most = 0
        self.twice: list[str] = []
        self.full = anyio.Event()
        self.open = anyio.Event()

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Enter, wait, leave."""
        number = await runtime.get(IntResource, item.id, namespace=SOURCE)
        if item.id in self.inside:
            self.twice.append(item.id)
        self.inside.append(item.id)
        self.most = max(self.most, len(self.inside))
        if len(self.inside) == self.concurrency:
            self.full.set()
        await self.open.wait()
        await runtime.modify(word(item.id, str(number.spec.value)))
        self.inside.remove(item.id)


class Signposts(QController):
    """Says of each number which paths were mapped to it; paths that are told to be fail once, or lead astray."""

    name = "kit.Signposts"
    inputs = (primary(IntResource, namespace=SOURCE), mapped(PathResource, namespace=SOURCE))
    outputs = (exclusive(StrResource),)

    def __init__(self) -> None:
        self.mapped: list[str] = []

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Say so."""
        await runtime.modify(word(item.id, " ".join(self.mapped)))

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Concern all numbers."""
        self.mapped.append(changed.id)
        if changed.id == "fail" and self.mapped.count("fail") == 1:
            raise RuntimeError("failing as requested")
        if changed.id == "astray":
            return (StrResource.pointer_to("one", namespace=TARGET),)
        return [number.pointer for number in await runtime.list(IntResource, namespace=SOURCE)]


class Hooked(QIntToStr):
    """Fails in its run hook at first, then says that it runs; notes when it is shut down."""

    name = "kit.Hooked"

    def __init__(self) -> None:
        self.hook_runs = 0
        self.shut_down = 0

    async def run_hook(self, runtime: QRuntime) -> None:
        """Fail at first, then say so."""
        self.hook_runs += 1
        if self.hook_runs == 1:
            raise RuntimeError("as requested")
        await runtime.modify(word("hook", str(self.hook_runs)))
        await anyio.sleep_forever()

    def shutdown_hook(self) -> None:
        """Note the end."""
        self.shut_down += 1
