"""MemoryState answers as a dict and a list of events would, on both event loops; watchers are overrun now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import settings

from cosi.state.core import CoreState
from cosi.state.memory.state import MemoryState
from cosi.testing.model.machine import StateMachine

pytestmark = pytest.mark.timeout(600)
"""Seconds for a failure: hypothesis takes its time to find the shortest story."""

_SETTINGS = settings(max_examples=25, stateful_step_count=40)


class TinyHistory(StateMachine):
    history, gap = 4, 1

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[CoreState]:
        yield MemoryState(history=self.history, gap=self.gap)


class HistoryWithoutAGap(TinyHistory):
    history, gap = 6, 0
    async_backend = "trio"


TestTinyHistory = TinyHistory.TestCase
TestTinyHistory.settings = _SETTINGS
TestHistoryWithoutAGap = HistoryWithoutAGap.TestCase
TestHistoryWithoutAGap.settings = _SETTINGS
