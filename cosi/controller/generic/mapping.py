"""What transforms share: an input type, an output type, and which input belongs to which output.

Both types stand in the class's brackets, `Transform[Greeting, Shouted]`; everything else is a class attribute or a
method with a sensible default. Faithful to the settings and options of the Go runtime's transform and qtransform
(pkg/controller/generic), of which it takes the semantics and none of the form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from cosi.controller.declared import DeclaredState
from cosi.controller.dependencies import Input, Output, OutputSharing
from cosi.controller.outcome import Skip
from cosi.resource.metadata import Kind, Metadata, Pointer
from cosi.resource.resource import AnyResource, Resource
from cosi.state import errors

InputT = TypeVar("InputT", bound=AnyResource)
OutputT = TypeVar("OutputT", bound=AnyResource)


class Mapping(Generic[InputT, OutputT]):
    """The base of transforms.

    Namespaces are the types' own unless told. `extra_inputs` and `extra_outputs` are declared beside the two, for what
    `transform` reads and writes on the way. A torn down input is treated like a running one until none but the
    finalizers in `ignore_teardown_until` are left on it, and while there is one of `ignore_teardown_while`; the
    controller's own never counts.
    """

    name: str
    input_class: ClassVar[type[AnyResource]]
    output_class: ClassVar[type[AnyResource]]
    input_namespace: ClassVar[str | None] = None
    output_namespace: ClassVar[str | None] = None
    output_sharing: ClassVar[OutputSharing] = OutputSharing.EXCLUSIVE
    extra_inputs: ClassVar[Sequence[Input]] = ()
    extra_outputs: ClassVar[Sequence[Output]] = ()
    ignore_teardown_until: ClassVar[frozenset[str] | None] = None
    ignore_teardown_while: ClassVar[frozenset[str]] = frozenset()
    _classes: ClassVar[Sequence[Any]] = ()
    """What stands in the brackets of all bases together, for input and output: a class, or still a type variable."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            generic: Any = get_origin(base)
            if isinstance(generic, type) and issubclass(generic, Mapping):
                parameters: Sequence[Any] = getattr(generic, "__parameters__", ())
                given = dict(zip(parameters, get_args(base), strict=True))
                cls._classes = tuple(given.get(each, each) for each in generic._classes or parameters)
        if "inputs" in cls.__dict__ or "outputs" in cls.__dict__:
            raise TypeError(f"{cls.__name__} has its inputs and outputs already; more are extra_inputs, extra_outputs")
        if cls._classes and all(isinstance(each, type) and issubclass(each, Resource) for each in cls._classes):
            cls.input_class, cls.output_class = cls._classes
            cls._declare()
        elif hasattr(cls, "name"):
            form = f"{cls.__bases__[0].__name__}[Input, Output]"
            raise TypeError(f"{cls.__name__} must say what it makes of what: class {cls.__name__}({form})")

    @classmethod
    def _declare(cls) -> None:
        """Derive inputs and outputs from the attributes."""
        raise NotImplementedError

    @classmethod
    def input_kind(cls) -> Kind:
        """Return the kind of the inputs."""
        return cls.input_class.kind(namespace=cls.input_namespace)

    @classmethod
    def output_kind(cls) -> Kind:
        """Return the kind of the outputs."""
        return cls.output_class.kind(namespace=cls.output_namespace)

    @classmethod
    def declared_outputs(cls) -> Sequence[Output]:
        """Return all that the transform writes."""
        return (Output(cls.output_class.definition.type, cls.output_sharing), *cls.extra_outputs)

    def output_of(self, source: InputT) -> Pointer | None:
        """Return the name of an input's output: its own id unless told, None if this input has no output.

        It must follow from what never changes of an input, or outputs of earlier answers are left behind; whoever
        wants none for now raises DestroyOutput in `transform`. An input that has none is not held; one that was held
        before is let go of when it is torn down, whatever became of its output.
        """
        return Pointer(*self.output_kind(), source.id)

    def ignores_teardown(self, source: InputT) -> bool:
        """Tell whether a torn down input is to be treated like a running one for now."""
        others = [name for name in source.metadata.finalizers if name != self.name]
        until = self.ignore_teardown_until
        if until is not None and any(name not in until for name in others):
            return True
        return any(name in self.ignore_teardown_while for name in others)

    async def hold(self, runtime: DeclaredState, source: InputT) -> None:
        """Put the controller's finalizer on an input that is not torn down. Raises Skip if it is gone by now."""
        if source.metadata.tearing_down or self.name in source.metadata.finalizers:
            return
        try:
            await runtime.add_finalizer(source.pointer)
        except errors.NotFound:
            raise Skip("it has been destroyed meanwhile") from None

    async def write(self, runtime: DeclaredState, pointer: Pointer, wanted: OutputT) -> None:
        """Make the output's spec, labels and annotations what is wanted; all else of it stays.

        Raises ValueError if it is not the output that belongs to the input, and as `DeclaredState.modify`.
        """
        if wanted.pointer != pointer:
            raise ValueError(f"{type(self).__name__} made {wanted.pointer} where its output is to be {pointer}")

        labels, annotations = wanted.metadata.labels, wanted.metadata.annotations

        def update(current: OutputT) -> OutputT:
            changed = current.with_spec(wanted.spec)
            if current.metadata.labels == labels and current.metadata.annotations == annotations:
                return changed
            return changed.with_metadata(current.metadata.replace(labels=labels, annotations=annotations))

        # Whoever makes the output out of the one that was there hands over more of it than may be created.
        created = wanted.with_metadata(Metadata(*pointer, labels=labels, annotations=annotations))
        await runtime.modify(created, update)
