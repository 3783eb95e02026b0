"""A state behind a unix socket answers as a dict and a list of events would, whichever side knows the types."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state.core import CoreState
from cosi.state.memory.state import MemoryState
from cosi.testing.model.machine import StateMachine
from cosi.testing.resources import sample_registry

pytestmark = pytest.mark.timeout(600)
"""Seconds for a failure: hypothesis takes its time to find the shortest story."""

_SETTINGS = settings(max_examples=10, stateful_step_count=25)


class BothKnowTheTypes(StateMachine):
    history, gap = 8, 2
    reads_ahead = True
    server_registry = client_registry = sample_registry()

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[CoreState]:
        with tempfile.TemporaryDirectory() as directory:
            socket = Address(path=str(Path(directory, "cosi.sock")))
            async with (
                serving(MemoryState(history=self.history, gap=self.gap), self.server_registry, [socket]),
                connected(socket, self.client_registry) as remote,
            ):
                yield remote


class TheServerKnowsNoTypes(BothKnowTheTypes):
    server_registry = Registry()


class TheClientKnowsNoTypes(BothKnowTheTypes):
    client_registry = Registry()


TestBothKnowTheTypes = BothKnowTheTypes.TestCase
TestBothKnowTheTypes.settings = _SETTINGS
TestTheServerKnowsNoTypes = TheServerKnowsNoTypes.TestCase
TestTheServerKnowsNoTypes.settings = _SETTINGS
TestTheClientKnowsNoTypes = TheClientKnowsNoTypes.TestCase
TestTheClientKnowsNoTypes.settings = _SETTINGS
