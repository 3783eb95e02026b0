"""A state behind a server keeps every promise of a state, on a unix socket and on TCP, whatever carries the calls."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import Transport, serving
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import sample_registry
from cosi.testing.state_conformance import StateConformance
from tests.cosi.rpc.remote.elsewhere import another_thread


class TestOnAUnixSocket(StateConformance):
    @pytest.fixture
    async def state(self, tmp_path: Path) -> AsyncIterator[State]:
        socket = Address(path=str(tmp_path / "cosi.sock"))
        async with serving(MemoryState(), sample_registry(), [socket]), connected(socket, sample_registry()) as remote:
            yield State(remote)


class TestOverGrpcio(StateConformance):
    @pytest.fixture
    async def state(self, tmp_path: Path) -> AsyncIterator[State]:
        socket = Address(path=str(tmp_path / "cosi.sock"))
        served = serving(MemoryState(), sample_registry(), [socket], transport=Transport.GRPCIO)
        async with served, connected(socket, sample_registry()) as remote:
            yield State(remote)


class TestOnTcpWithAClientThatKnowsNoTypes(StateConformance):
    @pytest.fixture
    async def state(self) -> AsyncIterator[State]:
        anywhere = Address(host="127.0.0.1", port=0)
        async with (
            serving(MemoryState(), sample_registry(), [anywhere]) as taken,
            connected(taken[0], Registry()) as remote,
        ):
            yield State(remote)


class TestOnAServerThatKnowsNoTypes(StateConformance):
    @pytest.fixture
    async def state(self, tmp_path: Path) -> AsyncIterator[State]:
        socket = Address(path=str(tmp_path / "cosi.sock"))
        async with serving(MemoryState(), Registry(), [socket]), connected(socket, sample_registry()) as remote:
            yield State(remote)


class TestFromTrio(StateConformance):
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "trio"

    @pytest.fixture
    async def state(self, tmp_path: Path) -> AsyncIterator[State]:
        socket = Address(path=str(tmp_path / "cosi.sock"))
        with another_thread() as elsewhere:
            served = elsewhere.serving(MemoryState(), sample_registry(), socket)
            async with served, connected(socket, sample_registry()) as remote:
                yield State(remote)
