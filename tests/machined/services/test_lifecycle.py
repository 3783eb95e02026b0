"""An upgrade that could not begin is not in the way of the next."""

import anyio
import pytest

from cosi.rpc.seam import Call, Refusal
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from machined.background import MAX_WAITING, Background
from machined.services.lifecycle import SHOWN_CHARACTERS, LifecycleService
from resources import boot_image
from resources.boot_image import BootImage, BootImageSpec
from resources.machine_config import MachineConfig
from talos._pb.machine import lifecycle_pb2

pytestmark = pytest.mark.anyio


async def test_an_upgrade_that_the_node_had_no_room_for_may_be_asked_for_again() -> None:
    state, background = State(MemoryState()), Background()
    await state.create(BootImage.new(boot_image.ID, BootImageSpec(name="0001")))
    await state.create(MachineConfig.active(b"version: v1alpha1"))
    upgrade = LifecycleService(state, background).service.server_streaming["Upgrade"]
    request = lifecycle_pb2.LifecycleServiceUpgradeRequest()
    request.source.image_name = "x" * 1000
    for _ in range(MAX_WAITING):
        background.start_soon(anyio.sleep_forever)

    with pytest.raises(Refusal, match="too much is asked"):
        await anext(upgrade(request.SerializeToString(), Call()))
    async with anyio.create_task_group() as tasks:
        await tasks.start(background.run)
        await anyio.wait_all_tasks_blocked()
        answers = upgrade(request.SerializeToString(), Call())
        first = await anext(answers)
        await answers.aclose()
        tasks.cancel_scope.cancel()

    assert isinstance(first, bytes)
    assert b"x" * SHOWN_CHARACTERS + b" is not used" in first
    assert b"x" * (SHOWN_CHARACTERS + 1) not in first
