"""A document printed again keeps how it was written, in Go's layout."""

import pytest

from cosi.resource import goyaml
from cosi.resource.goyaml import mapping, scalar


def nested(text: str) -> str:
    """Print the document under a key, as a spec is."""
    return goyaml.emit(mapping([(scalar("spec"), goyaml.parse(text))]))


def test_quotes_and_flow_collections_stay() -> None:
    text = "a: [1, {b: c}, 'x', [], {}]\nb: \"q\"\nc: ~\nd:\ne: {k: , l: ''}\n"

    assert nested(text) == (
        "spec:\n    a: [1, {b: c}, 'x', [], {}]\n    b: \"q\"\n    c: ~\n    d:\n    e: {k: '', l: ''}\n"
    )


def test_anchors_aliases_and_tags_stay() -> None:
    text = "a: &x {k: 1}\nb: *x\n*x : 1\nc: !!str 123\nd: !mine\n  - 1\ne: !<tag:x.com:y> z\nf: {<<: *x}\n"

    assert nested(text) == (
        "spec:\n"
        "    a: &x {k: 1}\n"
        "    b: *x\n"
        "    *x : 1\n"
        "    c: !!str 123\n"
        "    d: !mine\n"
        "        - 1\n"
        "    e: !<tag:x.com:y> z\n"
        "    f: {<<: *x}\n"
    )


def test_folded_and_quoted_lines_are_written_anew() -> None:
    text = "a: >\n  foo\n  bar\n\n  baz\nb: 'a\n\n  b'\nc: plain\n  words\n\n  more\n"

    assert nested(text) == (
        "spec:\n"
        "    a: >\n        foo bar\n\n        baz\n\n"
        "    b: 'a\n\n        b'\n"
        "    c: |-\n        plain words\n        more\n"
    )


def test_comments_are_dropped() -> None:
    assert nested("# above\na: 1 # beside\n# below\n") == "spec:\n    a: 1\n"


@pytest.mark.parametrize(
    ("document", "printed"),
    [
        ("|\n    version: v1alpha1\n", "spec: |\n    version: v1alpha1\n"),
        ("|-\n    version: v1alpha1", "spec: |-\n    version: v1alpha1\n"),
        ("|+\n    version: v1alpha1\n\n\n", "spec: |+\n    version: v1alpha1\n\n\n"),
        ("|\n    a: 1\n    ---\n    b: |\n        c\n", "spec: |\n    a: 1\n    ---\n    b: |\n        c\n"),
        ('"a: 1 \\nb\\n"', 'spec: "a: 1 \\nb\\n"\n'),
    ],
)
def test_a_document_that_is_one_string_keeps_its_block_and_its_end(document: str, printed: str) -> None:
    assert nested(document) == printed


def test_only_the_first_document_is_shown() -> None:
    assert nested("a: 1\n---\nb: 2\n") == "spec:\n    a: 1\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("123", "123"),
        ("true", "true"),
        ("2022-02-10T18:25:04Z", "2022-02-10T18:25:04Z"),
        ("a: b", "'a: b'"),
        (" x", "' x'"),
        ("", ""),
    ],
)
def test_a_plain_node_is_quoted_for_syntax_only(text: str, line: str) -> None:
    assert goyaml.emit(mapping([(scalar("id"), scalar(text))])) == f"id: {line}".rstrip(" ") + "\n"


def test_a_plain_node_reads_back_as_what_it_looks_like() -> None:
    assert goyaml.construct(mapping([(scalar("version"), scalar("1")), (scalar("owner"), scalar(""))])) == {
        "version": 1,
        "owner": None,
    }
