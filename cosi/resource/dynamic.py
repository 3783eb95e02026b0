"""Protobuf message classes made from the annotations of a spec's fields, so that no type needs a .proto file.

    str, bytes, bool, float           string, bytes, bool, double
    int                               int64
    an enum of strings                string
    an enum of ints                   int64, which reads and writes as a protobuf enum does
    another spec                      message
    tuple[X, ...]                     repeated X
    dict[str, X]                      map<string, X>

`X | None` has presence: absent reads back as None. The descriptors live in a pool of their own and never meet those of
generated code.
"""

from __future__ import annotations

import enum
import functools
import itertools
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

if TYPE_CHECKING:
    from cosi.resource.spec import Spec

NUMBER: Final = "proto"
"""The key under which a field declares its protobuf number."""

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    bool: _Field.TYPE_BOOL,
    int: _Field.TYPE_INT64,
    float: _Field.TYPE_DOUBLE,
    str: _Field.TYPE_STRING,
    bytes: _Field.TYPE_BYTES,
}
_serial = itertools.count(1)


@functools.cache
def message_class(spec: type[Spec]) -> type[Message]:
    """Return the message class of a spec, the same one each time.

    Raises TypeError naming the field that protobuf has no form for.
    """
    file = descriptor_pb2.FileDescriptorProto(syntax="proto3")
    file.name = f"cosi/dynamic/{next(_serial)}.proto"
    file.package = "cosi.dynamic"
    _describe(spec, file.message_type.add(), f".{file.package}", {})
    pool = descriptor_pool.DescriptorPool()
    try:
        pool.Add(file)
    except TypeError as error:
        raise TypeError(f"{spec.__name__}: {error}") from None
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{spec.__name__}"))


def values(message: Message) -> dict[str, Any]:
    """Return a message's fields by name as plain values; an absent field with presence is left out."""
    result: dict[str, Any] = {}
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    for field in descriptor.fields:
        value = getattr(message, field.name)
        nested = field.type == FieldDescriptor.TYPE_MESSAGE
        if nested and cast(Descriptor, field.message_type).GetOptions().map_entry:
            result[field.name] = {key: _value(value[key]) for key in value}
        elif field.is_repeated:
            result[field.name] = tuple(_value(item) for item in value)
        elif not field.containing_oneof or message.HasField(field.name):
            result[field.name] = _value(value)
    return result


def _value(value: Any) -> Any:
    return values(value) if isinstance(value, Message) else value


def _describe(
    spec: type[Spec], message: descriptor_pb2.DescriptorProto, scope: str, known: dict[type[Spec], str]
) -> None:
    """Fill in a message from a spec; `known` are the full names of the specs described already, this one included."""
    message.name = spec.__name__
    scope = known[spec] = f"{scope}.{message.name}"
    for name, info in spec.model_fields.items():
        number = info.json_schema_extra.get(NUMBER) if isinstance(info.json_schema_extra, dict) else None
        if not isinstance(number, int):
            raise TypeError(f"{spec.__name__}.{name} has no protobuf number: declare it as `{name}: … = field(NUMBER)`")
        field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
        try:
            _describe_field(info.annotation, field, message, scope, known)
        except TypeError as error:
            raise TypeError(f"{spec.__name__}.{name}: {error}") from None


def _describe_field(
    annotation: Any,
    field: descriptor_pb2.FieldDescriptorProto,
    message: descriptor_pb2.DescriptorProto,
    scope: str,
    known: dict[type[Spec], str],
) -> None:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        present = [argument for argument in arguments if argument is not types.NoneType]
        if len(present) != 1 or len(arguments) != 2:
            raise TypeError(f"protobuf has no union for {annotation}")
        _describe_field(present[0], field, message, scope, known)
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")
    elif origin in (tuple, list):
        _describe_field(arguments[0], field, message, scope, known)
        field.label = _Field.LABEL_REPEATED
    elif origin in (dict, Mapping):
        entry = message.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        for index, (part, argument) in enumerate(zip(("key", "value"), arguments, strict=True), start=1):
            inner = entry.field.add(name=part, number=index, label=_Field.LABEL_OPTIONAL)
            _describe_field(argument, inner, message, scope, known)
        field.label, field.type, field.type_name = _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE, f"{scope}.{entry.name}"
    elif isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        if annotation not in known:
            if annotation.__name__ in [nested.name for nested in message.nested_type]:
                raise TypeError(f"another spec inside is called {annotation.__name__}, too: rename one")
            _describe(annotation, message.nested_type.add(), scope, known)
        field.type, field.type_name = _Field.TYPE_MESSAGE, known[annotation]
    elif isinstance(annotation, type) and issubclass(annotation, enum.StrEnum):
        field.type = _Field.TYPE_STRING
    elif isinstance(annotation, type) and issubclass(annotation, enum.IntEnum):
        field.type = _Field.TYPE_INT64
    elif annotation in _SCALARS:
        field.type = _SCALARS[annotation]
    else:
        raise TypeError(f"protobuf has no form for {annotation}")
