"""`machined upgrade` and `rollback`: ask a running node for another boot image, and wait for the answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import anyio
import click

from cosi.resource.registry import Registry
from cosi.rpc import address
from cosi.rpc.remote.state import connected
from cosi.state import errors
from cosi.state.state import State
from machined.upgrading import UPGRADE_SECONDS, ask, request
from resources.boot_image import BootImage
from resources.extension_plan import ExtensionPlan, PlanState
from resources.upgrade_request import UpgradeRequest

_IN_THE_WAY: Final = frozenset({PlanState.PENDING, PlanState.FAILED})
"""An upgrade waits for the ones and is refused for the others."""


def run(server: str | None, *, dry_run: bool = False, rollback: bool = False) -> None:
    """Upgrade, roll back, or only ask what that would do, and print what came of it. Raises click.ClickException."""
    try:
        where = address.parse(server) if server else address.Address(path=address.default_socket())
        outcome, done = anyio.run(_plan, where) if dry_run else anyio.run(_ask, where, rollback)
    except errors.Unavailable as error:
        raise click.ClickException(f"no node answers on {where}: is it running? ({error})") from None
    except (errors.StateError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except TimeoutError:
        raise click.ClickException(f"no answer within {UPGRADE_SECONDS:.0f} s; see `cosi get plan`") from None
    if not done:
        raise click.ClickException(outcome)
    sys.stdout.write(f"{outcome}\n")


async def _plan(where: address.Address) -> tuple[str, bool]:
    async with connected(where, Registry((ExtensionPlan,))) as remote:
        plans = await State(remote).list(ExtensionPlan)
    return describe(plans), all(plan.spec.state not in _IN_THE_WAY for plan in plans)


def describe(plans: Sequence[ExtensionPlan]) -> str:
    """Return a line for each extension: what an upgrade would do with it, and its manifests' digests. Pure."""
    return "\n".join(_line(plan) for plan in plans) or "no extensions, and none wanted"


def _line(plan: ExtensionPlan) -> str:
    spec = plan.spec
    match spec.state:
        case PlanState.ACTIVE:
            return f"kept     {plan.id}  {spec.running}"
        case PlanState.REMOVED:
            return f"removed  {plan.id}  {spec.running}"
        case PlanState.STAGED if spec.running:
            return f"changed  {plan.id}  {spec.running} -> {spec.wanted}"
        case PlanState.STAGED:
            return f"added    {plan.id}  {spec.wanted}"
        case PlanState.PENDING | PlanState.FAILED:
            return f"{spec.state:<8} {plan.id}  {spec.message}"


async def _ask(where: address.Address, rollback: bool) -> tuple[str, bool]:
    async with connected(where, Registry((UpgradeRequest, BootImage))) as remote:
        answer = await ask(State(remote), request(rollback=rollback))
    return answer.outcome, answer.upgraded
