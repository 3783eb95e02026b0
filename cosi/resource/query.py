"""Which resources of a kind a list or a watch is about: by labels, by id.

Pure rules, exactly those of the Go runtime (pkg/resource/labels.go, label_query.go, internal/compare). The terms of one
label query are and-ed, several label queries are or-ed, and the id must match as well.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from typing import Final

import msgspec
import re2

from cosi.resource.metadata import Metadata

MAX_ID_PATTERN_CHARACTERS: Final = 4096
"""Longer patterns are refused: RE2 is linear in the id, but compiling costs memory in proportion to the pattern."""

MAX_PATTERN_MEMORY_BYTES: Final = 1 << 20
"""What RE2 may spend on one compiled pattern."""

_SHOWN_CHARACTERS: Final = 200
"""How much an error shows of what RE2 says; that repeats the pattern."""

_MULTIPLIERS: Final = {
    "pi": 1 << 50, "ti": 1 << 40, "gi": 1 << 30, "mi": 1 << 20, "ki": 1 << 10,
    "p": 10**15, "t": 10**12, "g": 10**9, "m": 10**6, "k": 10**3,
}  # fmt: skip
_INT64: Final = 1 << 64
_INT64_DIGITS: Final = 19


class Operation(enum.IntEnum):
    """How a term compares; the numbers are those of the wire (`LabelTerm.Operation`)."""

    EXISTS = 0
    EQUAL = 1
    IN = 3
    LESS = 4
    LESS_OR_EQUAL = 5
    LESS_NUMERIC = 6
    LESS_OR_EQUAL_NUMERIC = 7


class LabelTerm(msgspec.Struct, frozen=True):
    """One condition on one label.

    A comparison (less, less or equal, numeric or not) on a label that is absent, or not a number where one is needed,
    never matches, inverted or not.
    """

    key: str
    operation: Operation = Operation.EXISTS
    values: tuple[str, ...] = ()
    invert: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a resource with these labels satisfies the term."""
        verdict = self._compare(labels.get(self.key))
        return verdict is not None and verdict is not self.invert

    def _compare(self, label: str | None) -> bool | None:
        operation = self.operation
        if label is None:
            return None if operation >= Operation.LESS else False
        if operation is Operation.EXISTS:
            return True
        if not self.values:
            return False
        if operation is Operation.IN:
            return label in self.values
        value = self.values[0]
        if operation is Operation.EQUAL:
            return label == value
        if operation is Operation.LESS:
            return label < value
        if operation is Operation.LESS_OR_EQUAL:
            return label <= value
        left, right = parse_number(label), parse_number(value)
        if left is None or right is None:
            return None
        return left < right if operation is Operation.LESS_NUMERIC else left <= right


class LabelQuery(msgspec.Struct, frozen=True):
    """Conditions that must all hold."""

    terms: tuple[LabelTerm, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a resource with these labels satisfies every term."""
        return all(term.matches(labels) for term in self.terms)


class Query(msgspec.Struct, frozen=True):
    """Any of the label queries (or none given), and an id that the RE2 pattern finds something in."""

    labels: tuple[LabelQuery, ...] = ()
    id_pattern: str = ""

    def matches(self, metadata: Metadata) -> bool:
        """Tell whether a resource with this metadata is asked for. Raises ValueError if the id pattern is not RE2."""
        if self.id_pattern and compile_id_pattern(self.id_pattern).search(metadata.id) is None:
            return False
        return not self.labels or any(query.matches(metadata.labels) for query in self.labels)

    @property
    def everything(self) -> bool:
        """Whether no resource can fail to match."""
        return not self.labels and not self.id_pattern


ALL: Final = Query()
"""Every resource of the kind."""


def where(*terms: LabelTerm, id_pattern: str = "") -> Query:
    """Return the query for resources that satisfy all these terms."""
    return Query(labels=(LabelQuery(terms),) if terms else (), id_pattern=id_pattern)


def exists(key: str, *, invert: bool = False) -> LabelTerm:
    """Return the term: the label is there."""
    return LabelTerm(key, Operation.EXISTS, (), invert)


def equal(key: str, value: str, *, invert: bool = False) -> LabelTerm:
    """Return the term: the label has this value."""
    return LabelTerm(key, Operation.EQUAL, (value,), invert)


def one_of(key: str, values: tuple[str, ...], *, invert: bool = False) -> LabelTerm:
    """Return the term: the label has one of these values."""
    return LabelTerm(key, Operation.IN, values, invert)


def less(key: str, value: str, *, or_equal: bool = False, numeric: bool = False, invert: bool = False) -> LabelTerm:
    """Return the term: the label is less than the value, as text or as a number with an optional unit (`10Gi`)."""
    operation = Operation.LESS + (1 if or_equal else 0) + (2 if numeric else 0)
    return LabelTerm(key, Operation(operation), (value,), invert)


@functools.lru_cache(maxsize=256)
def compile_id_pattern(pattern: str) -> re2._Regexp:
    """Compile a pattern a client sent. Raises ValueError saying what is wrong with it."""
    if len(pattern) > MAX_ID_PATTERN_CHARACTERS:
        raise ValueError(f"failed to compile regexp: longer than {MAX_ID_PATTERN_CHARACTERS} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_MEMORY_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        problem = error.args[0]
        text = problem.decode(errors="replace") if isinstance(problem, bytes) else str(problem)
        raise ValueError(f"failed to compile regexp: {text[:_SHOWN_CHARACTERS]}") from None


def parse_number(text: str) -> int | None:
    """Return the whole number of `12`, `-3`, `10k`, `4 GiB`, …; None if it is none or does not fit 64 bits."""
    text = text.strip()
    end = next((index for index, letter in enumerate(text) if letter not in "-0123456789"), len(text))
    digits, unit = text[:end], text[end:].strip().lower()
    if not digits or "-" in digits[1:] or digits == "-":
        return None
    # Only as many digits as can matter are converted: the label is somebody else's, and may be long.
    significant = digits.lstrip("-").lstrip("0")
    if len(significant) > _INT64_DIGITS:
        return None
    number = int(significant or "0") * (-1 if digits[0] == "-" else 1)
    if not -_INT64 // 2 <= number < _INT64 // 2:
        return None
    multiplier = 1 if not unit else _MULTIPLIERS.get(unit[:2]) or _MULTIPLIERS.get(unit[:1])
    if multiplier is None:
        return None
    # Go multiplies in 64 bits and wraps; a client must get the same answer from either.
    return (number * multiplier + _INT64 // 2) % _INT64 - _INT64 // 2
