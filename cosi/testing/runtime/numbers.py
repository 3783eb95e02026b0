"""Controllers that turn numbers into words, words into sentences, and many numbers into one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy

import anyio

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, destroy_ready, exclusive, shared, strong, weak
from cosi.controller.runtime import Runtime
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, StrResource, integer, string

SOURCE, TARGET, SENTENCES, PARTS = "source", "target", "sentences", "parts"
"""The namespaces in which everything happens."""


def number(id: str, value: int) -> IntResource:
    """Return a number of the source namespace, labelled with its parity."""
    labels = {"parity": "odd" if value % 2 else "even"}
    return IntResource.new(id, IntSpec(value=value), namespace=SOURCE, labels=labels)


def result(id: str, value: int) -> IntResource:
    """Return a number of the target namespace."""
    return integer(id, value, namespace=TARGET)


def wish(id: str, text: str) -> StrResource:
    """Return a word of the source namespace."""
    return string(id, text, namespace=SOURCE)


def word(id: str, text: str) -> StrResource:
    """Return a word of the target namespace."""
    return string(id, text, namespace=TARGET)


def sentence(id: str, text: str) -> PathResource:
    """Return a sentence."""
    return PathResource.new(id, PathSpec(path=text), namespace=SENTENCES)


class IntToStr(Controller):
    """Spells every number, and holds it while it is spelt."""

    name = "kit.IntToStr"
    inputs = (strong(IntResource, namespace=SOURCE), destroy_ready(StrResource, namespace=TARGET))
    outputs = (exclusive(StrResource),)

    async def run(self, runtime: Runtime) -> None:
        """Spell."""
        async for _ in runtime.reconcile():
            for each in await runtime.list(IntResource, namespace=SOURCE):
                spelt = word(each.id, str(each.spec.value))
                if not each.metadata.tearing_down:
                    await runtime.add_finalizer(each.pointer)
                    await runtime.modify(spelt)
                elif await runtime.remove(spelt.pointer):
                    await runtime.remove_finalizer(each.pointer)


class StrToSentence(Controller):
    """Makes a sentence of every word, and holds it; what it reads it says only when it runs."""

    name = "kit.StrToSentence"
    outputs = (exclusive(PathResource),)

    async def run(self, runtime: Runtime) -> None:
        """Speak."""
        await runtime.update_inputs(
            (strong(StrResource, namespace=TARGET), destroy_ready(PathResource, namespace=SENTENCES))
        )
        async for _ in runtime.reconcile():
            for each in await runtime.list(StrResource, namespace=TARGET):
                spoken = sentence(each.id, f"{each.spec.value} sentence")
                if not each.metadata.tearing_down:
                    await runtime.add_finalizer(each.pointer)
                    await runtime.modify(spoken)
                elif await runtime.remove(spoken.pointer):
                    await runtime.remove_finalizer(each.pointer)


class Sum(Controller):
    """Adds up the numbers of a namespace, or some of them."""

    outputs = (shared(IntResource),)

    def __init__(self, id: str, *, of: str = SOURCE, to: str = TARGET, query: Query = ALL) -> None:
        self.name = f"kit.Sum.{id}"
        self.inputs = (weak(IntResource, namespace=of),)
        self._id, self._of, self._to, self._query = id, of, to, query

    async def run(self, runtime: Runtime) -> None:
        """Add up."""
        async for _ in runtime.reconcile():
            numbers = await runtime.list(IntResource, namespace=self._of, query=self._query)
            await runtime.modify(integer(self._id, sum(each.spec.value for each in numbers), namespace=self._to))


class Names(Controller):
    """Keeps a word for each number that there is, and none else, without holding the numbers."""

    name = "kit.Names"
    inputs = (weak(IntResource, namespace=SOURCE), destroy_ready(StrResource, namespace=TARGET))
    outputs = (exclusive(StrResource),)

    async def run(self, runtime: Runtime) -> None:
        """Name; a negative number makes it fail half-way."""
        async for _ in runtime.reconcile():
            async with runtime.tracked_outputs(StrResource, namespace=TARGET):
                for each in await runtime.list(IntResource, namespace=SOURCE):
                    if each.spec.value < 0:
                        raise RuntimeError("as requested")
                    await runtime.modify(word(each.id, str(each.spec.value)))


class Failing(Controller):
    """Writes down each of its starts, and fails, each time in its own way, until it has no more reason to."""

    name = "kit.Failing"
    inputs = (weak(IntResource, namespace=SOURCE),)
    outputs = (shared(IntResource),)

    def __init__(self, *failures: BaseException) -> None:
        self._failures = list(failures)
        self.starts = 0

    async def run(self, runtime: Runtime) -> None:
        """Fail, or count what there is."""
        async for _ in runtime.reconcile():
            await runtime.modify(result(f"start-{self.starts}", self.starts))
            if self.starts < len(self._failures):
                self.starts += 1
                raise copy(self._failures[self.starts - 1])
            numbers = await runtime.list(IntResource, namespace=SOURCE)
            await runtime.modify(result("seen", len(numbers)))


class Acting(Controller):
    """Does in each reconcile what it was told to, which may be to write words, and counts them."""

    def __init__(
        self,
        act: Callable[[Runtime], Awaitable[object]],
        *inputs: Input,
        name: str = "kit.Acting",
        outputs: Sequence[type[AnyResource]] = (StrResource,),
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = tuple(shared(each) for each in outputs)
        self.reconciles = 0
        self._act = act

    async def run(self, runtime: Runtime) -> None:
        """Act."""
        async for _ in runtime.reconcile():
            self.reconciles += 1
            await self._act(runtime)


class Paused(Sum):
    """Adds up, but waits within each reconcile, after it has read, until it may go on."""

    def __init__(self) -> None:
        super().__init__("paused")
        self.reconciles = 0
        self.read = anyio.Event()
        self.go_on = anyio.Event()

    async def run(self, runtime: Runtime) -> None:
        """Add up what was there before the pause."""
        async for _ in runtime.reconcile():
            self.reconciles += 1
            numbers = await runtime.list(IntResource, namespace=SOURCE)
            self.read.set()
            await self.go_on.wait()
            await runtime.modify(result("paused", sum(each.spec.value for each in numbers)))
