"""What a state promises about resources of a type it does not know: they come back bit for bit."""

from __future__ import annotations

from typing import Final

import pytest

from cosi.resource.metadata import Metadata
from cosi.resource.resource import OpaqueSpec, Resource
from cosi.state.event import EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject
from cosi.testing.listener import listen_kind

_TYPE: Final = "Strangers.test.cosi.dev"
_NOT_PROTOBUF: Final = b"\xff\x00\x01no protobuf at all"
_ODD_YAML: Final = "b:   1 # a comment\na: [1,  2]\n'quoted': \"\\u00e9\"\n\n"


class Opaque(Subject):
    """Unknown types."""

    @pytest.mark.parametrize(
        "spec",
        [
            OpaqueSpec(b"\x0a\x03abc\x12\x00\x0a\x01z", "text: z\n"),
            OpaqueSpec(_NOT_PROTOBUF, _ODD_YAML),
            OpaqueSpec(b"", "{}\n"),
            OpaqueSpec(bytes(range(256)) * 64, "no final newline"),
        ],
        ids=["unordered fields", "no protobuf", "empty", "large"],
    )
    async def test_an_unknown_type_is_stored_listed_and_watched_untouched(
        self, state: State, namespace: str, spec: OpaqueSpec
    ) -> None:
        metadata = Metadata(namespace, _TYPE, "stranger", labels={"a": "b"}, annotations={"c": "d"})
        async with listen_kind(state, metadata.kind) as events:
            stored = await state.create(Resource(metadata, spec))
            event = await events.next()

        found = await state.get(metadata.pointer)
        assert stored.spec == found.spec == spec
        assert found.metadata == stored.metadata
        assert list(await state.list(metadata.kind)) == [found]
        assert event.type is EventType.CREATED
        assert event.resource == found

    async def test_timestamps_keep_their_nanoseconds(self, state: State, namespace: str) -> None:
        metadata = Metadata(namespace, _TYPE, "stranger")
        created = await state.create(Resource(metadata, OpaqueSpec(b"", "{}\n")))
        async with listen_kind(state, metadata.kind) as events:
            updated = await state.update(created)
            event = await events.next()

        found = await state.get(metadata.pointer)
        assert event.resource is not None
        for seen in (updated, found, event.resource):
            assert seen.metadata.created == created.metadata.created
            assert seen.metadata.updated == updated.metadata.updated

    async def test_changing_metadata_leaves_the_spec_untouched(self, state: State, namespace: str) -> None:
        metadata = Metadata(namespace, _TYPE, "stranger")
        await state.create(Resource(metadata, OpaqueSpec(_NOT_PROTOBUF, _ODD_YAML)))

        await state.add_finalizers(metadata.pointer, "A")
        await state.teardown(metadata.pointer)

        found = await state.get(metadata.pointer)
        assert found.spec == OpaqueSpec(_NOT_PROTOBUF, _ODD_YAML)
        assert found.metadata.version == 3
