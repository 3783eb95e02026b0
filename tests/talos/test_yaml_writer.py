"""YAML is written as Go writes it, and reads back as what it was."""

from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosi.resource import goyaml
from talos import yaml_document, yaml_writer
from talos.yaml_node import Node
from tests.talos.test_yaml_document import plain

LARGE = 1_000_000


def read(text: str) -> tuple[Node, ...]:
    stream = yaml_document.read(text.encode(), max_bytes=LARGE)
    assert not stream.faults
    return stream.documents


def test_lists_are_indented_by_four_and_what_is_in_them_by_two() -> None:
    value = {"a": {"b": [{"c": "x", "d": {"e": ["z"]}}, []], "f": {}}, "g": "1\n2\n"}

    text = yaml_writer.write(yaml_writer.node_of(value))

    assert text == (
        "a:\n    b:\n        - c: x\n          d:\n            e:\n                - z\n        - []\n    f: {}\n"
        "g: |\n    1\n    2\n"
    )


@pytest.mark.parametrize("text", ["yes", "y", "017", "0o17", "1.0", "12:30:45", "2024-01-01", "~", "", "null", "<<"])
def test_a_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert yaml_writer.write(yaml_writer.node_of({"a": text})) == f'a: "{text}"\n'


@pytest.mark.parametrize("spelling", ["1.0", "0x1F", "017", "1e3", "TRUE", "9" * 30, "-.inf"])
def test_a_number_keeps_its_spelling(spelling: str) -> None:
    assert yaml_writer.write_all(read(f"a: {spelling}\n---\n{spelling}")) == f"a: {spelling}\n---\n{spelling}\n"


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=9)
    | st.text(" \n:-#'\"|>&*!%@a1", max_size=9)
)
keys = st.text(st.characters(codec="ascii"), min_size=1, max_size=4)
trees = st.recursive(
    scalars, lambda below: st.lists(below, max_size=4) | st.dictionaries(keys, below, max_size=4), max_leaves=20
)


@given(st.lists(trees, min_size=1, max_size=3))
def test_what_was_written_reads_back(values: list[object]) -> None:
    documents = read(yaml_writer.write_all(yaml_writer.node_of(value) for value in values))

    assert [plain(document) for document in documents] == values


@given(trees)
def test_writing_again_changes_nothing(value: object) -> None:
    once = yaml_writer.write(yaml_writer.node_of(value))

    assert yaml_writer.write_all(read(once)) == once


@given(trees)
def test_a_node_that_was_put_together_measures_what_one_that_was_read_does(value: object) -> None:
    built = yaml_writer.node_of(value)
    (found,) = read(yaml_writer.write(built))

    assert (built.weight, built.height) == (found.weight, found.height)


odd_texts = st.text(" \n\t:-#'\"|>&*!%@a1{}[],?=<~\r\x85\u2028é", max_size=12).filter(lambda text: text != "=")
places = [
    lambda text: {"x": text},
    lambda text: [{"x": [text], "y": {"z": text}}],
    lambda text: {"k" if "\n" in text else text: [[text]]},
]


@given(odd_texts, st.sampled_from(places))
def test_other_readers_read_the_same(text: str, place: Callable[[str], object]) -> None:
    assert yaml.safe_load(yaml_writer.write(yaml_writer.node_of(place(text)))) == place(text)


ordinary_texts = st.text(" \n:-#'\"|>&*!%@a1{}[],?<~é", max_size=12).filter(lambda text: text.lstrip("\n")[:1] != " ")


@given(ordinary_texts, st.sampled_from(places))
def test_it_looks_as_go_prints_it(text: str, place: Callable[[str], object]) -> None:
    assert yaml_writer.write(yaml_writer.node_of(place(text))) == goyaml.dump(place(text))
