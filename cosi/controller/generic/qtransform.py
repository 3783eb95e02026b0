"""Makes an output of one type out of an input of another, each input by itself.

    class Shout(QTransform[Greeting, Shouted]):
        name = "example.Shout"

        async def transform(self, runtime: QRuntime, source: Greeting) -> Shouted:
            return Shouted.new(source.id, ShoutedSpec(text=source.spec.text.upper()))

Each input is held by a finalizer for as long as it has an output. When it is torn down, the output is torn down, and
destroyed once nobody holds it; then the input is let go of. An input that fails is tried again, later each time, and
the others go on. Faithful to the Go runtime's pkg/controller/generic/qtransform.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import cast

from cosi.controller.dependencies import Input, InputMode
from cosi.controller.generic.mapping import InputT, Mapping, OutputT
from cosi.controller.generic.signals import DestroyOutput
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Metadata, Pointer
from cosi.state import errors


class QTransform(Mapping[InputT, OutputT], QController):
    """A QController that makes one output of each input."""

    @classmethod
    def _declare(cls) -> None:
        source = Input(cls.input_kind(), InputMode.PRIMARY)
        cls.inputs = (source, Input(cls.output_kind(), InputMode.MAPPED_DESTROY_READY), *cls.extra_inputs)
        cls.outputs = cls.declared_outputs()

    @abc.abstractmethod
    async def transform(self, runtime: QRuntime, source: InputT) -> OutputT:
        """Return what the output of an input shall be.

        Raising Skip leaves the output as it is, DestroyOutput removes it. `runtime.requeue_after` looks again later.
        """

    async def finalize(self, runtime: QRuntime, source: InputT) -> None:
        """Do what must be done before an input that is torn down loses its output; Skip puts it off."""

    def source_of(self, output: Metadata) -> Pointer:
        """Return the name of an output's input: the inverse of `output_of`."""
        return Pointer(*self.input_kind(), output.id)

    async def map_extra(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Return the inputs that a changed resource of a mapped extra input concerns."""
        raise NotImplementedError(f"controller {self.name} has mapped extra inputs and must say what they map to")

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Look at an input again when its output can go."""
        if changed.kind == self.output_kind():
            return (self.source_of(changed),)
        return await self.map_extra(runtime, changed)

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Make the output of one input, or remove it with its input."""
        found = await runtime.find(item)
        if found is None:
            return
        source = cast(type[InputT], self.input_class).of(found)
        output = self.output_of(source)
        if source.metadata.tearing_down and not self.ignores_teardown(source):
            await self._let_go(runtime, source, output)
        elif output is not None:
            await self._follow(runtime, source, output)

    async def _follow(self, runtime: QRuntime, source: InputT, output: Pointer) -> None:
        await self.hold(runtime, source)
        try:
            wanted = await self.transform(runtime, source)
        except DestroyOutput:
            await self._remove(runtime, output)
            return
        except Exception:
            await self._finish_former(runtime, output)
            raise
        try:
            await self.write(runtime, output, wanted)
        except errors.PhaseConflict:
            # One that is torn down belongs to an input of before. While somebody holds it there can be no other of its
            # name; that it can be destroyed brings us here again.
            if await runtime.remove(output):
                await self.write(runtime, output, wanted)

    async def _let_go(self, runtime: QRuntime, source: InputT, output: Pointer | None) -> None:
        if self.name in source.metadata.finalizers:
            await self.finalize(runtime, source)
        if output is None or await self._remove(runtime, output):
            await runtime.remove_finalizer(source.pointer)

    async def _finish_former(self, runtime: QRuntime, output: Pointer) -> None:
        """Destroy an output that is torn down already and that nobody holds: nothing else will bring us back to it."""
        found = await runtime.uncached.find(output)
        if found is not None and found.metadata.tearing_down:
            await self._remove(runtime, output)

    async def _remove(self, runtime: QRuntime, output: Pointer) -> bool:
        """Remove an output; tell whether there is none of ours."""
        try:
            return await runtime.remove(output)
        except errors.OwnerConflict:
            # Somebody else has taken the name of a shared output; that must not hold the input for ever.
            return True
