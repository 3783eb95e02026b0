"""Values print as Go prints them."""

import math

import pytest

from cosi.resource import goyaml


def test_nested_maps_indent_by_four_and_lists_under_their_key() -> None:
    value = {"ports": [{"name": "http", "backends": ["one", {"deep": [1, 2]}]}, ["a", ["b"]]], "empty": {}, "none": []}

    text = goyaml.dump(value)

    assert text == (
        "ports:\n"
        "    - name: http\n"
        "      backends:\n"
        "        - one\n"
        "        - deep:\n"
        "            - 1\n"
        "            - 2\n"
        "    - - a\n"
        "      - - b\n"
        "empty: {}\n"
        "none: []\n"
    )


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("gvisor", "gvisor"),
        ("20220117.0-v1.0.0", "20220117.0-v1.0.0"),
        ("two words", "two words"),
        ("http://host:80/path", "http://host:80/path"),
        ("a#b", "a#b"),
        ("-x", "-x"),
        # what reads back as something else is double-quoted
        ("123", '"123"'),
        ("0x1f", '"0x1f"'),
        ("1e5", '"1e5"'),
        ("1_000", '"1_000"'),
        ("true", '"true"'),
        ("null", '"null"'),
        ("~", '"~"'),
        ("", '""'),
        ("2022-02-10", '"2022-02-10"'),
        ("<<", '"<<"'),
        # so is what older readers take for a boolean or a base-60 number
        ("yes", '"yes"'),
        ("n", '"n"'),
        ("OFF", '"OFF"'),
        ("12:30:45", '"12:30:45"'),
        # what the syntax forbids is single-quoted
        (">= v1.0.0", "'>= v1.0.0'"),
        ("a: b", "'a: b'"),
        ("a #b", "'a #b'"),
        ("- a", "'- a'"),
        ("it's: x", "'it''s: x'"),
        (" padded ", "' padded '"),
        ("*x", "'*x'"),
        ("---", "'---'"),
        # and what no quotes can hold is escaped
        ("a\tb", '"a\\tb"'),
        ("\x1b[0m", '"\\e[0m"'),
        ("a\rb", '"a\\rb"'),
        ("😀", '"\\U0001F600"'),
        ("é", "é"),
        ("\n", '"\\n"'),
        ("a \nb", '"a \\nb"'),
    ],
)
def test_a_string_is_quoted_only_as_far_as_needed(value: str, line: str) -> None:
    assert goyaml.dump(value) == f"{line}\n"
    assert goyaml.dump({"key": value}) == f"key: {line}\n"
    assert goyaml.load(f"key: {line}\n") == {"key": value}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("one\n", "k: |\n    one\n"),
        ("one\ntwo", "k: |-\n    one\n    two\n"),
        ("one\n\ntwo\n\n", "k: |+\n    one\n\n    two\n\n"),
        (" led\nby a space", "k: |4-\n     led\n    by a space\n"),
    ],
)
def test_lines_are_a_literal_block_whose_header_tells_how_it_ends(value: str, text: str) -> None:
    assert goyaml.dump({"k": value}) == text
    assert goyaml.load(text) == {"k": value}


def test_the_depth_of_a_block_that_begins_with_a_space_counts_from_its_parent() -> None:
    text = goyaml.dump([{"a": {"b": " x\n"}}, " y\n"])

    assert text == "- a:\n    b: |4\n         x\n- |2\n   y\n"
    assert goyaml.load(text) == [{"a": {"b": " x\n"}}, " y\n"]


def test_a_key_too_long_or_of_several_lines_is_marked_with_a_question_mark() -> None:
    long_key = "x" * 129

    text = goyaml.dump({long_key: {"a": 1, "b": 2}, "l1\nl2": 1})

    assert text == f"? {long_key}\n:   a: 1\n    b: 2\n? |-\n    l1\n    l2\n: 1\n"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-5, "-5"),
        ((1 << 64) - 1, "18446744073709551615"),
        (1.0, "1"),
        (-0.0, "-0"),
        (1.5, "1.5"),
        (100000.0, "100000"),
        (1000000.0, "1e+06"),
        (123456789.5, "1.234567895e+08"),
        (1e20, "1e+20"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
    ],
)
def test_numbers_have_go_s_spelling(number: float, text: str) -> None:
    assert goyaml.dump(number) == f"{text}\n"
    assert goyaml.load(text) == number


def test_not_a_number_is_dot_nan() -> None:
    assert goyaml.dump(math.nan) == ".nan\n"
    assert goyaml.load(".nan") != goyaml.load(".nan")


def test_none_and_booleans_are_words() -> None:
    assert goyaml.dump([None, True, False]) == "- null\n- true\n- false\n"


def test_bytes_are_tagged_binary_and_broken_into_lines_of_seventy() -> None:
    assert goyaml.dump({"k": b"\xff\x00"}) == "k: !!binary /wA=\n"

    text = goyaml.dump({"k": bytes(60)})

    assert text == f"k: !!binary |\n    {'A' * 70}\n    {'A' * 10}\n"
    assert goyaml.load(text) == {"k": bytes(60)}


def test_a_timestamp_prints_in_full_and_without_quotes() -> None:
    assert goyaml.dump({"at": goyaml.load("2022-2-1 1:2:3.50")}) == "at: 2022-02-01T01:02:03.5Z\n"


def test_map_keys_in_go_order_count_numbers_by_value() -> None:
    keys = dict.fromkeys(["eth10", "b", "eth2", "B", "a-b", "ab", "eth02", "a", "1"], 0)

    assert list(goyaml.in_go_order(keys)) == ["1", "B", "a", "a-b", "ab", "b", "eth2", "eth02", "eth10"]


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, "\ud800"])
def test_what_yaml_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(goyaml.YAMLError):
        goyaml.dump(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)

    with pytest.raises(goyaml.YAMLError, match="nests deeper than 100 levels"):
        goyaml.dump(loop)


def test_a_foreign_type_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="a value of type set cannot be written as YAML"):
        goyaml.dump({"k": {1}})
