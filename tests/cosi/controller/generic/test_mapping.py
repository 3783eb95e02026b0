"""What a transform says of itself: its types, its inputs and outputs, which teardowns it ignores."""

from typing import Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.controller.dependencies import (
    OutputSharing,
    destroy_ready,
    exclusive,
    mapped,
    mapped_destroy_ready,
    primary,
    shared,
    strong,
    weak,
)
from cosi.controller.generic.mappers import label_value, same_id
from cosi.controller.generic.qtransform import QTransform
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Metadata, Phase
from cosi.resource.resource import AnyResource
from cosi.testing.resources import IntResource, PathResource, StrResource, integer, path, string
from tests.cosi.controller.generic.spelling import LooseSpell, QSpell, Spell

InputT = TypeVar("InputT", bound=AnyResource)

names = st.sampled_from(["test.QSpell", "a", "b", "c", "d"])


class ToText(QTransform[InputT, StrResource], Generic[InputT]):
    """Says of anything what it is called."""

    async def transform(self, runtime: QRuntime, source: InputT) -> StrResource:
        return string(source.id, source.id)


class NamePaths(ToText[PathResource]):
    """Says it of paths."""

    name = "test.NamePaths"


def test_a_base_may_leave_a_type_open() -> None:
    assert NamePaths.inputs == (primary(PathResource), mapped_destroy_ready(StrResource))
    assert NamePaths.outputs == (exclusive(StrResource),)


def test_a_class_declares_what_its_instances_declare() -> None:
    assert QSpell.inputs == QSpell().inputs == (primary(IntResource), mapped_destroy_ready(StrResource))
    assert Spell.inputs == Spell().inputs == (strong(IntResource), destroy_ready(StrResource))
    assert LooseSpell.inputs == (weak(IntResource), destroy_ready(StrResource))


def test_a_type_that_is_left_open_must_be_said_in_the_end() -> None:
    with pytest.raises(TypeError, match=r"class Vague\(ToText\[Input, Output\]\)"):

        class Vague(ToText):  # type: ignore[type-arg]
            name = "test.Vague"


def test_types_must_be_resources() -> None:
    with pytest.raises(TypeError, match="must say what it makes of what"):

        class Wrong(QTransform[int, StrResource]):  # type: ignore[type-var]
            name = "test.Wrong"


def test_inputs_are_not_declared_by_hand() -> None:
    with pytest.raises(TypeError, match="more are extra_inputs, extra_outputs"):

        class Manual(QSpell):
            name = "test.Manual"
            inputs = (primary(IntResource), mapped(PathResource))


def test_options_change_what_is_declared() -> None:
    class Changed(QSpell):
        name = "test.Changed"
        input_namespace = "numbers"
        output_namespace = "words"
        output_sharing = OutputSharing.SHARED
        extra_inputs = (mapped(PathResource),)
        extra_outputs = (exclusive(PathResource),)

    assert Changed.inputs == (
        primary(IntResource, namespace="numbers"),
        mapped_destroy_ready(StrResource, namespace="words"),
        mapped(PathResource),
    )
    assert Changed.outputs == (shared(StrResource), exclusive(PathResource))


@pytest.mark.parametrize("option", [{"ignore_teardown_until": frozenset()}, {"ignore_teardown_while": {"somebody"}}])
def test_only_inputs_that_are_held_can_be_held_longer(option: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="must hold its inputs"):
        type("Longer", (LooseSpell,), option)


@given(st.sets(names), st.none() | st.frozensets(names), st.frozensets(names))
def test_a_teardown_is_ignored_exactly_while_others_are_to_let_go(
    finalizers: set[str], until: frozenset[str] | None, ignore_while: frozenset[str]
) -> None:
    controller = QSpell()
    controller.ignore_teardown_until = until  # type: ignore[misc]
    controller.ignore_teardown_while = ignore_while  # type: ignore[misc]
    number = integer("one", 1)
    torn_down = number.with_metadata(number.metadata.replace(phase=Phase.TEARING_DOWN, finalizers=tuple(finalizers)))

    others = finalizers - {"test.QSpell"}
    waited_for = (others - until if until is not None else set()) | (others & ignore_while)
    assert controller.ignores_teardown(torn_down) == bool(waited_for)


@given(st.text(), st.text())
def test_mappers_name_the_item_of_the_same_id_or_of_a_labels_value(id: str, value: str) -> None:
    changed: Metadata = path(id, labels={"number": value}).metadata

    assert same_id(IntResource, changed) == (IntResource.pointer_to(id),)
    assert same_id(IntResource, changed, namespace="far") == (IntResource.pointer_to(id, namespace="far"),)
    assert label_value(IntResource, changed, "number") == (IntResource.pointer_to(value),)
    assert label_value(IntResource, changed, "other") == ()
