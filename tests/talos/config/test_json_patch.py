"""JSON patches do what RFC 6902 says."""

import json

import pytest

from talos import yaml_document, yaml_writer
from talos.config import json_patch
from talos.config.faults import ConfigFault
from talos.config.json_patch import MAX_OPERATIONS
from talos.yaml_node import Node
from tests.talos.test_yaml_document import plain


def node(value: object) -> Node:
    (found,) = yaml_document.read(json.dumps(value).encode(), max_bytes=1_000_000).documents
    return found


def patched(document: object, *operations: object) -> tuple[object, list[ConfigFault]]:
    faults: list[ConfigFault] = []
    read = json_patch.read(node([*operations]), faults)
    return plain(json_patch.apply(node(document), read, faults)), faults


APPENDIX_A = [
    ("A.1", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ("A.2", {"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ("A.3", {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ("A.4", {"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    (
        "A.5",
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        "A.6",
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        "A.7",
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        "A.8",
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    ("A.9", {"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], None),
    (
        "A.10",
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    (
        "A.11",
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    ("A.12", {"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], None),
    ("A.14", {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ("A.15", {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], None),
    (
        "A.16",
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
]


@pytest.mark.parametrize(("document", "operations", "result"), [case[1:] for case in APPENDIX_A])
def test_the_examples_of_the_rfc(document: object, operations: list[object], result: object) -> None:
    found, faults = patched(document, *operations)

    assert (found if not faults else None) == result


def test_an_operation_that_is_given_twice_over_is_refused() -> None:
    text = b'[{"op": "add", "path": "/baz", "value": "qux", "op": "remove"}]'  # A.13

    assert yaml_document.read(text, max_bytes=1_000).faults


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "", "value": {"b": 1}}, {"b": 1}),
        ({"op": "replace", "path": "", "value": {"b": 1}}, {"b": 1}),
        ({"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, {"x": None}]}),
        ({"op": "add", "path": "/a/2", "value": 0}, {"a": [1, {"x": None}, 0]}),
        ({"op": "replace", "path": "/a/1/x", "value": []}, {"a": [1, {"x": []}]}),
        ({"op": "add", "path": "/", "value": 1}, {"a": [1, {"x": None}], "": 1}),
        ({"op": "copy", "from": "/a/1", "path": "/a/1/y"}, {"a": [1, {"x": None, "y": {"x": None}}]}),
        ({"op": "move", "from": "/a", "path": "/a"}, {"a": [1, {"x": None}]}),
        ({"op": "test", "path": "/a/1", "value": {"x": None}}, {"a": [1, {"x": None}]}),
        ({"op": "test", "path": "/a/0", "value": 1.0}, {"a": [1, {"x": None}]}),
    ],
)
def test_edges_of_what_works(operation: object, result: object) -> None:
    assert patched({"a": [1, {"x": None}]}, operation) == (result, [])


@pytest.mark.parametrize(
    ("operation", "path", "problem"),
    [
        (1, "[0]", "this is a single value, not an operation"),
        ({"path": "/a"}, "[0].op", "missing or unknown"),
        ({"op": "swap", "path": "/a"}, "[0].op", "missing or unknown"),
        ({"op": "add", "path": "/a"}, "[0].value", "missing"),
        ({"op": "add", "path": "a", "value": 1}, "[0].path", "missing, or no path"),
        ({"op": "remove"}, "[0].path", "missing, or no path"),
        ({"op": "remove", "path": 1}, "[0].path", "missing, or no path"),
        ({"op": "move", "path": "/a"}, "[0].from", "missing, or no path"),
        ({"op": "remove", "path": "/b"}, "[0]", "remove can't be done: there is nothing at /b"),
        ({"op": "remove", "path": ""}, "[0]", "remove can't be done: the whole document can't be removed"),
        ({"op": "replace", "path": "/b", "value": 1}, "[0]", "replace can't be done: there is nothing at /b"),
        ({"op": "add", "path": "/a/3", "value": 1}, "[0]", "add can't be done: /3 is no place in a list of 2"),
        ({"op": "replace", "path": "/a/-", "value": 1}, "[0]", "replace can't be done: /- is no place in a list of 2"),
        ({"op": "add", "path": "/a/01", "value": 1}, "[0]", "add can't be done: /01 is no place in a list of 2"),
        ({"op": "add", "path": "/a/0/b", "value": 1}, "[0]", "add can't be done: /b lies in no mapping and no list"),
        ({"op": "move", "from": "/a", "path": "/a/0"}, "[0]", "move can't be done: a value can't be moved into itself"),
        ({"op": "test", "path": "/a/0", "value": True}, "[0]", "test can't be done: the value at /a/0 is another one"),
        ({"op": "test", "path": "/a/0", "value": "1"}, "[0]", "test can't be done: the value at /a/0 is another one"),
    ],
)
def test_what_can_not_be_done_is_told_and_changes_nothing(operation: object, path: str, problem: str) -> None:
    result, (fault,) = patched({"a": [1, {"x": None}]}, operation)

    assert (fault.path, fault.problem) == (path, problem)
    assert result == {"a": [1, {"x": None}]}


def test_a_document_that_grows_without_end_is_stopped() -> None:
    copies = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(60)]

    _, (fault,) = patched({"a": {"x": 1}}, *copies)

    assert "the config would have more than" in fault.problem


def test_there_is_a_bound_on_operations() -> None:
    _, (fault,) = patched({}, *[{"op": "test", "path": "", "value": {}}] * (MAX_OPERATIONS + 1))

    assert fault.problem == f"{MAX_OPERATIONS + 1} operations, at most {MAX_OPERATIONS} are allowed"


def test_what_is_not_touched_keeps_its_spelling() -> None:
    (document,) = yaml_document.read(b"a: 1.0\nb: 0x10\nc: '1'\nd: x\n", max_bytes=1_000).documents
    faults: list[ConfigFault] = []

    changed = json_patch.apply(document, json_patch.read(node([{"op": "remove", "path": "/d"}]), faults), faults)

    assert yaml_writer.write(changed) == 'a: 1.0\nb: 0x10\nc: "1"\n'
