"""A spec is a frozen pydantic model whose fields carry their protobuf numbers.

    class GreetingSpec(Spec):
        text: str = field(1, default="")
        times: int = field(2, default=0)

From the numbers follows the protobuf encoding that every COSI client reads; from the order of the fields follows the
YAML that people see (keys in camelCase, as Go's structs spell them).

What the bytes leave out reads as zero or empty, as everywhere in protobuf, whatever the default here. So another
default is a convenience for who makes a spec, never the meaning of absence, and an enum needs a member for the empty
string.
"""

from __future__ import annotations

import enum
from typing import Any, Final, Self

import pydantic
from google.protobuf.message import DecodeError, Message
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import PydanticUndefined

from cosi.resource import dynamic, goyaml

_OMIT_EMPTY: Final = "omit_empty"


def field(number: int, *, default: Any = PydanticUndefined, alias: str | None = None, omit_empty: bool = False) -> Any:
    """Declare a spec's field: its protobuf number, and how YAML shows it.

    `alias` is the YAML key where camelCase is not it; `omit_empty` leaves an empty value out of YAML.
    """
    extra: JsonDict = {dynamic.NUMBER: number, _OMIT_EMPTY: omit_empty}
    return pydantic.Field(default, alias=alias, json_schema_extra=extra)


class Spec(pydantic.BaseModel):
    """The base of every spec: an immutable value with a protobuf and a YAML form."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, ser_json_bytes="base64"
    )

    def __eq__(self, other: object) -> bool:
        # A spec is its fields: pydantic compares what else a model may have as well, which takes twenty times as long.
        return type(self) is type(other) and self.__dict__ == other.__dict__

    @classmethod
    def message_class(cls) -> type[Message]:
        """Return the protobuf message class that follows from the fields."""
        return dynamic.message_class(cls)

    def to_proto(self) -> bytes:
        """Return the spec as protobuf bytes; equal specs give equal bytes."""
        return self.message_class()(**self.model_dump()).SerializeToString(deterministic=True)

    @classmethod
    def from_proto(cls, data: bytes) -> Self:
        """Return the spec of these protobuf bytes. Raises ValueError if they are not such a spec."""
        try:
            message = cls.message_class().FromString(data)
        except DecodeError as error:
            raise ValueError(f"not a protobuf {cls.__name__}: {error}") from None
        return cls.model_validate(dynamic.values(message))

    def yaml_value(self) -> object:
        """Return what the YAML shows, as plain values in the order of the keys."""
        shown: dict[str, object] = {}
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if not value and _extra(info).get(_OMIT_EMPTY):
                continue
            shown[info.alias or name] = _plain(value)
        return shown

    def to_yaml(self) -> str:
        """Return the spec's YAML, as Go's encoder writes it."""
        return goyaml.dump(self.yaml_value())


def _extra(info: pydantic.fields.FieldInfo) -> dict[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _plain(value: object) -> object:
    if isinstance(value, Spec):
        return value.yaml_value()
    if isinstance(value, enum.IntEnum):
        return str(value)  # as Go shows enums that have a text form
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in sorted(value.items())}
    return value
