"""A resource is an immutable value: metadata and a spec.

Because nothing in it can change, the same object is handed to every reader, listed, cached and sent to every watcher
without a copy. A *typed* resource is a subclass that names its definition and its spec:

    class Greeting(Resource[GreetingSpec]):
        definition = Definition(type="Greetings.example.dev", default_namespace="default")

A resource of a type that this process does not know holds an `OpaqueSpec`: the bytes as they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeVar, cast, get_args

import msgspec

from cosi.resource.definition import Definition
from cosi.resource.metadata import NO_PAIRS, Kind, Metadata, Pointer, pairs
from cosi.resource.spec import Spec

SpecT = TypeVar("SpecT")


class OpaqueSpec(msgspec.Struct, frozen=True, gc=False):
    """The spec of a resource whose type is not known here: protobuf bytes and YAML text, untouched."""

    proto: bytes
    yaml: str


# A struct, because one is made with every write: in a fifth of the time of a class whose `__init__` has to get past its
# own `__setattr__`. Kept from the garbage collector, as metadata is: a spec does not change and is older than its
# resource, so it can't lead back to it.
class Resource(msgspec.Struct, Generic[SpecT], eq=False, gc=False):
    """Metadata and a spec; subclass it to declare a type."""

    metadata: Metadata
    spec: SpecT
    wire: bytes | None = None
    """The response that holds the resource, once somebody has asked for it; see `cosi.rpc.codec`."""

    definition: ClassVar[Definition]
    spec_type: ClassVar[type[Spec]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in getattr(cls, "__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, Spec):
                    cls.spec_type = argument

    @classmethod
    def new(
        cls,
        id: str,
        spec: SpecT,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str] = NO_PAIRS,
        annotations: Mapping[str, str] = NO_PAIRS,
    ) -> Self:
        """Return a resource of this type that no state has stored yet, in the type's default namespace unless told."""
        metadata = Metadata(
            namespace=cls.definition.default_namespace if namespace is None else namespace,
            type=cls.definition.type,
            id=id,
            labels=pairs(labels),
            annotations=pairs(annotations),
        )
        return cls(metadata, spec)

    @classmethod
    def pointer_to(cls, id: str, *, namespace: str | None = None) -> Pointer:
        """Return the name of a resource of this type."""
        return Pointer(*cls.kind(namespace=namespace), id)

    @classmethod
    def kind(cls, *, namespace: str | None = None) -> Kind:
        """Return the kind of this type's resources, in its default namespace unless told."""
        return Kind(cls.definition.default_namespace if namespace is None else namespace, cls.definition.type)

    @classmethod
    def of(cls, resource: Resource[Any]) -> Self:
        """Return the same resource as this type, decoding its spec if it came from where the type was not known.

        Raises ValueError if the spec's bytes are not of this type, TypeError if the resource is of another one.
        """
        if isinstance(resource, cls):
            return resource
        if resource.metadata.type != cls.definition.type or not isinstance(resource.spec, OpaqueSpec):
            raise TypeError(f"{resource.metadata} is not of type {cls.definition.type}")
        return cls(resource.metadata, cast(SpecT, cls.spec_type.from_proto(resource.spec.proto)))

    @property
    def id(self) -> str:
        """The id, unique among the resources of its kind."""
        return self.metadata.id

    @property
    def pointer(self) -> Pointer:
        """The resource's name."""
        return self.metadata.pointer

    def with_spec(self, spec: SpecT) -> Self:
        """Return the resource with another spec."""
        return type(self)(self.metadata, spec)

    def with_metadata(self, metadata: Metadata) -> Self:
        """Return the resource with other metadata."""
        return type(self)(metadata, self.spec)

    def equivalent(self, other: Resource[Any]) -> bool:
        """Tell whether both say the same; timestamps do not count."""
        return self.metadata.equivalent(other.metadata) and self.spec == other.spec

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resource):
            return NotImplemented
        return self.metadata == other.metadata and self.spec == other.spec

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(self.metadata)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.metadata!r}, {self.spec!r})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a resource is immutable: make another one, with_spec or with_metadata, to change {name}")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)


class Tombstone(Resource[None]):
    """What is left of a resource that does not exist: its name."""

    @classmethod
    def at(cls, pointer: Pointer) -> Tombstone:
        """Return the tombstone for a name."""
        return cls(Metadata(*pointer), None)


AnyResource = Resource[Any]
ResourceT = TypeVar("ResourceT", bound=AnyResource)
