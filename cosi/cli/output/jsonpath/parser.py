"""From a template's text to its parts, by the grammar of kubectl.

It is the grammar of k8s.io/client-go/util/jsonpath with its habits, because the paths in resource definitions were
written for it: `['a.b']` means `.a.b` (a dot inside a name is written `\\.`), a name ends only at a blank or one of
`.,[]{}$@`, and a filter compares one pair. A range without end and unknown words, which it lets pass, are refused.
"""

import re
from typing import Final

from cosi.cli.output.jsonpath.parts import (
    Action,
    Field,
    Filter,
    Literal,
    Part,
    Range,
    Recursive,
    Slice,
    Step,
    Text,
    Union,
    Wildcard,
)
from cosi.cli.output.jsonpath.quoted import unquoted
from cosi.cli.output.record import OutputError

__all__ = ["MAX_RANGES", "MAX_TEMPLATE_CHARS", "parse"]

MAX_TEMPLATE_CHARS = 4096
MAX_RANGES = 16  # one inside another; filters nest three deep at most, for want of kinds of quotes

OPERATORS: Final = frozenset(("==", "!=", "<", "<=", ">", ">="))

_TERMINATORS = frozenset(" \t\r\n.,[]$@{}")
_RANGE_WORD = re.compile(r"(?:range|end)(?=[ \t\r\n.,\[\]$@{}]|\Z)")
_KEY = re.compile(r"'([^']*)'")
_SLICE = re.compile(r"(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?")
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+)", re.DOTALL)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_INT64 = range(-(1 << 63), 1 << 63)


def parse(template: str) -> tuple[Part, ...]:
    """Return the parts of a template; OutputError if it is malformed or exceeds the bounds."""
    if len(template) > MAX_TEMPLATE_CHARS:
        raise OutputError(f"a template of {len(template)} characters is longer than {MAX_TEMPLATE_CHARS}")
    scanner = _Scanner(template)
    open_ranges: list[tuple[tuple[Step, ...], list[Part]]] = []
    parts: list[Part] = []
    while not scanner.done:
        if text := scanner.text():
            parts.append(Text(text))
            continue
        word, steps = scanner.action()
        if word == "range":
            if len(open_ranges) >= MAX_RANGES:
                raise OutputError(f"ranges nest deeper than {MAX_RANGES} levels")
            open_ranges.append((steps, parts))
            parts = []
        elif word == "end":
            if not open_ranges:
                raise OutputError("not in range, nothing to end")
            range_steps, outer = open_ranges.pop()
            parts = [*outer, Range(range_steps, tuple(parts))]
        else:
            parts.append(Action(steps))
    if open_ranges:
        raise OutputError("unterminated range, expect {end}")
    return tuple(parts)


