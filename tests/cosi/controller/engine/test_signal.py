"""However often a signal is set, it wakes once, and knows why."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.lowlevel
import hypothesis.strategies as st
import pytest
from hypothesis import given

from cosi.controller.signal import Signal
from cosi.journal.records import MAX_CAUSES, Causes, Reason
from cosi.testing.listener import WAIT_SECONDS

pytestmark = pytest.mark.anyio

reasons = st.lists(st.sampled_from(Reason), min_size=1, max_size=MAX_CAUSES + 3)


@given(bursts=st.lists(reasons, max_size=5))
async def test_each_burst_is_one_wake_up_with_all_its_causes(bursts: Sequence[Sequence[Reason]]) -> None:
    signal = Signal()
    for burst in bursts:
        first, *others = [signal.set(reason) for reason in burst]
        taken = await signal.take()

        assert first
        assert not any(others)
        assert (taken.first, taken.count) == (list(burst[:MAX_CAUSES]), len(burst))
        assert not signal.is_set


async def test_whoever_waits_is_woken() -> None:
    signal = Signal()
    taken: list[Causes] = []

    async def wait() -> None:
        taken.append(await signal.take())

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            awaited = signal.awaited
            signal.set(Reason.ASKED)

    assert awaited
    assert not signal.awaited
    assert [causes.first for causes in taken] == [[Reason.ASKED]]


async def test_whoever_gives_up_waiting_takes_nothing() -> None:
    signal = Signal()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(signal.take)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    awaited = signal.awaited
    signal.set(Reason.ASKED)

    assert not awaited
    assert (await signal.take()).first == [Reason.ASKED]


async def test_a_signal_that_is_always_set_lets_others_run() -> None:
    signal = Signal()
    ran = False

    async def run_once() -> None:
        nonlocal ran
        ran = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_once)
        for _ in range(10):
            signal.set(Reason.ASKED)
            await signal.take()

        assert ran
