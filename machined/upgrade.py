"""`machined upgrade`: ask a running node for an upgrade, and wait for the answer."""

from __future__ import annotations

import secrets
import sys
from typing import Final

import anyio
import click

from cosi.resource.registry import Registry
from cosi.rpc import address
from cosi.rpc.remote.state import connected
from cosi.state import errors
from cosi.state.event import Event
from cosi.state.state import State
from resources import boot_image, upgrade_request
from resources.boot_image import BootImage
from resources.upgrade_request import UpgradeRequest, UpgradeRequestSpec

UPGRADE_SECONDS: Final = 600.0
"""How long an upgrade may take, the fetching of images included."""


def run(server: str | None) -> None:
    """Upgrade, and print what came of it. Raises click.ClickException."""
    try:
        where = address.parse(server) if server else address.Address(path=address.default_socket())
        outcome, done = anyio.run(_upgrade, where)
    except errors.Unavailable as error:
        raise click.ClickException(f"no node answers on {where}: is it running? ({error})") from None
    except (errors.StateError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except TimeoutError:
        raise click.ClickException(f"no answer within {UPGRADE_SECONDS:.0f} s; see `cosi get plan`") from None
    if not done:
        raise click.ClickException(outcome)
    sys.stdout.write(f"{outcome}\n")


async def _upgrade(where: address.Address) -> tuple[str, bool]:
    request = secrets.token_hex(8)
    async with connected(where, Registry((UpgradeRequest, BootImage))) as remote:
        state = State(remote)
        with anyio.fail_after(UPGRADE_SECONDS):
            await state.modify(UpgradeRequest.new(upgrade_request.ID, UpgradeRequestSpec(request=request)))

            def answered(event: Event) -> bool:
                resource = event.resource
                return isinstance(resource, BootImage) and resource.spec.request == request

            answer = await state.watch_for(BootImage.pointer_to(boot_image.ID), answered)
    assert isinstance(answer.resource, BootImage)
    return answer.resource.spec.outcome, answer.resource.spec.upgraded
