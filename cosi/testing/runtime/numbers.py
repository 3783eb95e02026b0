"""Controllers that turn numbers into words, words into sentences, and many numbers into one."""

from __future__ import annotations

from cosi.controller.controller import Controller
from cosi.controller.dependencies import destroy_ready, exclusive, shared, strong, weak
from cosi.controller.runtime import Runtime
from cosi.resource.query import ALL, Query
from cosi.resource.resource import Resource
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, StrResource, StrSpec, integer, string

SOURCE, TARGET, SENTENCES = "source", "target", "sentences"


class IntToStr(Controller):
    """Spells every number, and holds it while it is spelt."""

    name = "kit.IntToStr"
    inputs = (strong(IntResource, namespace=SOURCE), destroy_ready(StrResource, namespace=TARGET))
    outputs = (exclusive(StrResource),)

    async def run(self, runtime: Runtime) -> None:
        """Spell."""
        async for _ in runtime.reconcile():
            for number in await runtime.list(IntResource, namespace=SOURCE):
                word = string(number.id, str(number.spec.value), namespace=TARGET)
                if not number.metadata.tearing_down:
                    await runtime.add_finalizer(number.pointer)
                    await runtime.modify(word)
                elif await runtime.remove(word.pointer):
                    await runtime.remove_finalizer(number.pointer)


class StrToSentence(Controller):
    """Makes a sentence of every word, and holds it."""

    name = "kit.StrToSentence"
    inputs = (strong(StrResource, namespace=TARGET), destroy_ready(PathResource, namespace=SENTENCES))
    outputs = (exclusive(PathResource),)

    async def run(self, runtime: Runtime) -> None:
        """Speak."""
        async for _ in runtime.reconcile():
            for word in await runtime.list(StrResource, namespace=TARGET):
                sentence = PathResource.new(word.id, PathSpec(path=f"{word.spec.value} sentence"), namespace=SENTENCES)
                if not word.metadata.tearing_down:
                    await runtime.add_finalizer(word.pointer)
                    await runtime.modify(sentence)
                elif await runtime.remove(sentence.pointer):
                    await runtime.remove_finalizer(word.pointer)


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
            await runtime.modify(integer(self._id, sum(number.spec.value for number in numbers), namespace=self._to))


class Failing(Controller):
    """Fails a number of times, each in its own way, then writes how often it was started."""

    name = "kit.Failing"
    inputs = (weak(IntResource, namespace=SOURCE),)
    outputs = (shared(IntResource),)

    def __init__(self, *failures: BaseException) -> None:
        self._failures = list(failures)
        self.starts = 0

    async def run(self, runtime: Runtime) -> None:
        """Fail, or count."""
        self.starts += 1
        async for _ in runtime.reconcile():
            if self._failures:
                raise self._failures.pop(0)
            await runtime.modify(integer("starts", self.starts, namespace=TARGET))


class Results(Controller):
    """Notes what writing returned."""

    name = "kit.Results"
    inputs = (weak(StrResource, namespace=SOURCE),)
    outputs = (exclusive(StrResource),)

    def __init__(self) -> None:
        self.results: list[Resource[StrSpec]] = []

    async def run(self, runtime: Runtime) -> None:
        """Copy."""
        async for _ in runtime.reconcile():
            for word in await runtime.list(StrResource, namespace=SOURCE):
                self.results.append(await runtime.modify(string(word.id, word.spec.value, namespace=TARGET)))


class Doubler(Controller):
    """Doubles every number, in a namespace of its own, by a change of what is there."""

    name = "kit.Doubler"
    inputs = (weak(IntResource, namespace=SOURCE),)
    outputs = (exclusive(IntResource),)

    async def run(self, runtime: Runtime) -> None:
        """Double."""
        async for _ in runtime.reconcile():
            for number in await runtime.list(IntResource, namespace=SOURCE):
                doubled = IntSpec(value=2 * number.spec.value)
                await runtime.modify(
                    integer(number.id, 0, namespace=TARGET),
                    lambda known, spec=doubled: known.with_spec(spec),  # type: ignore[misc]
                )
