"""The journal leads from a version of a resource back to what caused it, as far as it remembers."""

from hypothesis import given
from hypothesis import strategies as st

from cosi.journal.journal import MAX_EXPLAINED, Journal
from cosi.journal.records import Change, Reason, Reconcile, Write
from cosi.resource.metadata import Metadata, Pointer
from cosi.state.event import EventType


def version(id: str, number: int = 1, *, created: int = 0) -> Metadata:
    return Metadata("default", "Things.test.cosi.dev", id, version=number, created=created)


def reconcile(*causes: Metadata | Reason, number: int = 1) -> Reconcile:
    told = tuple(cause if isinstance(cause, Reason) else Change(EventType.UPDATED, cause) for cause in causes)
    return Reconcile("test.Controller", number, 0, told, len(told), Pointer("default", "Things.test.cosi.dev", "a"))


def test_a_chain_is_followed_to_its_beginning() -> None:
    journal = Journal()
    first, second = reconcile(version("a")), reconcile(version("b"))
    journal.record(version("b"), first)
    journal.record(version("c"), second)

    assert journal.explain(version("c")) == [
        Write(version("c"), second),
        Write(version("b"), first),
        Write(version("a"), None),
    ]


def test_a_reason_ends_a_chain() -> None:
    journal = Journal()
    started = reconcile(Reason.STARTED)
    journal.record(version("a"), started)

    assert journal.explain(version("a")) == [Write(version("a"), started)]


def test_what_leads_back_to_itself_is_told_once() -> None:
    journal = Journal()
    journal.record(version("a"), reconcile(version("b")))
    journal.record(version("b"), reconcile(version("a")))

    assert [write.metadata.id for write in journal.explain(version("a"))] == ["a", "b"]


def test_a_name_that_is_used_again_is_another_resource() -> None:
    journal = Journal()
    old, new = reconcile(number=1), reconcile(number=2)
    journal.record(version("a", created=1), old)
    journal.record(version("a", created=2), new)

    assert journal.wrote(version("a", created=1)) is old
    assert journal.wrote(version("a", created=2)) is new


@given(st.integers(1, 8), st.integers(0, 40))
def test_the_last_writes_are_remembered_and_no_others(capacity: int, count: int) -> None:
    journal = Journal(capacity)
    for number in range(count):
        journal.record(version("a", number), reconcile(number=number))

    known = [number for number in range(count) if journal.wrote(version("a", number)) is not None]
    assert known == list(range(max(count - capacity, 0), count))


def test_an_explanation_is_bounded() -> None:
    journal = Journal()
    for number in range(2 * MAX_EXPLAINED):
        journal.record(version("a", number + 1), reconcile(version("a", number)))

    assert len(journal.explain(version("a", 2 * MAX_EXPLAINED))) == MAX_EXPLAINED
