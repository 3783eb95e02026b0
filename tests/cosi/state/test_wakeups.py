"""Wakeups wake who waits now, and nobody else, on asyncio as on trio."""

from __future__ import annotations

import anyio
import pytest

from cosi.state.wakeups import KeyedWakeups, Wakeups, yield_to_others
from cosi.testing.listener import WAIT_SECONDS

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_everybody_who_waits_is_woken() -> None:
    wakeups = Wakeups()
    woken: list[int] = []

    async def wait(number: int) -> None:
        await wakeups.wait()
        woken.append(number)

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()
            wakeups.wake_all()

    assert sorted(woken) == [0, 1, 2, 3, 4]


async def test_asyncio_runs_them_in_the_order_in_which_they_came(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("trio promises no order among tasks that can run")
    wakeups = Wakeups()
    woken: list[int] = []

    async def wait(number: int) -> None:
        await wakeups.wait()
        woken.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()
        wakeups.wake_all()

    assert woken == [0, 1, 2, 3, 4]


async def test_a_wakeup_is_not_kept_for_later() -> None:
    wakeups = Wakeups()
    wakeups.wake_all()

    with anyio.move_on_after(0) as scope:
        await wakeups.wait()

    assert scope.cancelled_caught


async def test_who_waits_again_is_woken_again_but_not_by_the_same_wakeup() -> None:
    wakeups = Wakeups()
    rounds = 0

    async def wait_twice() -> None:
        nonlocal rounds
        for _ in range(2):
            await wakeups.wait()
            rounds += 1

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_twice)
            await anyio.wait_all_tasks_blocked()
            wakeups.wake_all()
            wakeups.wake_all()
            await anyio.wait_all_tasks_blocked()
            assert rounds == 1
            wakeups.wake_all()

    assert rounds == 2


async def test_a_cancelled_waiter_is_forgotten() -> None:
    wakeups = Wakeups()

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wakeups.wait)
            await anyio.wait_all_tasks_blocked()
            assert len(wakeups.waiters) == 1
            tasks.cancel_scope.cancel()

    assert not wakeups.waiters
    wakeups.wake_all()


async def test_a_waiter_cancelled_after_its_wakeup_harms_nobody() -> None:
    wakeups = Wakeups()
    woken: list[str] = []

    async def wait(name: str, scope: anyio.CancelScope) -> None:
        with scope:
            await wakeups.wait()
            woken.append(name)

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            cancelled = anyio.CancelScope()
            tasks.start_soon(wait, "cancelled", cancelled)
            tasks.start_soon(wait, "other", anyio.CancelScope())
            await anyio.wait_all_tasks_blocked()
            wakeups.wake_all()
            cancelled.cancel()

    assert "other" in woken
    assert not wakeups.waiters


async def test_yielding_lets_others_run_and_takes_note_of_a_cancellation() -> None:
    ran: list[str] = []

    async def other() -> None:
        ran.append("other")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        while not ran:
            await yield_to_others()
        tasks.cancel_scope.cancel()
        await yield_to_others()
        ran.append("not cancelled")

    assert ran == ["other"]


async def test_who_waits_for_a_key_is_woken_by_it_alone_and_told_its_value() -> None:
    wakeups = KeyedWakeups()
    told: dict[str, int] = {}

    async def wait(key: str) -> None:
        told[key] = await wakeups.wait(key)

    async with anyio.create_task_group() as tasks:
        for key in ("a", "b", "b"):
            tasks.start_soon(wait, key)
        await anyio.wait_all_tasks_blocked()
        wakeups.wake("a", 7)
        await anyio.wait_all_tasks_blocked()
        assert told == {"a": 7}
        assert set(wakeups.waiting) == {"b"}
        tasks.cancel_scope.cancel()

    assert not wakeups.waiting
