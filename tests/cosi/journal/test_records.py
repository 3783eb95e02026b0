"""The causes of a reconcile: the first few of them, and how many there were."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st
from hypothesis import given

from cosi.journal.records import MAX_CAUSES, Causes, Reason

reasons = st.lists(st.sampled_from(Reason), max_size=2 * MAX_CAUSES)


def causes_of(reasons: Sequence[Reason]) -> Causes:
    causes = Causes()
    for reason in reasons:
        causes.add(reason)
    return causes


@given(reasons=reasons)
def test_the_first_causes_are_kept_and_all_are_counted(reasons: Sequence[Reason]) -> None:
    causes = causes_of(reasons)

    assert causes.first == reasons[:MAX_CAUSES]
    assert causes.count == len(reasons)