class _Scanner:
    """Reads left to right; each method starts behind the character that called for it."""

    def __init__(self, source: str, *, is_inner: bool = False) -> None:
        self._source = source
        self._at = 0
        self._is_inner = is_inner  # a part of an action, where no range can begin or end

    @property
    def done(self) -> bool:
        return self._at >= len(self._source)

    def text(self) -> str:
        """Read up to the next opening brace, which stays."""
        start = self._at
        brace = self._source.find("{", start)
        self._at = len(self._source) if brace < 0 else brace
        return self._source[start : self._at]

    def action(self) -> tuple[str, tuple[Step, ...]]:
        """Read one `{…}`; return the word `range` or `end` that it begins with, if any, and its steps."""
        self._at += 1
        word = ""
        steps: list[Step] = []
        while not self._skip("}"):
            begins = None if word or steps or self._is_inner else _RANGE_WORD.match(self._source, self._at)
            if begins:
                word = begins[0]
                self._at = begins.end()
            elif self._skip("[?("):
                steps.append(self._filter())
            elif self._skip(".."):
                if steps and isinstance(steps[-1], Recursive):
                    raise OutputError("invalid multiple recursive descent")
                steps.append(Recursive())
                if _is_letter(self._peek()):
                    steps.append(self._field())
            else:
                steps += self._simple_steps()
        return word, tuple(steps)

    def _simple_steps(self) -> list[Step]:
        """Read what its first character tells apart; the current object, `@` or `$`, is no step at all."""
        char = self._next()
        if char in ("", "\n", "\r"):
            raise OutputError("unclosed action")
        if char in " @$":
            return []
        if char == "[":
            return self._bracket()
        if char in "'\"":
            return [self._quoted(char)]
        if char == ".":
            return [self._field()]
        if char in "+-" or char.isdecimal():
            return [self._number()]
        if _is_letter(char):
            name = self._word()
            if name not in ("true", "false"):
                raise OutputError(f"unrecognized identifier {name}")
            return [Literal(name == "true")]
        shown = f" '{char}'" if char.isprintable() else ""
        raise OutputError(f"unrecognized character in action: U+{ord(char):04X}{shown}")

    def _bracket(self) -> list[Step]:
        inner = self._until("]", "unterminated array")
        items = inner.split(",")
        if len(items) > 1:
            return [Union(tuple(self._inner(f"[{item.strip(' ')}]") for item in items))]
        key = _KEY.fullmatch(inner)
        return list(self._inner(f".{key[1]}")) if key else [_slice(":" if inner == "*" else inner)]

    def _filter(self) -> Filter:
        condition = self._condition()
        if self._next() != "]":
            raise OutputError("unclosed array expect ]")
        comparison = _COMPARISON.fullmatch(condition)
        if comparison is None:
            return Filter(self._inner(condition), "", ())
        left, operator, right = comparison.groups()
        if operator not in OPERATORS:
            raise OutputError(f"unrecognized filter operator {operator}")
        return Filter(self._inner(left), operator, self._inner(right))

    def _condition(self) -> str:
        """Read up to the parenthesis that ends the filter, which is not one inside the first quotes."""
        start = self._at
        quote, closed = "", False
        while (char := self._next()) not in ("", "\n"):
            if char in ("'", '"'):
                if not quote:
                    quote = char
                elif char == quote and self._source[self._at - 2] != "\\":
                    closed = True
            elif char == ")" and bool(quote) == closed:
                return self._source[start : self._at - 1]
        raise OutputError("unterminated filter")

    def _field(self) -> Step:
        start = self._at
        while (char := self._peek()) and char not in _TERMINATORS:
            self._at += 2 if char == "\\" else 1
        name = self._source[start : self._at]
        return Wildcard() if name == "*" else Field(name.replace("\\", ""))

    def _quoted(self, quote: str) -> Literal:
        start = self._at
        while (char := self._next()) not in ("", "\n"):
            if char == quote and self._source[self._at - 2] != "\\":
                return Literal(unquoted(self._source[start : self._at - 1], quote))
        raise OutputError("unterminated quoted string")

    def _number(self) -> Literal:
        start = self._at - 1
        while (char := self._peek()) == "." or char.isdecimal():
            self._at += 1
        text = self._source[start : self._at]
        if _INTEGER.fullmatch(text) and int(text) in _INT64:
            return Literal(int(text))
        if _FLOAT.fullmatch(text):
            return Literal(float(text))
        raise OutputError(f"cannot parse number {text}")

    def _word(self) -> str:
        start = self._at - 1
        while (char := self._peek()) and char not in _TERMINATORS:
            self._at += 1
        return self._source[start : self._at]

    def _inner(self, path: str) -> tuple[Step, ...]:
        return _Scanner(f"{{{path}}}", is_inner=True).action()[1]

    def _until(self, end: str, problem: str) -> str:
        start = self._at
        while (char := self._next()) != end:
            if char in ("", "\n"):
                raise OutputError(problem)
        return self._source[start : self._at - 1]

    def _skip(self, token: str) -> bool:
        found = self._source.startswith(token, self._at)
        self._at += len(token) if found else 0
        return found

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char


def _is_letter(char: str) -> bool:
    return char == "_" or char.isalnum()


def _slice(inner: str) -> Slice:
    match = _SLICE.fullmatch(inner)
    if match is None:
        raise OutputError(f"invalid array index {inner}")
    start = _index(match[1])
    if match[2] is None:
        return Slice(start, (start or 0) + 1, None, single=True)
    return Slice(start, _index(match[2][1:]), _index((match[3] or "")[1:]), single=False)


def _index(digits: str) -> int | None:
    if not digits:
        return None
    if digits == "-" or int(digits) not in _INT64:
        raise OutputError(f"array index {digits} is not a number")
    return int(digits)
