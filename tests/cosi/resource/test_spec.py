"""A spec is declared once: from its fields follow its protobuf and its YAML."""

from __future__ import annotations

import enum

import pydantic
import pytest

from cosi.resource.spec import Spec, field


class _Part(Spec):
    file_name: str = field(1, default="")
    weight: int = field(2, default=0)


class _Whole(Spec):
    zebra_count: int = field(1, default=0)
    first_part: _Part = field(2, default=_Part())
    parts: tuple[_Part, ...] = field(3, default=())
    labels: dict[str, str] = field(4, default={})
    json_path: str = field(5, default="", alias="jsonPATH")
    note: str = field(6, default="", omit_empty=True)
    maybe: int | None = field(7, default=None, omit_empty=True)


class _Stage(enum.IntEnum):
    UNKNOWN = 0
    SHUTTING_DOWN = 6

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class _Staged(Spec):
    stage: _Stage = field(1, default=_Stage.UNKNOWN)


class _Required(Spec):
    name: str = field(1)


def test_yaml_shows_fields_in_their_order_under_camel_case_keys() -> None:
    whole = _Whole(zebra_count=1, parts=(_Part(file_name="a"),), labels={"b": "2", "a": "1"})

    assert whole.yaml_value() == {
        "zebraCount": 1,
        "firstPart": {"fileName": "", "weight": 0},
        "parts": [{"fileName": "a", "weight": 0}],
        "labels": {"a": "1", "b": "2"},
        "jsonPATH": "",
    }
    assert list(whole.yaml_value()) == ["zebraCount", "firstPart", "parts", "labels", "jsonPATH"]  # type: ignore[call-overload]
    assert list(whole.yaml_value()["labels"]) == ["a", "b"]  # type: ignore[index]


def test_yaml_leaves_out_what_is_empty_only_where_told() -> None:
    shown = _Whole(note="here", maybe=3).yaml_value()

    assert isinstance(shown, dict)
    assert (shown["note"], shown["maybe"]) == ("here", 3)
    assert "note" not in _Whole().to_yaml()
    assert "zebraCount: 0\n" in _Whole().to_yaml()


def test_a_spec_cannot_be_changed() -> None:
    spec = _Part(file_name="a")

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        spec.file_name = "b"  # type: ignore[misc]


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="weigth"):
        _Part.model_validate({"weigth": 1})


def test_a_field_without_default_is_required() -> None:
    with pytest.raises(pydantic.ValidationError, match="name"):
        _Required.model_validate({})


def test_fields_can_be_given_by_either_name() -> None:
    assert _Part.model_validate({"fileName": "a"}) == _Part(file_name="a")


def test_a_spec_comes_back_from_protobuf() -> None:
    whole = _Whole(
        zebra_count=-1, first_part=_Part(weight=2), parts=(_Part(file_name="a"), _Part()), labels={"é": ""}, maybe=0
    )

    assert _Whole.from_proto(whole.to_proto()) == whole
    assert _Whole.from_proto(b"") == _Whole()


def test_equal_specs_have_equal_bytes() -> None:
    one = _Whole(labels={"a": "1", "b": "2", "c": "3"})
    other = _Whole(labels={"c": "3", "b": "2", "a": "1"})

    assert one == other
    assert one.to_proto() == other.to_proto()


def test_bytes_that_are_no_spec_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="not a protobuf _Part"):
        _Part.from_proto(b"\xff")


def test_an_enum_of_ints_is_a_number_in_protobuf_and_its_text_in_yaml() -> None:
    spec = _Staged(stage=_Stage.SHUTTING_DOWN)

    assert spec.to_proto() == b"\x08\x06"
    assert _Staged.from_proto(b"\x08\x06") == spec
    assert spec.to_yaml() == "stage: shutting down\n"


def test_a_number_that_an_enum_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="stage"):
        _Staged.from_proto(b"\x08\x05")
