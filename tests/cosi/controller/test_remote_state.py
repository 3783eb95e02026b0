"""Controllers work on a state in another process as on one in this, and outlive its restarts."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from cosi.controller.engine.engine import Engine
from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from tests.cosi.controller.samples import (
    Number,
    NumberSpec,
    Spell,
    Word,
    WordSpec,
    eventually,
    eventually_gone,
)
from tests.cosi.rpc.remote.elsewhere import another_thread

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 30.0
"""What is waited for are restarts and reconnections, and those with backoff. Reached only by a failure."""


async def test_what_changes_while_the_state_is_away_is_reconciled_when_it_is_back(tmp_path: Path) -> None:
    where, registry = Address(path=str(tmp_path / "cosi.sock")), Registry((Number, Word))
    state = State(MemoryState())

    with another_thread() as there, anyio.fail_after(PATIENCE_SECONDS):
        async with connected(where, registry) as remote, anyio.create_task_group() as tasks:
            engine = Engine(remote)
            engine.register(Spell())
            async with there.serving(state, registry, where):
                await tasks.start(engine.run)
                one = await there.do(state.create, Number.of_value("one", 1))
                await there.do(eventually, state, Word.new("one", WordSpec(text="1")))
            await there.do(state.create, Number.of_value("two", 2))
            one = await there.do(state.get, Number, one.id)
            await there.do(state.update, one.with_spec(NumberSpec(value=11)))
            async with there.serving(state, registry, where):
                await there.do(eventually, state, Word.new("one", WordSpec(text="11")))
                await there.do(eventually, state, Word.new("two", WordSpec(text="2")))
                await there.do(state.teardown_and_destroy, one.pointer)
                await there.do(eventually_gone, state, Word.new("one", WordSpec()))
                tasks.cancel_scope.cancel()
