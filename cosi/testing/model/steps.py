"""A step of a story: what is done, and how.

One rule plays all of them, because hypothesis leaves out whole rules in most stories, and it is the mixture that finds
what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from hypothesis import strategies as st

_STRATEGY: Final = "_how_to_step"

FunctionT = TypeVar("FunctionT", bound=Callable[..., None])


class Step(NamedTuple):
    """A method of the state machine, and its arguments."""

    what: str
    how: dict[str, object]

    def __repr__(self) -> str:
        return f"{self.what}({', '.join(f'{name}={value!r}' for name, value in self.how.items())})"


def step(**how: st.SearchStrategy[object]) -> Callable[[FunctionT], FunctionT]:
    """Make a method a step whose arguments are drawn from these strategies."""

    def mark(function: FunctionT) -> FunctionT:
        setattr(function, _STRATEGY, st.fixed_dictionaries(how))
        return function

    return mark


def steps_of(*classes: type) -> st.SearchStrategy[Step]:
    """Return the steps of these classes, each as likely as any other."""
    marked = [(name, method) for owner in classes for name, method in sorted(vars(owner).items())]
    steps: list[st.SearchStrategy[Step]] = [
        st.builds(Step, st.just(name), getattr(method, _STRATEGY))
        for name, method in marked
        if hasattr(method, _STRATEGY)
    ]
    return st.one_of(steps)
