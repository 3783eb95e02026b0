"""Which Talos versions an extension wants: the range grammar of blang/semver, which Talos itself uses.

    range       = alternative { " || " alternative }     one of them must hold; the blanks are required
    alternative = comparator { " " comparator }          all of them must hold
    comparator  = [ "=" "==" ">" ">=" "<" "<=" "!" "!=" ] version, blanks after = < > allowed
    version     = "1.2.3", "1.2.x" or "1.x", with or without a leading v

A pre-release sorts before its release, as in SemVer 2.0, and no range hides pre-releases. As in blang, `!=1.2.x` holds
for no version at all: it stands for `<1.2.0 >=1.3.0`, both at once. A node's own pre-release is compared by its core:
Talos 1.5.0-alpha.1 satisfies `>= 1.5.0`.
"""

import operator
import re
from collections.abc import Callable

import msgspec
from semver import Version

MAX_RANGE_CHARACTERS = 256

_OR = "||"
_BLANK_AFTER_OPERATOR = re.compile(r"(?<=[<>=]) +")
_COMPARATOR = re.compile(r"([<>=!]*)v?([0-9].*)")
_WILDCARD = re.compile(r"(0|[1-9][0-9]*)\.(?:(0|[1-9][0-9]*)\.)?x")

_COMPARISONS: dict[str, Callable[[Version, Version], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!": operator.ne,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class InvalidVersion(ValueError):
    """The text is no version, or no range of versions."""

    def __init__(self, text: str, problem: str) -> None:
        self.text = text
        self.problem = problem
        super().__init__(f"{text!r}: {problem}")


class _Comparator(msgspec.Struct, frozen=True):
    operator: str
    version: Version

    def holds(self, version: Version) -> bool:
        return _COMPARISONS[self.operator](version, self.version)


class Range(msgspec.Struct, frozen=True):
    """A set of versions."""

    text: str
    alternatives: tuple[tuple[_Comparator, ...], ...]

    @classmethod
    def parse(cls, text: str) -> "Range":
        """Read a range. Raises InvalidVersion."""
        if len(text) > MAX_RANGE_CHARACTERS:
            raise InvalidVersion(text[:60] + "…", f"a range has at most {MAX_RANGE_CHARACTERS} characters")
        tokens = _BLANK_AFTER_OPERATOR.sub("", text).split(" ")
        alternatives: list[tuple[_Comparator, ...]] = []
        current: list[_Comparator] = []
        for token in [*filter(None, tokens), _OR]:
            if token != _OR:
                current.extend(_comparators(text, token))
            elif current:
                alternatives.append(tuple(current))
                current = []
            else:
                problem = f"nothing stands beside {_OR}" if _OR in tokens else "the range is empty"
                raise InvalidVersion(text, problem)
        return cls(text, tuple(alternatives))

    def __contains__(self, version: Version) -> bool:
        return any(all(comparator.holds(version) for comparator in every) for every in self.alternatives)

    def admits(self, talos_version: str) -> bool:
        """Tell whether a node of this version is wanted; its pre-release does not count. Raises InvalidVersion."""
        return parse_version(talos_version).finalize_version() in self


def parse_version(text: str) -> Version:
    """Read a node's version, with or without a leading v; a missing minor or patch is 0. Raises InvalidVersion."""
    if len(text) > MAX_RANGE_CHARACTERS:
        raise InvalidVersion(text[:60] + "…", f"a version has at most {MAX_RANGE_CHARACTERS} characters")
    try:
        return Version.parse(text.strip().removeprefix("v"), optional_minor_and_patch=True)
    except ValueError:
        raise InvalidVersion(text, "this is no version; write MAJOR.MINOR.PATCH, such as v1.10.0") from None


def _comparators(text: str, token: str) -> tuple[_Comparator, ...]:
    """Return what one token asks for; a wildcard asks for two things."""
    found = _COMPARATOR.fullmatch(token)
    if found is None:
        raise InvalidVersion(
            text, f'"{token}" has no version; write an operator and MAJOR.MINOR.PATCH, such as >=1.2.3'
        )
    sign, number = found.groups()
    if sign not in _COMPARISONS:
        raise InvalidVersion(text, f'"{sign}" is no operator; known are {" ".join(filter(None, _COMPARISONS))}')
    wildcard = _WILDCARD.fullmatch(number)
    if wildcard is not None:
        return _expanded(sign, wildcard[1], wildcard[2])
    try:
        return (_Comparator(sign, Version.parse(number)),)
    except ValueError:
        raise InvalidVersion(text, f'"{number}" is no version; write MAJOR.MINOR.PATCH, such as 1.2.3') from None


def _expanded(sign: str, major: str, minor: str | None) -> tuple[_Comparator, ...]:
    low = Version(int(major), int(minor or 0), 0)
    high = low.bump_major() if minor is None else low.bump_minor()
    match sign:
        case ">":
            return (_Comparator(">=", high),)
        case ">=" | "<":
            return (_Comparator(sign, low),)
        case "<=":
            return (_Comparator("<", high),)
        case "!" | "!=":
            return (_Comparator("<", low), _Comparator(">=", high))
        case _:
            return (_Comparator(">=", low), _Comparator("<", high))
