"""Message classes made from annotations encode what a peer with a .proto file encodes."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.resource import dynamic
from cosi.resource.spec import Spec, field

_INT64 = st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1)


class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Spec):
    name: str = field(1, default="")
    numbers: tuple[int, ...] = field(2, default=())


class Everything(Spec):
    text: str = field(1, default="")
    data: bytes = field(2, default=b"")
    flag: bool = field(3, default=False)
    ratio: float = field(4, default=0.0)
    count: int = field(5, default=0)
    color: Color = field(6, default=Color.RED)
    inner: Inner = field(7, default=Inner())
    inners: tuple[Inner, ...] = field(8, default=())
    labels: dict[str, str] = field(9, default={})
    by_name: dict[str, Inner] = field(10, default={})
    maybe_count: int | None = field(11, default=None)
    maybe_inner: Inner | None = field(12, default=None)
    sparse: str = field(100, default="")


_INNERS = st.builds(Inner, name=st.text(max_size=5), numbers=st.lists(_INT64, max_size=3).map(tuple))
_EVERYTHING = st.builds(
    Everything,
    text=st.text(max_size=5),
    data=st.binary(max_size=5),
    flag=st.booleans(),
    ratio=st.floats(allow_nan=False),
    count=_INT64,
    color=st.sampled_from(Color),
    inner=_INNERS,
    inners=st.lists(_INNERS, max_size=3).map(tuple),
    labels=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    by_name=st.dictionaries(st.text(max_size=3), _INNERS, max_size=2),
    maybe_count=st.none() | _INT64,
    maybe_inner=st.none() | _INNERS,
    sparse=st.text(max_size=3),
)


@given(_EVERYTHING)
def test_every_value_comes_back(spec: Everything) -> None:
    assert Everything.from_proto(spec.to_proto()) == spec


@pytest.mark.parametrize(
    ("values", "encoded"),
    [
        ({"text": "hi"}, "0a 02 6869"),
        ({"data": b"\xff\x00"}, "12 02 ff00"),
        ({"flag": True}, "18 01"),
        ({"ratio": 1.0}, "21 000000000000f03f"),
        ({"count": 300}, "28 ac02"),
        ({"count": -1}, "28 ffffffffffffffffff01"),
        ({"color": Color.BLUE}, "32 04 626c7565"),
        ({"inner": Inner(name="a", numbers=(1, 2))}, "3a 07 0a0161 12020102"),
        ({"inners": (Inner(name="a"), Inner())}, "42 03 0a0161 42 00"),
        ({"labels": {"b": "2", "a": "1"}}, "4a 06 0a0161 120131 4a 06 0a0162 120132"),
        ({"by_name": {"k": Inner(name="a")}}, "52 08 0a016b 1203 0a0161"),
        ({"maybe_count": 0}, "58 00"),
        ({"maybe_inner": Inner()}, "62 00"),
        ({"sparse": "x"}, "a206 01 78"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_field_is_encoded_as_protobuf_prescribes(values: dict[str, Any], encoded: str) -> None:
    # A default that is not what protobuf leaves out is written; the empty message inside and the enum are such.
    defaults = b"" if "color" in values else bytes.fromhex("3203726564")
    empty_inner = b"" if "inner" in values else bytes.fromhex("3a00")
    expected = dict.fromkeys(_fields(bytes.fromhex(encoded) + defaults + empty_inner))

    assert dict.fromkeys(_fields(Everything(**values).to_proto())) == expected


def test_absent_fields_read_as_absent_or_empty() -> None:
    empty = dynamic.values(Everything.message_class()())

    assert "maybe_count" not in empty
    assert "maybe_inner" not in empty
    assert (empty["text"], empty["inners"], empty["labels"]) == ("", (), {})


def test_fields_of_a_newer_peer_are_passed_over() -> None:
    newer = Inner(name="a").to_proto() + bytes.fromhex("f206 03 6e6577")

    assert Inner.from_proto(newer) == Inner(name="a")


def test_the_class_is_made_once() -> None:
    assert dynamic.message_class(Inner) is dynamic.message_class(Inner)


def test_a_spec_may_hold_itself() -> None:
    tree = _Tree(name="root", children=(_Tree(name="leaf"), _Tree(children=(_Tree(),))))

    assert _Tree.from_proto(tree.to_proto()) == tree


def test_specs_of_one_name_do_not_meet() -> None:
    assert _First.model_validate({"text": "a"}).to_proto() == b"\x0a\x01a"
    assert _Second.model_validate({"text": "a"}).to_proto() == b"\x12\x01a"


class _Unnumbered(Spec):
    text: str = ""


class _Union(Spec):
    text: str | int = field(1)


class _Object(Spec):
    nested: tuple[object, ...] = field(1)


class _Holder(Spec):
    inner: _Object = field(1)


class _Tree(Spec):
    name: str = field(1, default="")
    children: tuple[_Tree, ...] = field(2, default=())


def _twin(number: int) -> type[Spec]:
    class Twin(Spec):
        text: str = field(number, default="")

    return Twin


_First, _Second = _twin(1), _twin(2)


class _Twins(Spec):
    first: _First = field(1, default=_First())  # type: ignore[valid-type]
    second: _Second = field(2, default=_Second())  # type: ignore[valid-type]


class _SameNumber(Spec):
    one: str = field(1, default="")
    other: str = field(1, default="")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (_Unnumbered, r"_Unnumbered\.text has no protobuf number"),
        (_Union, r"_Union\.text: protobuf has no union for str \| int"),
        (_Object, r"_Object\.nested: protobuf has no form for <class 'object'>"),
        (_Holder, r"_Holder\.inner: _Object\.nested: protobuf has no form"),
        (_Twins, r"_Twins\.second: another spec inside is called Twin, too"),
        (_SameNumber, r"_SameNumber: .*duplicate field number"),
    ],
)
def test_a_field_without_a_protobuf_form_is_named(spec: type[Spec], problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        dynamic.message_class(spec)


def _fields(data: bytes) -> list[bytes]:
    """Split an encoded message into its fields, so that their order does not count."""
    fields, at = [], 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        wire_type = key & 7
        if wire_type == 0:
            _, at = _varint(data, at)
        elif wire_type == 1:
            at += 8
        else:
            length, at = _varint(data, at)
            at += length
        fields.append(data[start:at])
    return sorted(fields)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
