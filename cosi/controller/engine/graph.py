"""Which controller reads and writes what: pure bookkeeping, and the answer to "whom does this change concern?"."""

from __future__ import annotations

from collections.abc import Sequence, Set

from cosi.controller.controller import Input, Output, OutputSharing
from cosi.resource.metadata import Kind, Metadata


class Clash(ValueError):
    """A controller can't join: its name is taken, or an output belongs to another one alone."""


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
        for output in outputs:
            for other, taken in self._writers(output.type):
                if OutputSharing.EXCLUSIVE in (output.sharing, taken.sharing):
                    raise Clash(
                        f"controller {name} can't write {output.type} ({output.sharing.value}): "
                        f"{other} writes it ({taken.sharing.value})"
                    )
        self._outputs[name] = tuple(outputs)
        self.set_inputs(name, inputs)

    def set_inputs(self, name: str, inputs: Sequence[Input]) -> None:
        """Replace a controller's inputs."""
        self._inputs[name] = tuple(dict.fromkeys(inputs))
        self._readers = {}
        for reader, wanted in self._inputs.items():
            for each in wanted:
                self._readers.setdefault(each.kind, []).append((reader, each))

    def concerned(self, metadata: Metadata) -> Set[str]:
        """Return the names of the controllers that a change of this resource must wake."""
        readers = self._readers.get(metadata.kind, ())
        return {name for name, wanted in readers if wanted.concerns(metadata)}

    def readers_of(self, kind: Kind) -> Set[str]:
        """Return the names of the controllers with an input of this kind."""
        return {name for name, _ in self._readers.get(kind, ())}

    def kinds(self) -> Set[Kind]:
        """Return the kinds that are anybody's input."""
        return self._readers.keys()

    def _writers(self, type: str) -> Sequence[tuple[str, Output]]:
        return [(name, output) for name, outputs in self._outputs.items() for output in outputs if output.type == type]
