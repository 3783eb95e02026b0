"""Text means what it means to Go, and a hostile text is refused with its place."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.resource import goyaml

TRICKY_TEXT = st.text(alphabet=st.sampled_from("ab1 :#-?,[]{}'\"\n\t.~&*!|>%@`\u2028\x85\r\0é😀_xe"), max_size=8)
TEXT = st.text(max_size=12) | TRICKY_TEXT
SCALARS = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_what_was_printed_reads_back_the_same(value: object) -> None:
    assert goyaml.load(goyaml.dump(value)) == value


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_printing_what_was_read_changes_nothing(value: object) -> None:
    text = goyaml.dump(value)

    assert goyaml.emit(goyaml.parse(text)) == text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.binary(max_size=40) | st.text(alphabet="ab1:-?[]{},&*!|>'\"\n #%", max_size=40))
def test_any_text_is_a_value_or_a_yaml_error(text: str | bytes) -> None:
    with contextlib.suppress(goyaml.YAMLError):
        goyaml.load(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("12:30:45", "12:30:45"),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("0b11", 3),
        ("-0x10", -16),
        ("1_000", 1000),
        ("089", 89.0),
        ("18446744073709551615", (1 << 64) - 1),
        ("18446744073709551616", 18446744073709551616.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        ("0x1p4", "0x1p4"),
        (".inf", float("inf")),
        ("~", None),
        ("Null", None),
        ("", None),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ('"123"', "123"),
        ("'true'", "true"),
        ("!!str 123", "123"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!custom word", "word"),
        ("!!binary aGk=", b"hi"),
        ("2024-02-30", "2024-02-30"),
        ("1" * 600, "1" * 600),
    ],
)
def test_plain_words_resolve_as_in_go(text: str, value: object) -> None:
    loaded = goyaml.load(text)

    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2022-02-10", "2022-02-10T00:00:00Z"),
        ("2022-2-1T1:2:3Z", "2022-02-01T01:02:03Z"),
        ("2022-02-10T18:25:04.120+05:30", "2022-02-10T18:25:04.12+05:30"),
        ("2022-02-10 18:25:04", "2022-02-10T18:25:04Z"),
        ("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00Z"),
    ],
)
def test_a_timestamp_keeps_its_text_and_knows_its_instant(text: str, instant: str) -> None:
    loaded = goyaml.load(text)

    assert isinstance(loaded, goyaml.Timestamp)
    assert loaded == text
    assert loaded.rfc3339 == instant


def test_aliases_repeat_and_merge_keys_fill_in_what_is_missing() -> None:
    text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\ncopy: *b\nmerged: {<<: [*b, *o], x: 9}\nword: {'<<': 1}\n"

    loaded = goyaml.load(text)

    assert isinstance(loaded, dict)
    assert loaded["copy"] == {"x": 1, "y": 2}
    assert loaded["merged"] == {"x": 9, "y": 2, "z": 4}
    assert loaded["word"] == {"<<": 1}


def test_several_documents_need_load_all() -> None:
    text = "a: 1\n---\nb: 2\n"

    assert goyaml.load_all(text) == [{"a": 1}, {"b": 2}]
    assert goyaml.load_all("") == []
    with pytest.raises(goyaml.YAMLError, match="line 3, column 1: a second document starts here"):
        goyaml.load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "YAML line 3, column 1: the key 'a' was already given in line 1"),
        ("x: {k: 1, 'k': 2}", "YAML line 1, column 11: the key 'k' was already given in line 1"),
        ("a: b: c", "YAML line 1, column 5: mapping values are not allowed in this context"),
        ("- *nowhere", "YAML line 1, column 3: there is no anchor &nowhere before this alias"),
        ("&a [*a]", "YAML line 1, column 5: the anchor &a contains itself"),
        ("? [a]\n: b", "YAML line 1, column 3: a list or a map cannot be the key of a map"),
        ("<<: 1", "YAML line 1, column 5: a merge key << takes a map or a list of maps"),
        ("a: !!int x", "YAML line 1, column 4: 'x' is not of the type int that its tag names"),
        ("a: !!binary a", "YAML line 1, column 4: a !!binary value is not valid base64"),
        (b"\xff", "YAML: the text is not valid UTF-8"),
        ("\ud800", "YAML: the text is not valid UTF-8"),
        ("a: \x07", "YAML: control characters are not allowed"),
    ],
)
def test_a_refusal_names_the_place_and_the_reason(text: str | bytes, message: str) -> None:
    with pytest.raises(goyaml.YAMLError) as refusal:
        goyaml.load(text)

    assert str(refusal.value) == message


def test_depth_is_bounded() -> None:
    assert goyaml.load("[" * goyaml.MAX_DEPTH + "]" * goyaml.MAX_DEPTH) is not None

    with pytest.raises(goyaml.YAMLError, match="column 101: nested deeper than 100 levels"):
        goyaml.load("[" * 100_000)


def test_size_is_bounded() -> None:
    with pytest.raises(goyaml.YAMLError, match="more than the 8388608 that are read"):
        goyaml.load(" " * (goyaml.MAX_DOCUMENT_BYTES + 1))


def test_the_number_of_values_is_bounded() -> None:
    with pytest.raises(goyaml.YAMLError, match="the text has more than 200000 values"):
        goyaml.load("[" + "1," * goyaml.MAX_NODES + "]")


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))
    began = time.perf_counter()

    with pytest.raises(goyaml.YAMLError, match="grows beyond 200000 values"):
        goyaml.load(bomb)

    assert time.perf_counter() - began < 5


def test_a_chain_of_aliases_is_as_deep_as_what_it_expands_to() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 200))

    with pytest.raises(goyaml.YAMLError, match="aliases nest deeper than 100 levels"):
        goyaml.load(chain)
