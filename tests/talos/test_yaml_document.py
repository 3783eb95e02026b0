"""YAML is read strictly, with its lines, and within bounds."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos import yaml_document
from talos.yaml_builder import (
    MAX_DEPTH_LEVELS,
    MAX_DOCUMENTS,
    MAX_DUPLICATES,
    MAX_KEY_CHARACTERS,
    SHOWN_KEY_CHARACTERS,
)
from talos.yaml_document import Stream
from talos.yaml_node import Node

MAX_BYTES = 1_000_000


def read(text: str | bytes) -> Stream:
    return yaml_document.read(text if isinstance(text, bytes) else text.encode(), max_bytes=MAX_BYTES)


def plain(node: Node) -> object:
    if node.kind == "mapping":
        return {key: plain(value) for key, value in node.fields.items()}
    return [plain(item) for item in node.items] if node.kind == "sequence" else node.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("~", None),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    (document,) = read(text).documents

    assert document.value == value
    assert type(document.value) is type(value)


def test_a_node_knows_its_line_and_its_spelling() -> None:
    (document,) = read("a: 1\nb:\n  - x\n  - version: 1.0\n").documents

    version = document.fields["b"].items[1].fields["version"]

    assert (version.line, version.text) == (4, "1.0")


def test_every_duplicate_key_is_reported() -> None:
    stream = read("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")

    assert [(fault.line, fault.path) for fault in stream.faults] == [(4, "b.c"), (5, "a")]
    assert plain(stream.documents[0]) == {"a": 1, "b": {"c": 1}}


def test_each_document_keeps_its_text_and_together_they_are_the_whole() -> None:
    text = "# of a\n%YAML 1.2\n---\na: é\n# end\n--- # b\nb: 1\n...\n---\n---\nc\n"

    texts = read(text).texts

    assert texts == ("# of a\n%YAML 1.2\n---\na: é\n# end\n", "--- # b\nb: 1\n...\n", "---\n", "---\nc\n")


def test_merge_keys_work_and_own_fields_win() -> None:
    (document,) = read("x: &x {a: 1, b: 2}\ny:\n  b: 3\n  <<: *x\nz: {<<: [*x, {c: 4}]}\n").documents

    assert plain(document) == {"x": {"a": 1, "b": 2}, "y": {"b": 3, "a": 1}, "z": {"a": 1, "b": 2, "c": 4}}


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("a: [1, 2", 1, "not YAML"),
        ("a: 1\n b: 2", 2, "not YAML"),
        ("a: \x07", 1, "control character"),
        (b"a: 1\nb: \xff", 2, "not UTF-8"),
        ("a: &x [*x]", 1, "inside itself"),
        ("a: *x", 1, "no anchor"),
        ("a: !thing 1", 1, "this tag"),
        ("? [a]\n: 1", 1, "a key is a list"),
        ("a: 1\nb: {<<: 1}", 2, "merge key"),
        ("[" * (MAX_DEPTH_LEVELS + 1), 1, "nested deeper"),
        ("a: " + "x" * MAX_BYTES, 1, "bytes long"),
        ("a: 1\n? " + "x" * (MAX_KEY_CHARACTERS + 1), 2, "a key of 1025 characters"),
        ("--- a\n" * (MAX_DOCUMENTS + 1), 1001, "more than 1000 documents"),
    ],
)
def test_what_cannot_be_understood_is_a_fault_with_its_line(text: str | bytes, line: int, complaint: str) -> None:
    (fault,) = read(text).faults

    assert fault.line == line
    assert complaint in fault.problem


def test_an_alias_bomb_is_refused_at_once() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 30))
    before = time.monotonic()

    stream = read("l0: &l0 x\n" + levels)

    assert "more than" in stream.faults[0].problem
    assert time.monotonic() - before < 5


def test_faults_of_a_text_take_no_more_room_than_it_has_itself() -> None:
    nested = "".join(f"{' ' * level}? {'x' * MAX_KEY_CHARACTERS}\n{' ' * level}:\n" for level in range(50))
    text = f"{nested}{' ' * 50}{{{'a,' * 50_000}}}"

    faults = read(text).faults

    assert len(faults) == MAX_DUPLICATES + 1
    assert "more than 100 keys are given twice" in faults[-1].problem
    assert max(len(fault.path) for fault in faults) <= MAX_DEPTH_LEVELS * (SHOWN_KEY_CHARACTERS + 2)


def test_aliases_cannot_build_a_depth_that_text_cannot() -> None:
    levels = "".join(f"l{n}: &l{n} [*l{n - 1}]\n" for n in range(1, MAX_DEPTH_LEVELS + 10))

    stream = read("l0: &l0 x\n" + levels)

    assert "nested deeper" in stream.faults[0].problem


scalars = st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.text(st.characters(codec="ascii"), max_size=9)
trees = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), below),
    max_leaves=20,
)


@given(trees)
def test_what_a_json_writer_wrote_is_read_back(tree: object) -> None:
    stream = read(json.dumps(tree))

    assert not stream.faults
    assert plain(stream.documents[0]) == tree


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_give_documents_or_faults_and_never_raise(text: str | bytes) -> None:
    stream = read(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))

    assert isinstance(stream, Stream)
