"""Errors speak the field's language, and carry their parts for handlers."""

from __future__ import annotations

import pytest

from cosi.resource.metadata import Kind, Metadata, Phase
from cosi.state import errors

_STORED = Metadata("default", "Paths.test.cosi.dev", "a", version=3, owner="x.Owner", finalizers=("A", "B"))
_NAME = "Paths.test.cosi.dev(default/a@3)"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.NotFound(_STORED.pointer), "resource Paths.test.cosi.dev(default/a@undefined) doesn't exist"),
        (errors.AlreadyExists(_STORED), f"resource {_NAME} already exists"),
        (
            errors.VersionConflict(_STORED, expected=2),
            f'resource {_NAME} update conflict: expected version "2", actual version "3"',
        ),
        (
            errors.VersionConflict(_STORED, expected=None),
            f'resource {_NAME} update conflict: expected version "undefined", actual version "3"',
        ),
        (errors.PendingFinalizers(_STORED), f"resource {_NAME} has pending finalizers [A B]"),
        (errors.OwnerConflict(_STORED), f'resource {_NAME} is owned by "x.Owner"'),
        (errors.PhaseConflict(_STORED, expected=Phase.TEARING_DOWN), f"resource {_NAME} is not in phase tearingDown"),
        (errors.InvalidBookmark(), "invalid watch bookmark"),
        (
            errors.Overrun(Kind("ns", "T"), end=9, position=1, capacity=4),
            'buffer overrun: namespace "ns" type "T", write pos 9, pos 1, capacity 4',
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_says_what_and_where(error: errors.StateError, message: str) -> None:
    assert str(error) == message


def test_an_error_carries_its_parts() -> None:
    conflict = errors.VersionConflict(_STORED, expected=2)

    assert (conflict.pointer, conflict.expected, conflict.found) == (_STORED.pointer, 2, 3)
    assert errors.PendingFinalizers(_STORED).finalizers == ("A", "B")
    assert errors.OwnerConflict(_STORED).owner == "x.Owner"
    assert errors.PhaseConflict(_STORED, expected=Phase.RUNNING).expected is Phase.RUNNING


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound(_STORED.pointer, message="their words"),
        errors.AlreadyExists(_STORED, message="their words"),
        errors.VersionConflict(_STORED, expected=2, message="their words"),
        errors.PendingFinalizers(_STORED, message="their words"),
        errors.OwnerConflict(_STORED, message="their words"),
        errors.PhaseConflict(_STORED, expected=Phase.RUNNING, message="their words"),
        errors.InvalidBookmark(message="their words"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_from_elsewhere_keeps_the_words_of_the_other_side(error: errors.StateError) -> None:
    assert str(error) == "their words"


def test_all_errors_are_one_tree() -> None:
    conflicts = {errors.AlreadyExists, errors.VersionConflict, errors.PendingFinalizers, errors.OwnerConflict,
                 errors.PhaseConflict}  # fmt: skip

    assert set(errors.Conflict.__subclasses__()) == conflicts
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, errors.StateError), name
