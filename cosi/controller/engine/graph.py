"""Which controller reads and writes what: pure bookkeeping, and the answer to "whom does this change concern?"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from itertools import product
from typing import NamedTuple

from cosi.controller.dependencies import Input, InputMode, Output, OutputSharing
from cosi.resource.metadata import Kind


class Clash(ValueError):
    """A controller can't join: its name is taken, or an output belongs to another one alone."""


class Edge(NamedTuple):
    """A controller reads or writes a type; an output has neither namespace nor id."""

    controller: str
    kind: InputMode | OutputSharing
    namespace: str
    type: str
    id: str


class DependencyGraph:
    """Controllers by name, with their inputs and outputs."""

    def __init__(self) -> None:
        self._outputs: dict[str, Sequence[Output]] = {}
        self._inputs: dict[str, Sequence[Input]] = {}
        self._readers: dict[Kind, list[tuple[str, Input]]] = {}

    def add(self, name: str, inputs: Sequence[Input], outputs: Sequence[Output]) -> None:
        """Add a controller. Raises Clash, and adds nothing then."""
        if name in self._outputs:
            raise Clash(f"a controller named {name} is registered already")
        check_outputs(name, outputs, self._outputs.items())
        self._outputs[name] = tuple(outputs)
        self.set_inputs(name, inputs)

    def set_inputs(self, name: str, inputs: Sequence[Input]) -> None:
        """Replace a controller's inputs."""
        self._inputs[name] = tuple(dict.fromkeys(inputs))
        self._readers = {}
        for reader, wanted in self._inputs.items():
            for each in wanted:
                self._readers.setdefault(each.kind, []).append((reader, each))

    def inputs_of(self, name: str) -> Sequence[Input]:
        """Return what a controller reads now."""
        return self._inputs[name]

    def readers(self, kind: Kind) -> Sequence[tuple[str, Input]]:
        """Return who reads a kind, and by which input."""
        return self._readers.get(kind, ())

    def kinds(self) -> Set[Kind]:
        """Return the kinds that are anybody's input."""
        return self._readers.keys()

    def edges(self) -> Sequence[Edge]:
        """Return every dependency there is, sorted."""
        read = [
            Edge(name, wanted.mode, *wanted.kind, wanted.id or "")
            for name, inputs in self._inputs.items()
            for wanted in inputs
        ]
        written = [
            Edge(name, output.sharing, "", output.type, "")
            for name, outputs in self._outputs.items()
            for output in outputs
        ]
        return sorted(read + written)


def check_outputs(name: str, outputs: Sequence[Output], taken: Iterable[tuple[str, Sequence[Output]]]) -> None:
    """Raise Clash if a controller can't write its outputs beside others with theirs."""
    for other, theirs in taken:
        for own, output in product(outputs, theirs):
            if own.type == output.type and OutputSharing.EXCLUSIVE in (own.sharing, output.sharing):
                raise Clash(
                    f"controller {name} can't write {own.type} ({own.sharing}): {other} writes it ({output.sharing})"
                )
