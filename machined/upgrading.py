"""Asks the node's controllers for another boot image, and waits for the answer, as every upgrade and rollback does."""

from __future__ import annotations

import secrets
from typing import Final

import anyio

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Refusal
from cosi.state import errors
from cosi.state.state import State
from resources import boot_image, machine_config, upgrade_request
from resources.boot_image import BootImage, BootImageSpec
from resources.machine_config import MachineConfig
from resources.upgrade_request import UpgradeRequest, UpgradeRequestSpec

UPGRADE_SECONDS: Final = 600.0
"""How long an upgrade may take, the fetching of images included."""

TOO_LONG: Final = f"the upgrade took longer than {UPGRADE_SECONDS:.0f} s: see `cosi get plan`"
SUPERSEDED: Final = "somebody else has asked for another boot image meanwhile: see `cosi get plan`, and ask again"


def request(*, rollback: bool = False, stage: bool = False) -> UpgradeRequestSpec:
    """Return a request like no other: for what the config wants now, or for the image before."""
    return UpgradeRequestSpec(request=secrets.token_hex(8), rollback=rollback, stage=stage)


async def ask(state: State, wanted: UpgradeRequestSpec) -> BootImageSpec:
    """Put a request to the node and return what came of it; that it was not granted if a later one took its place.

    Raises TimeoutError after UPGRADE_SECONDS, Unavailable if the node ends.
    """
    with anyio.fail_after(UPGRADE_SECONDS):
        await state.modify(UpgradeRequest.new(upgrade_request.ID, wanted))
        async with state.watch(BootImage.pointer_to(boot_image.ID)) as watch:
            async for event in watch:
                if event.error is not None:
                    raise event.error
                if not isinstance(event.resource, BootImage):
                    continue
                if event.resource.spec.request == wanted.request:
                    return event.resource.spec
                if (await state.get(UpgradeRequest, upgrade_request.ID)).spec.request != wanted.request:
                    return BootImageSpec(request=wanted.request, outcome=SUPERSEDED)
    raise errors.Unavailable("the node ended before it answered")


async def check_installed(state: State, problem: str) -> None:
    """Refuse, for this problem, to upgrade a node without a boot image; or one without a config. Raises Refusal."""
    if await state.find(BootImage.pointer_to(boot_image.ID)) is None:
        raise Refusal(Code.FAILED_PRECONDITION, problem)
    await check_config(state)


async def check_config(state: State) -> None:
    """Refuse what needs a machine config where none is in force. Raises Refusal."""
    if await state.find(MachineConfig.pointer_to(machine_config.ID)) is None:
        raise Refusal(Code.FAILED_PRECONDITION, "the node follows no machine config: see `cosi get configstatus`")
