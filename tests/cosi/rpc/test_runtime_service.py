"""Engines in other processes join a server for as long as their call lasts, and report what explanations need."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from cosi._pb.v1alpha1 import runtime_pb2
from cosi.controller.host import Host
from cosi.controller.roster import definition_of
from cosi.journal.records import Change, Reconcile, Write
from cosi.resource.controllers import ControllerDefinition, ControllerDefinitionSpec
from cosi.resource.metadata import Metadata
from cosi.rpc.address import Address
from cosi.rpc.codes import RuntimeMethod
from cosi.rpc.remote.calls import Calls
from cosi.rpc.remote.channel import open_channel
from cosi.rpc.remote.runtime import joined, report
from cosi.rpc.runtime_service import MAX_JOINING, MAX_REPORTED
from cosi.rpc.serving import Transport, serving
from cosi.state import errors
from cosi.state.event import EventType
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import integer, sample_registry, string
from tests.cosi.controller.generic.spelling import QSpell, Spell

pytestmark = pytest.mark.anyio

ABOUT = Metadata("", "", "")
PATIENCE_SECONDS = 20.0


@pytest.fixture(params=list(Transport))
def transport(request: pytest.FixtureRequest) -> Transport:
    """What carries the calls."""
    transport: Transport = request.param
    return transport


@asynccontextmanager
async def hosted(tmp_path: Path, transport: Transport) -> AsyncIterator[tuple[State, Host, Calls]]:
    """Serve a host, and hold a client of it."""
    state, where = State(MemoryState()), Address(path=str(tmp_path / "cosi.sock"))
    host = Host(state, sample_registry())
    with anyio.fail_after(PATIENCE_SECONDS):
        served = serving(state, sample_registry(), [where], host=host, transport=transport)
        async with served, open_channel(where, None) as channel:
            yield state, host, Calls(channel)


async def roster(state: State) -> Sequence[str]:
    return [member.id for member in await state.list(ControllerDefinition)]


async def dismissed(state: State, name: str) -> None:
    pointer = ControllerDefinition.pointer_to(name)
    await state.watch_for(pointer, lambda event: event.type is EventType.DESTROYED)


async def test_who_joins_is_on_the_roster_until_the_call_ends(tmp_path: Path, transport: Transport) -> None:
    async with hosted(tmp_path, transport) as (state, _, calls):
        async with joined(calls, [definition_of(QSpell(), "process 1")]):
            assert await roster(state) == ["test.QSpell"]
        await dismissed(state, "test.QSpell")


async def test_who_takes_what_is_somebody_elses_is_refused(tmp_path: Path, transport: Transport) -> None:
    async with hosted(tmp_path, transport) as (state, _, calls), joined(calls, [definition_of(QSpell(), "process 1")]):
        for rival in (QSpell(), Spell()):
            with pytest.raises(errors.Conflict, match=r"at work already|writes it \(exclusive\)"):
                async with joined(calls, [definition_of(rival, "process 2")]):
                    pass
        assert await roster(state) == ["test.QSpell"]


async def test_what_is_reported_is_explained(tmp_path: Path, transport: Transport) -> None:
    async with hosted(tmp_path, transport) as (state, _, calls):
        number = await state.create(integer("one", 1))
        word = await state.create(string("one", "1"), owner="test.QSpell")
        reconcile = Reconcile("test.QSpell", 3, 4, (Change(EventType.CREATED, number.metadata),), 1, number.pointer)
        await report(calls, [Write(word.metadata, reconcile)])

        request = runtime_pb2.ExplainRequest(namespace="default", type=word.metadata.type, id="one")
        data = await calls.unary(RuntimeMethod.EXPLAIN, request, ABOUT)

    written, caused = runtime_pb2.ExplainResponse.FromString(data).writes
    assert (written.metadata.id, written.reconcile.controller, written.reconcile.number) == ("one", "test.QSpell", 3)
    assert (caused.metadata.type, caused.HasField("reconcile")) == (number.metadata.type, False)


async def test_what_does_not_exist_is_not_found(tmp_path: Path, transport: Transport) -> None:
    async with hosted(tmp_path, transport) as (_, _, calls):
        with pytest.raises(errors.NotFound):
            await calls.unary(RuntimeMethod.EXPLAIN, runtime_pb2.ExplainRequest(type="T.x", id="one"), ABOUT)


async def test_numbers_come_in_prometheus_form(tmp_path: Path, transport: Transport) -> None:
    async with hosted(tmp_path, transport) as (_, host, calls):
        await host.add(QSpell(), "here")
        data = await calls.unary(RuntimeMethod.METRICS, runtime_pb2.MetricsRequest(), ABOUT)

    text = runtime_pb2.MetricsResponse.FromString(data).text
    assert "# TYPE cosi_controller_reconciles_total counter\n" in text
    assert 'cosi_controller_reconciles_total{controller="test.QSpell"} 0\n' in text
    assert "# TYPE cosi_controller_queue_length gauge\n" in text


async def test_no_call_brings_more_than_it_may(tmp_path: Path, transport: Transport) -> None:
    many = [ControllerDefinition.new(str(number), ControllerDefinitionSpec()) for number in range(MAX_JOINING + 1)]
    writes = [Write(Metadata("n", "T.x", str(number), version=1), None) for number in range(MAX_REPORTED + 1)]
    async with hosted(tmp_path, transport) as (state, _, calls):
        with pytest.raises(errors.InvalidArgument, match="join at once"):
            async with joined(calls, many):
                pass
        with pytest.raises(errors.InvalidArgument, match="reported at once"):
            await report(calls, writes)
        assert await roster(state) == []
