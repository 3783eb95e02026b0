"""What a JSONPath template consists of.

text {.field['child'][0:2][?(@.a == "b")]..deep "literal"} {range .list[*]} … {end}
"""

from typing import NamedTuple

__all__ = [
    "Action",
    "Field",
    "Filter",
    "Literal",
    "Part",
    "Range",
    "Recursive",
    "Slice",
    "Step",
    "Text",
    "Union",
    "Wildcard",
]


class Field(NamedTuple):
    """`.name`"""

    name: str


class Wildcard(NamedTuple):
    """`.*`"""


class Recursive(NamedTuple):
    """`..`"""


class Slice(NamedTuple):
    """`[start:stop:step]`, `[*]`, or `[index]`, in which case `stop` is computed and `single` is set."""

    start: int | None
    stop: int | None
    step: int | None
    single: bool


class Union(NamedTuple):
    """`[0,'a']`: everything that the first path finds, then everything that the second finds."""

    paths: "tuple[tuple[Step, ...], ...]"


class Filter(NamedTuple):
    """`[?(left == right)]`, or `[?(left)]` with an empty operator, which asks whether anything is there."""

    left: "tuple[Step, ...]"
    operator: str
    right: "tuple[Step, ...]"


class Literal(NamedTuple):
    """A number, a boolean or a quoted string inside braces."""

    value: object


Step = Field | Wildcard | Recursive | Slice | Union | Filter | Literal


class Text(NamedTuple):
    """What stands outside braces."""

    text: str


class Action(NamedTuple):
    """What stands between braces."""

    steps: tuple[Step, ...]


class Range(NamedTuple):
    """What stands between `{range …}` and `{end}`, once for each value found."""

    steps: tuple[Step, ...]
    body: "tuple[Part, ...]"


Part = Text | Action | Range
