"""Metadata is a value: changes make new ones, and people read `Type(namespace/id@version)`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.resource.metadata import NO_PAIRS, Kind, Metadata, Phase, Pointer, pairs

_NAMES = st.lists(st.sampled_from("ABCDE"), max_size=6)


def _metadata(**changes: object) -> Metadata:
    return Metadata("default", "Paths.test.cosi.dev", "var/run").replace(**changes)


def test_new_metadata_is_running_and_has_no_version() -> None:
    metadata = _metadata()

    assert metadata.version is None
    assert metadata.phase is Phase.RUNNING
    assert not metadata.tearing_down
    assert metadata.replace(phase=Phase.TEARING_DOWN).tearing_down


def test_the_name_is_written_as_the_field_writes_it() -> None:
    assert str(_metadata(version=3)) == "Paths.test.cosi.dev(default/var/run@3)"
    assert str(_metadata()) == "Paths.test.cosi.dev(default/var/run@undefined)"
    assert str(_metadata(version=3).pointer) == "Paths.test.cosi.dev(default/var/run@undefined)"


def test_a_pointer_names_its_kind() -> None:
    assert _metadata().pointer.kind == _metadata().kind == Kind("default", "Paths.test.cosi.dev")
    assert _metadata().pointer == Pointer("default", "Paths.test.cosi.dev", "var/run")


def test_metadata_cannot_be_changed_in_place() -> None:
    metadata = _metadata(labels=pairs({"a": "b"}))

    with pytest.raises(AttributeError):
        metadata.version = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        metadata.labels["a"] = "c"  # type: ignore[index]


def test_labels_are_a_copy_nobody_else_has() -> None:
    mine = {"a": "b"}

    held = pairs(mine)
    mine["a"] = "c"

    assert held == {"a": "b"}
    assert pairs({}) is NO_PAIRS


@given(_NAMES, _NAMES)
def test_finalizers_keep_their_order_and_are_held_once(first: list[str], second: list[str]) -> None:
    metadata = _metadata().with_finalizers(*first).with_finalizers(*second)

    assert metadata.finalizers == tuple(dict.fromkeys(first + second))


@given(_NAMES, _NAMES)
def test_removing_finalizers_leaves_the_others(held: list[str], removed: list[str]) -> None:
    before = _metadata().with_finalizers(*held)

    after = before.without_finalizers(*removed)

    assert after.finalizers == tuple(name for name in before.finalizers if name not in removed)


@given(_NAMES)
def test_adding_what_is_held_already_is_the_same_value(held: list[str]) -> None:
    metadata = _metadata().with_finalizers(*held)

    assert metadata.with_finalizers(*held) is metadata


def test_labels_are_set_and_removed_one_by_one() -> None:
    metadata = _metadata().with_labels(a="1", b="2").with_labels(b="3", **{"dotted.example/c": "4"})

    assert metadata.labels == {"a": "1", "b": "3", "dotted.example/c": "4"}
    assert metadata.without_labels("a", "never set").labels == {"b": "3", "dotted.example/c": "4"}


@given(_NAMES)
def test_equivalence_ignores_timestamps_and_the_order_of_finalizers(names: list[str]) -> None:
    metadata = _metadata().with_finalizers(*names)
    turned = _metadata(created=1, updated=2).with_finalizers(*reversed(names))

    assert metadata.equivalent(turned)


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": "other"},
        {"type": "Others.test.cosi.dev"},
        {"id": "other"},
        {"version": 2},
        {"owner": "other"},
        {"phase": Phase.TEARING_DOWN},
        {"finalizers": ("A",)},
        {"labels": {"a": "b"}},
        {"annotations": {"a": "b"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_equivalence_notices_everything_else(change: dict[str, object]) -> None:
    assert not _metadata().equivalent(_metadata(**change))
