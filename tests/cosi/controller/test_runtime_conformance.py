"""The engine keeps every promise of a runtime, in process and on a remote state, cached and not, on both loops."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cosi.controller.engine.limiter import Rate
from cosi.resource.metadata import Kind
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, PathResource, StrResource, sample_registry
from cosi.testing.runtime.numbers import PARTS, SENTENCES, SOURCE, TARGET
from cosi.testing.runtime_conformance import RuntimeConformance, Stage
from tests.cosi.rpc.remote.elsewhere import another_thread

EVERYTHING = [
    Kind(namespace, resource_class.definition.type)
    for namespace in (SOURCE, TARGET, SENTENCES, PARTS)
    for resource_class in (IntResource, StrResource, PathResource)
]


class TestInProcess(RuntimeConformance):
    @pytest.fixture(params=[[], EVERYTHING], ids=["uncached", "cached"])
    async def stage(self, request: pytest.FixtureRequest) -> Stage:
        state = State(MemoryState())
        return Stage(state, state, cached=request.param)


class TestRateLimited(RuntimeConformance):
    @pytest.fixture
    async def stage(self) -> Stage:
        state = State(MemoryState())
        return Stage(state, state, change_rate=Rate(per_second=10, burst=20))


class TestOnARemoteState(RuntimeConformance):
    @pytest.fixture(params=[[], EVERYTHING], ids=["uncached", "cached"])
    async def stage(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
        where, registry = Address(path=str(tmp_path / "cosi.sock")), sample_registry()
        with another_thread() as elsewhere:
            async with (
                elsewhere.serving(MemoryState(), registry, where),
                connected(where, registry) as core,
                connected(where, registry) as other,
            ):
                yield Stage(State(other), core, cached=request.param)
