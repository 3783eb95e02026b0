"""Makes outputs of one type out of inputs of another, all of them in each reconcile.

    class Shout(Transform[Greeting, Shouted]):
        name = "example.Shout"

        async def transform(self, runtime: Runtime, source: Greeting) -> Shouted:
            return Shouted.new(source.id, ShoutedSpec(text=source.spec.text.upper()))

Each reconcile writes the outputs of all inputs, then removes the outputs whose inputs are gone: torn down first, and
destroyed once nobody holds them. An input that fails keeps its output and does not hold up the others; afterwards all
failures are raised together. With `input_finalizers` an input is held until its output is gone. Faithful to the Go
runtime's pkg/controller/generic/transform.
"""

from __future__ import annotations

import abc
from typing import ClassVar, Generic, cast

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, InputMode
from cosi.controller.generic.failures import Failures
from cosi.controller.generic.mapping import InputT, Mapping, OutputT
from cosi.controller.generic.signals import DestroyOutput
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Pointer
from cosi.resource.query import ALL, Query
from cosi.state import errors


class Transform(Mapping[InputT, OutputT], Controller):
    """A Controller that makes one output of each input.

    `input_query` narrows the inputs down. With `ignore_tearing_down_inputs` outputs stay until their inputs are
    destroyed, which goes without input finalizers only; `ignore_teardown_until` and `ignore_teardown_while` go with
    them only.
    """

    input_finalizers: ClassVar[bool] = False
    input_query: ClassVar[Query] = ALL
    ignore_tearing_down_inputs: ClassVar[bool] = False

    @classmethod
    def _declare(cls) -> None:
        if cls.input_finalizers and cls.ignore_tearing_down_inputs:
            raise TypeError(f"{cls.__name__} can't both hold its inputs and ignore that they are torn down")
        if not cls.input_finalizers and (cls.ignore_teardown_until is not None or cls.ignore_teardown_while):
            raise TypeError(f"{cls.__name__} must hold its inputs to ignore their teardown until others let go")
        held = InputMode.STRONG if cls.input_finalizers else InputMode.WEAK
        own = [Input(cls.input_kind(), held)]
        if cls.output_kind() != cls.input_kind():
            own.append(Input(cls.output_kind(), InputMode.DESTROY_READY))
        cls.inputs = (*own, *cls.extra_inputs)
        cls.outputs = cls.declared_outputs()

    @abc.abstractmethod
    async def transform(self, runtime: Runtime, source: InputT) -> OutputT:
        """Return what the output of an input shall be.

        Raising Skip leaves the output as it is, DestroyOutput removes it.
        """

    async def finalize(self, runtime: Runtime, source: InputT) -> None:
        """Do what must be done before a held input that is torn down loses its output; Skip puts it off."""

    async def before(self, runtime: Runtime) -> None:
        """Do something before each look at the inputs."""

    async def after(self, runtime: Runtime) -> None:
        """Do something after each look at the inputs, when outputs are cleaned up."""

    def keeps_output_of(self, source: InputT) -> bool:
        """Tell whether the output of a torn down input stays for now."""
        return self.ignore_tearing_down_inputs or (self.input_finalizers and self.ignores_teardown(source))

    async def run(self, runtime: Runtime) -> None:
        """Reconcile until cancelled."""
        async for _ in runtime.reconcile():
            await self.before(runtime)
            cycle = _Cycle(self, runtime)
            await cycle.process_inputs()
            await cycle.clean_up_outputs()
            await self.after(runtime)
            cycle.failures.raise_all()


class _Cycle(Generic[InputT, OutputT]):
    """One reconcile: which outputs are to stay, and which inputs can be let go of once their outputs are gone."""

    def __init__(self, controller: Transform[InputT, OutputT], runtime: Runtime) -> None:
        self.failures = Failures(runtime)
        self._controller = controller
        self._runtime = runtime
        self._kept: set[Pointer] = set()
        self._leaving: dict[Pointer, InputT] = {}

    async def process_inputs(self) -> None:
        """Write the outputs of all inputs that are to have one."""
        controller = self._controller
        source_class = cast(type[InputT], controller.input_class)
        # What is held may have been changed since, so that the query does not find it any more.
        query = ALL if controller.input_finalizers else controller.input_query
        for item in await self._runtime.list(controller.input_kind(), query=query):
            # Not knowing which output belongs to an input, nobody could tell which ones are left over.
            source = source_class.of(item)
            output = controller.output_of(source)
            with self.failures.gathering(source):
                await self._process(source, output)

    async def clean_up_outputs(self) -> None:
        """Remove the outputs that are not to stay, then let go of the inputs whose outputs are gone."""
        controller, runtime = self._controller, self._runtime
        # A cache may not show yet what was written a moment ago.
        for output in await runtime.uncached.list(controller.output_kind()):
            pointer, metadata = output.pointer, output.metadata
            if metadata.owner != controller.name:
                continue
            # One that is torn down belongs to an input of before, even if there is one of its name again.
            stays = pointer in self._kept and not metadata.tearing_down
            gone = False
            with self.failures.gathering(output):
                gone = not stays and await runtime.remove(pointer)
            if not gone:
                self._leaving.pop(pointer, None)
        for source in self._leaving.values():
            with self.failures.gathering(source):
                await runtime.remove_finalizer(source.pointer)

    async def _process(self, source: InputT, output: Pointer | None) -> None:
        controller, runtime = self._controller, self._runtime
        if source.metadata.tearing_down and not controller.keeps_output_of(source):
            if controller.name in source.metadata.finalizers:
                await self._finalize(source, output)
            return
        if output is None or not controller.input_query.matches(source.metadata):
            return
        self._kept.add(output)
        if controller.input_finalizers:
            await controller.hold(runtime, source)
        try:
            await controller.write(runtime, output, await controller.transform(runtime, source))
        except DestroyOutput:
            self._kept.discard(output)
        except errors.PhaseConflict as conflict:
            if conflict.pointer != output:
                raise
            # The output of before is still being removed; that it can be destroyed brings us here again.

    async def _finalize(self, source: InputT, output: Pointer | None) -> None:
        try:
            await self._controller.finalize(self._runtime, source)
        except BaseException:
            if output is not None:
                self._kept.add(output)
            raise
        if output is None:
            await self._runtime.remove_finalizer(source.pointer)
        else:
            self._leaving[output] = source
