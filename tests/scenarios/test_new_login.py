"""An administrator makes logins for others with talosctl, in any role; nobody else does."""

import socket
from pathlib import Path

import pytest

from cosi.rpc.http2.status import Code
from talos.access.talosconfig import Talosconfig
from tests.scenarios.door import Login, administrator, login, opened, tls_of
from tests.talosctl.wire import CallFailed

pytestmark = pytest.mark.anyio


def login_in(config: Talosconfig, directory: Path) -> Login:
    """Return the login to the node here that a talosconfig holds."""
    login = administrator(directory)
    login.tls = tls_of(config)
    return login


async def test_a_new_login_opens_what_its_role_does(tmp_path: Path) -> None:
    async with opened(tmp_path):
        async with administrator(tmp_path).talosctl() as talosctl:
            made = await talosctl.new_login("os:reader")
        async with login_in(made, tmp_path).talosctl() as talosctl:
            await talosctl.get("rd")
            with pytest.raises(CallFailed, match="not authorized"):
                await talosctl.get("machineconfig")

    assert made.context == f"reader@{socket.gethostname()}"


async def test_a_login_of_several_roles_goes_by_the_nodes_name_alone(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as talosctl:
        made = await talosctl.new_login("os:reader", "os:meta:writer", "os:reader", " ")

    assert made.context == socket.gethostname()


@pytest.mark.parametrize(
    ("roles", "seconds", "problem"),
    [
        (("os:reader",), 0, "crt_ttl should be positive"),
        (("os:reader",), -5, "crt_ttl should be positive"),
        (("os:" + "x" * 62,), 60, "each of at most 64 characters"),
        (tuple(f"os:{number}" for number in range(17)), 60, "at most 16 roles"),
    ],
)
async def test_what_is_no_login_is_refused(tmp_path: Path, roles: tuple[str, ...], seconds: int, problem: str) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as talosctl:
        with pytest.raises(CallFailed, match=problem) as refused:
            await talosctl.new_login(*roles, seconds=seconds)

    assert refused.value.code == Code.INVALID_ARGUMENT


async def test_a_login_lasts_no_longer_than_its_authority(tmp_path: Path) -> None:
    async with opened(tmp_path):
        async with administrator(tmp_path).talosctl() as talosctl:
            made = await talosctl.new_login("os:admin", seconds=2**63 - 1)
        async with login_in(made, tmp_path).talosctl() as talosctl:
            await talosctl.version()


@pytest.mark.parametrize("role", ["os:operator", "os:reader"])
async def test_only_administrators_make_logins(tmp_path: Path, role: str) -> None:
    async with opened(tmp_path), login(tmp_path, role).talosctl() as talosctl:
        with pytest.raises(CallFailed, match="not authorized"):
            await talosctl.new_login("os:reader")
