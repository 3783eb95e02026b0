"""Who asks for a boot image is told what came of it, also if somebody else asked for another one meanwhile."""

import anyio
import pytest

from cosi.state.event import Event
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from machined import upgrading
from resources import boot_image, upgrade_request
from resources.boot_image import BootImage, BootImageSpec
from resources.upgrade_request import UpgradeRequest, UpgradeRequestSpec

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0


async def ask(state: State, wanted: UpgradeRequestSpec, answers: list[BootImageSpec]) -> None:
    answers.append(await upgrading.ask(state, wanted))


async def asked(state: State, wanted: UpgradeRequestSpec) -> None:
    """Wait until a request has been put."""

    def is_it(event: Event) -> bool:
        return isinstance(event.resource, UpgradeRequest) and event.resource.spec == wanted

    await state.watch_for(UpgradeRequest.pointer_to(upgrade_request.ID), is_it)


async def answer(state: State, spec: BootImageSpec) -> None:
    await state.modify(BootImage.new(boot_image.ID, spec))


async def test_the_answer_is_that_to_the_own_request() -> None:
    state, answers = State(MemoryState()), list[BootImageSpec]()
    before = BootImageSpec(name="0001", request="before", outcome="upgraded")
    await answer(state, before)
    wanted = upgrading.request(stage=True)

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, state, wanted, answers)
            await asked(state, wanted)
            await answer(state, before.model_copy(update={"request": wanted.request, "outcome": "refused"}))

    assert [each.outcome for each in answers] == ["refused"]
    assert wanted.stage
    assert not wanted.rollback


async def test_a_later_request_takes_the_place_of_an_earlier_one() -> None:
    state, answers = State(MemoryState()), list[BootImageSpec]()
    first, second = upgrading.request(), upgrading.request(rollback=True)

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, state, first, answers)
            await asked(state, first)
            await state.modify(UpgradeRequest.new(upgrade_request.ID, second))
            await answer(state, BootImageSpec(name="0001", request=second.request, upgraded=True))

    assert [(each.upgraded, each.outcome) for each in answers] == [(False, upgrading.SUPERSEDED)]
