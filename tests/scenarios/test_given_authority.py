"""A config that brings its authority lets in who has a login of that, as on Talos, and no longer the node's own."""

import base64
import datetime
import ssl
from pathlib import Path

import anyio
import pytest

from cosi.rpc.tls import ClientTls, Identity
from machined.login import now
from talos._pb.machine import machine_pb2
from talos.access.certificates import Authority
from tests.scenarios.door import Login, administrator, door_of
from tests.scenarios.node import PATIENCE_SECONDS, Site

Mode = machine_pb2.ApplyConfigurationRequest

POLL_SECONDS = 0.1
OTHER_CONFIG = b"version: v1alpha1\n# without an authority\n"

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def given() -> Authority:
    return Authority.create(datetime.datetime.now(datetime.UTC))


def config_with(authority: Authority) -> bytes:
    certificate, key = (base64.b64encode(each).decode() for each in authority.pair)
    return f"version: v1alpha1\nmachine:\n  ca:\n    crt: {certificate}\n    key: {key}\n".encode()


def login_of(authority: Authority, directory: Path) -> Login:
    """Return an administrator's login to the node here, from an authority."""
    login = administrator(directory)
    login.tls = ClientTls(authority.pair.certificate, Identity(*authority.for_client(["os:admin"], now())))
    return login


async def let_in(login: Login) -> bool:
    try:
        async with login.talosctl() as talosctl:
            await talosctl.version()
    except (ConnectionError, ssl.SSLError):
        return False
    return True


async def until(login: Login, *, lets_in: bool) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while await let_in(login) is not lets_in:  # noqa: ASYNC110 - the node doesn't say that it has read them
            await anyio.sleep(POLL_SECONDS)


async def test_with_the_first_config_its_authority_is_in_force_at_once(
    site: Site, tmp_path: Path, given: Authority
) -> None:
    async with door_of(site):
        before = administrator(tmp_path)
        async with before.insecure() as nobody:
            await nobody.apply_config(config_with(given))

        assert await let_in(login_of(given, tmp_path))
        assert not await let_in(before)
        assert await let_in(administrator(tmp_path)), "the login in the file is made anew"
    async with door_of(site):
        assert await let_in(login_of(given, tmp_path))


async def test_a_config_without_one_gives_the_nodes_own_back(site: Site, tmp_path: Path, given: Authority) -> None:
    site.config.write_text("version: v1alpha1\n")
    async with door_of(site):
        own = administrator(tmp_path)
        theirs = login_of(given, tmp_path)
        async with own.talosctl() as talosctl:
            await talosctl.apply_config(config_with(given))
        await until(theirs, lets_in=True)
        await until(own, lets_in=False)

        async with theirs.talosctl() as talosctl:
            await talosctl.apply_config(OTHER_CONFIG)

        await until(own, lets_in=True)
        await until(theirs, lets_in=False)


async def test_who_tries_a_config_keeps_their_login(site: Site, tmp_path: Path, given: Authority) -> None:
    site.config.write_text("version: v1alpha1\n")
    async with door_of(site):
        own = administrator(tmp_path)
        async with own.talosctl() as talosctl:
            await talosctl.apply_config(config_with(given), Mode.TRY)
            await talosctl.apply_config(OTHER_CONFIG)

        assert await let_in(own)
        assert not (tmp_path / "state/pki/given.pem").exists()


async def test_the_clients_of_an_accepted_authority_are_let_in_by_their_role(
    site: Site, tmp_path: Path, given: Authority
) -> None:
    certificate = base64.b64encode(given.pair.certificate).decode()
    site.config.write_text(f"version: v1alpha1\nmachine:\n  acceptedCAs:\n    - crt: {certificate}\n")
    async with door_of(site):
        own = administrator(tmp_path)
        client = given.for_client(["os:reader"], now())
        theirs = administrator(tmp_path)
        theirs.tls = ClientTls(own.tls.ca, Identity(*client))

        await until(theirs, lets_in=True)
        assert await let_in(own)
