"""Queries answer as the Go runtime answers them, for any labels and any term."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.resource.metadata import Metadata
from cosi.resource.query import (
    ALL,
    MAX_ID_PATTERN_CHARACTERS,
    LabelQuery,
    LabelTerm,
    Operation,
    Query,
    compile_id_pattern,
    equal,
    exists,
    less,
    one_of,
    parse_number,
    where,
)

_KEYS = st.sampled_from(["a", "b"])
_VALUES = st.sampled_from(["", "1", "2", "10", "2k", "-1 Mi", "x", "é", "1.5", "99999999999999999999"])
_LABELS = st.dictionaries(_KEYS, _VALUES)
_TERMS = st.builds(
    LabelTerm,
    key=_KEYS,
    operation=st.sampled_from(Operation),
    values=st.lists(_VALUES, max_size=2).map(tuple),
    invert=st.booleans(),
)
_QUERIES = st.builds(
    Query,
    labels=st.lists(st.builds(LabelQuery, st.lists(_TERMS, max_size=2).map(tuple)), max_size=2).map(tuple),
    id_pattern=st.sampled_from(["", "a", "^a", "a$", "^$", "[bc]"]),
)
_UNITS = {"k": 3, "m": 6, "g": 9, "t": 12, "p": 15}
_BINARY_UNITS = {"ki": 10, "mi": 20, "gi": 30, "ti": 40, "pi": 50}


@given(_TERMS, _LABELS)
def test_a_term_answers_as_the_rules_say(term: LabelTerm, labels: dict[str, str]) -> None:
    assert term.matches(labels) is _answer(term, labels)


@given(_QUERIES, _LABELS, st.text(alphabet="abc", max_size=3))
def test_terms_are_anded_label_queries_ored_and_the_id_must_match(
    query: Query, labels: dict[str, str], id: str
) -> None:
    by_labels = not query.labels or any(all(_answer(term, labels) for term in q.terms) for q in query.labels)
    by_id = re.search(query.id_pattern, id) is not None

    assert query.matches(Metadata("ns", "Type", id, labels=labels)) is (by_labels and by_id)


@given(_LABELS, st.text(max_size=3))
def test_the_query_for_everything_matches_everything(labels: dict[str, str], id: str) -> None:
    assert ALL.everything
    assert ALL.matches(Metadata("ns", "Type", id, labels=labels))
    assert not where(exists("a")).everything
    assert not where(id_pattern="a").everything


def test_terms_are_built_by_words() -> None:
    assert exists("a", invert=True) == LabelTerm("a", Operation.EXISTS, (), True)
    assert equal("a", "1") == LabelTerm("a", Operation.EQUAL, ("1",))
    assert one_of("a", ("1", "2")) == LabelTerm("a", Operation.IN, ("1", "2"))
    assert less("a", "1").operation is Operation.LESS
    assert less("a", "1", or_equal=True).operation is Operation.LESS_OR_EQUAL
    assert less("a", "1", numeric=True).operation is Operation.LESS_NUMERIC
    assert less("a", "1", or_equal=True, numeric=True).operation is Operation.LESS_OR_EQUAL_NUMERIC
    assert where(exists("a"), exists("b")) == Query((LabelQuery((exists("a"), exists("b"))),))
    assert where() == ALL


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4GiB", 4 << 30),
        ("4GB", 4 * 10**9),
        ("1", 1),
        ("2000", 2000),
        (" 1 k", 1000),
        ("-1 k", -1000),
        ("10kg", 10_000),
        ("007", 7),
        ("1 1", None),
        ("1.1 k", None),
        ("1 i", None),
        ("+1", None),
        ("1-", None),
        ("--1", None),
        ("-", None),
        ("", None),
        ("k", None),
        ("٣", None),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", None),
        ("0" * 30 + "5", 5),
        ("9" * 10_000, None),
        ("9223372036854775807k", -1000),
    ],
)
def test_numbers_are_read_as_go_reads_them(text: str, number: int | None) -> None:
    assert parse_number(text) == number


@given(
    st.integers(min_value=-(10**3), max_value=10**3),
    st.sampled_from([*_UNITS, *_BINARY_UNITS]),
    st.booleans(),
    st.sampled_from(["", " "]),
    st.sampled_from(["", "B", "b/s"]),
)
def test_a_unit_multiplies(number: int, unit: str, upper: bool, space: str, rest: str) -> None:
    multiplier = 10 ** _UNITS[unit] if unit in _UNITS else 2 ** _BINARY_UNITS[unit]
    text = f"{number}{space}{unit.upper() if upper else unit}{rest}"

    expected = number * multiplier
    assert parse_number(text) == (expected + 2**63) % 2**64 - 2**63


@given(st.text())
def test_any_text_is_a_number_of_64_bits_or_none(text: str) -> None:
    number = parse_number(text)

    assert number is None or -(2**63) <= number < 2**63


@pytest.mark.parametrize("pattern", ["(", "[", "a**", r"\1", "(?=a)", "a{1001}", "\\"])
def test_a_pattern_that_is_not_re2_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"failed to compile regexp: .+"):
        compile_id_pattern(pattern)


def test_patterns_cannot_eat_memory_or_time() -> None:
    with pytest.raises(ValueError, match="longer than"):
        compile_id_pattern("a" * (MAX_ID_PATTERN_CHARACTERS + 1))
    with pytest.raises(ValueError, match="failed to compile regexp"):
        compile_id_pattern("((a{100}){100}){100}")

    assert where(id_pattern="(a*)*b").matches(Metadata("ns", "Type", "a" * 10_000)) is False


@given(st.text(max_size=20))
def test_any_pattern_compiles_or_is_refused(pattern: str) -> None:
    try:
        compile_id_pattern(pattern)
    except ValueError as error:
        assert str(error).startswith("failed to compile regexp: ")  # noqa: PT017


def _answer(term: LabelTerm, labels: dict[str, str]) -> bool:
    comparison = term.operation >= Operation.LESS
    if term.key not in labels:
        return not comparison and term.invert
    label = labels[term.key]
    if term.operation is Operation.EXISTS:
        return not term.invert
    if not term.values:
        return term.invert
    if not comparison:
        wanted = term.values[:1] if term.operation is Operation.EQUAL else term.values
        return (label in wanted) is not term.invert
    left: str | int | None = label
    right: str | int | None = term.values[0]
    if term.operation in (Operation.LESS_NUMERIC, Operation.LESS_OR_EQUAL_NUMERIC):
        left, right = parse_number(label), parse_number(term.values[0])
        if left is None or right is None:
            return False
    or_equal = term.operation in (Operation.LESS_OR_EQUAL, Operation.LESS_OR_EQUAL_NUMERIC)
    return (left < right or (or_equal and left == right)) is not term.invert  # type: ignore[operator]
