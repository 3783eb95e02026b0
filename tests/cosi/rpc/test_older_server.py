"""With a server that has no teardown of its own, a remote state keeps every promise about the end of a resource."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.remote.state import connected
from cosi.rpc.service import StateService
from cosi.rpc.serving import serving_services
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.conformance.teardown import Teardown
from cosi.testing.resources import sample_registry


class _TestWithAnOlderServer(Teardown):
    lacking: frozenset[Method]

    @pytest.fixture
    async def state(self, tmp_path: Path) -> AsyncIterator[State]:
        socket = Address(path=str(tmp_path / "cosi.sock"))
        newest = StateService(MemoryState(), sample_registry()).service
        unary = {name: handler for name, handler in newest.unary.items() if name not in self.lacking}
        older = msgspec.structs.replace(newest, unary=unary)
        async with serving_services([older], [socket]), connected(socket, sample_registry()) as remote:
            yield State(remote)


class TestWithoutEither(_TestWithAnOlderServer):
    lacking = frozenset({Method.TEARDOWN, Method.TEARDOWN_AND_DESTROY})


class TestWithTeardownAlone(_TestWithAnOlderServer):
    """That one is missing says nothing of the other."""

    lacking = frozenset({Method.TEARDOWN_AND_DESTROY})
