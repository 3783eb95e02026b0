"""What the journal knows crosses the wire unchanged, and what makes no sense is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi._pb.v1alpha1 import runtime_pb2
from cosi.journal.codec import MAX_TEXT_CHARACTERS, from_messages, to_messages
from cosi.journal.records import MAX_CAUSES, Cause, Change, Reason, Reconcile, Write
from cosi.resource.metadata import Metadata, Phase, Pointer
from cosi.state.event import EventType

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
times = st.integers(0, 2**62)
metadata = st.builds(
    Metadata,
    namespace=names,
    type=names,
    id=names,
    version=st.integers(1, 2**40),
    owner=names,
    phase=st.sampled_from(Phase),
    created=times,
    updated=times,
)
changes = st.builds(Change, st.sampled_from([EventType.CREATED, EventType.UPDATED, EventType.DESTROYED]), metadata)
causes: st.SearchStrategy[Cause] = st.one_of(changes, st.sampled_from(Reason))
reconciles = st.builds(
    Reconcile,
    controller=names,
    number=st.integers(1, 2**40),
    started=times,
    causes=st.lists(causes, max_size=MAX_CAUSES).map(tuple),
    cause_count=st.integers(0, 2**40),
    item=st.none() | st.builds(Pointer, names, names, names),
)


def told(reconcile: Reconcile | None) -> object:
    if reconcile is None:
        return None
    return tuple(getattr(reconcile, name) for name in Reconcile.__struct_fields__)


@given(st.builds(Write, metadata, st.none() | reconciles))
def test_a_write_comes_back_as_it_was(write: Write) -> None:
    (message,) = to_messages([write])
    (back,) = from_messages([runtime_pb2.Write.FromString(message.SerializeToString())])

    assert back.metadata == write.metadata
    assert told(back.reconcile) == told(write.reconcile)


@pytest.mark.parametrize(
    "spoilt",
    [
        runtime_pb2.Write(reconcile=runtime_pb2.Reconcile(controller="x" * (MAX_TEXT_CHARACTERS + 1))),
        runtime_pb2.Write(reconcile=runtime_pb2.Reconcile(causes=[runtime_pb2.Cause(reason="because I say so")])),
        runtime_pb2.Write(reconcile=runtime_pb2.Reconcile(causes=[runtime_pb2.Cause(change={"event_type": 99})])),
        runtime_pb2.Write(metadata={"namespace": "n", "type": "T.x", "id": "i", "version": "1", "phase": "gone"}),
    ],
)
def test_what_makes_no_sense_is_refused(spoilt: runtime_pb2.Write) -> None:
    if not spoilt.HasField("metadata"):
        (good,) = to_messages([Write(Metadata("n", "T.x", "i", version=1), None)])
        spoilt.metadata.CopyFrom(good.metadata)

    with pytest.raises(ValueError):
        from_messages([spoilt])
