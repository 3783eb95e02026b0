"""What a state promises about queries: by labels, by id, for lists and for watches alike."""

from __future__ import annotations

from typing import Final

import pytest

from cosi.resource.metadata import Kind
from cosi.resource.query import LabelQuery, LabelTerm, Query, equal, exists, less, one_of, where
from cosi.state import errors
from cosi.state.core import WatchKindOptions
from cosi.state.event import EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject, shown, shown_before
from cosi.testing.listener import listen_kind
from cosi.testing.resources import PathResource, path

_LABELED: Final = {
    "app1": {"app": "app1", "frozen": "", "weight": "10kg"},
    "app2": {"app": "app2", "frozen": "", "weight": "20kg"},
    "app3": {"app": "app3"},
    "bare": {},
}

_ANSWERS: Final = [
    ("everything", Query(), "app1 app2 app3 bare"),
    ("exists", where(exists("frozen")), "app1 app2"),
    ("does not exist", where(exists("frozen", invert=True)), "app3 bare"),
    ("equal", where(equal("app", "app3")), "app3"),
    ("not equal", where(equal("app", "app3", invert=True)), "app1 app2 bare"),
    ("one of", where(one_of("app", ("app2", "app3"))), "app2 app3"),
    ("none of", where(one_of("app", ("app2", "app3"), invert=True)), "app1 bare"),
    ("one of nothing", where(one_of("app", ())), ""),
    ("less", where(less("app", "app2")), "app1"),
    ("not less, where there is one", where(less("app", "app2", invert=True)), "app2 app3"),
    ("less or equal", where(less("app", "app2", or_equal=True)), "app1 app2"),
    ("less in numbers", where(less("weight", "12000", numeric=True)), "app1"),
    ("less or equal in numbers", where(less("weight", "20k", or_equal=True, numeric=True)), "app1 app2"),
    ("not less in numbers", where(less("weight", "20000", numeric=True, invert=True)), "app2"),
    ("less than no number", where(less("weight", "many", numeric=True)), ""),
    ("not less than no number", where(less("weight", "many", numeric=True, invert=True)), ""),
    ("both", where(exists("frozen"), equal("app", "app2")), "app2"),
    ("both, impossible", where(exists("frozen"), equal("app", "app3")), ""),
    ("either", Query((LabelQuery((equal("app", "app1"),)), LabelQuery((equal("app", "app3"),)))), "app1 app3"),
    ("a label query without terms", Query((LabelQuery(), LabelQuery((equal("app", "app1"),)))), "app1 app2 app3 bare"),
    ("part of the id", where(id_pattern="p[12]"), "app1 app2"),
    ("the whole id", where(id_pattern="^bare$"), "bare"),
    ("id and labels", where(exists("frozen"), id_pattern="[23]$"), "app2"),
]


class Queries(Subject):
    """Queries."""

    @pytest.mark.parametrize(("query", "answer"), [pytest.param(*rest, id=name) for name, *rest in _ANSWERS])
    async def test_lists_and_watches_answer_a_query_alike(
        self, state: State, namespace: str, kind: Kind, query: Query, answer: str
    ) -> None:
        for id, labels in _LABELED.items():
            await state.create(path(id, namespace=namespace, labels=labels))
        wanted = answer.split()

        listed = [resource.id for resource in await state.list(kind, query=query)]
        async with listen_kind(state, kind, WatchKindOptions(query=query, bootstrap_contents=True)) as events:
            contents = [shown(event).id for event in await events.take(len(wanted))]
            last = await events.next()

        assert listed == wanted
        assert contents == wanted
        assert last.type is EventType.BOOTSTRAPPED

    async def test_a_watch_with_a_query_tells_only_of_what_matches(
        self, state: State, namespace: str, kind: Kind
    ) -> None:
        async with listen_kind(state, kind, WatchKindOptions(query=where(exists("frozen")))) as events:
            for id, labels in _LABELED.items():
                await state.create(path(id, namespace=namespace, labels=labels))
            for id in _LABELED:
                await state.destroy(PathResource.pointer_to(id, namespace=namespace))
            seen = await events.take(4)

        assert [(event.type, shown(event).id) for event in seen] == [
            (EventType.CREATED, "app1"),
            (EventType.CREATED, "app2"),
            (EventType.DESTROYED, "app1"),
            (EventType.DESTROYED, "app2"),
        ]

    async def test_an_update_within_the_query_stays_an_update(self, state: State, namespace: str, kind: Kind) -> None:
        before = await state.create(path("a", namespace=namespace, labels={"app": "one"}))
        async with listen_kind(state, kind, WatchKindOptions(query=where(exists("app")))) as events:
            after = await state.update(before.with_metadata(before.metadata.with_labels(app="two")))
            event = await events.next()

        assert event.type is EventType.UPDATED
        assert shown(event) == after
        assert shown_before(event) == before

    async def test_an_update_into_the_query_is_a_creation(self, state: State, namespace: str, kind: Kind) -> None:
        stored = await state.create(path("a", namespace=namespace))
        async with listen_kind(state, kind, WatchKindOptions(query=where(equal("app", "one")))) as events:
            after = await state.update(stored.with_metadata(stored.metadata.with_labels(app="one")))
            event = await events.next()

        assert event.type is EventType.CREATED
        assert shown(event) == after
        assert event.old is None

    async def test_an_update_out_of_the_query_is_a_destruction(self, state: State, namespace: str, kind: Kind) -> None:
        stored = await state.create(path("a", namespace=namespace, labels={"app": "one"}))
        async with listen_kind(state, kind, WatchKindOptions(query=where(equal("app", "one")))) as events:
            after = await state.update(stored.with_metadata(stored.metadata.without_labels("app")))
            event = await events.next()

        assert event.type is EventType.DESTROYED
        assert shown(event) == after
        assert event.old is None

    async def test_an_update_outside_of_the_query_is_silent(self, state: State, namespace: str, kind: Kind) -> None:
        stored = await state.create(path("a", namespace=namespace))
        async with listen_kind(state, kind, WatchKindOptions(query=where(exists("app")))) as events:
            await state.update(stored)
            await state.destroy(stored.pointer)
            mine = await state.create(path("b", namespace=namespace, labels={"app": "one"}))

            assert shown(await events.next()) == mine

    async def test_a_watch_with_an_id_query_tells_only_of_those_ids(
        self, state: State, namespace: str, kind: Kind
    ) -> None:
        query = where(id_pattern="^path/.+[2-4]$")
        async with listen_kind(state, kind, WatchKindOptions(query=query)) as events:
            for number in range(10):
                await state.create(path(f"path/no{number}", namespace=namespace))

            created = await events.take(3)

        assert [shown(event).id for event in created] == ["path/no2", "path/no3", "path/no4"]

    async def test_a_malformed_id_pattern_is_refused(self, state: State, kind: Kind) -> None:
        broken = where(LabelTerm("app"), id_pattern="(")

        with pytest.raises(errors.InvalidArgument):
            await state.list(kind, query=broken)
        with pytest.raises(errors.InvalidArgument):
            async with listen_kind(state, kind, WatchKindOptions(query=broken)):
                pass

    async def test_an_id_pattern_that_only_backtracking_could_match_is_refused(self, state: State, kind: Kind) -> None:
        with pytest.raises(errors.InvalidArgument):
            await state.list(kind, query=where(id_pattern=r"(a)\1"))
