"""Over the network talosctl gets in with the login the node wrote; nobody else does, and nobody writes."""

import base64
import datetime
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import msgspec
import pytest

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.registry import Registry
from cosi.rpc.remote.state import connected
from cosi.rpc.seam import frame, messages
from cosi.rpc.tls import ClientTls, Identity
from cosi.state import errors
from cosi.state.core import CoreState
from machined.assembly import RESOURCES
from machined.door import DoorOptions
from machined.login import parse_endpoint, write_login
from resources.config_status import ConfigStatus
from talos._pb.machine import machine_pb2
from talos.access import talosconfig
from talos.access.authorities import Authorities
from talos.access.certificates import Authority
from tests.scenarios.node import PATIENCE_SECONDS, Site

POLL_SECONDS = 0.1

pytestmark = pytest.mark.anyio


class Login:
    """What a talosconfig says, as a client uses it."""

    def __init__(self, path: Path) -> None:
        config = talosconfig.read(path)
        context = config.contexts[config.context]
        self.address = parse_endpoint(context["endpoints"][0])
        ca, certificate, key = (base64.b64decode(context[each]) for each in ("ca", "crt", "key"))
        self.tls = ClientTls(ca, Identity(certificate, key))

    @asynccontextmanager
    async def state(self) -> AsyncIterator[CoreState]:
        async with connected(self.address, Registry(RESOURCES), tls=self.tls, resume=False) as state:
            with anyio.fail_after(PATIENCE_SECONDS):
                yield state


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Site]:
    """Run a node with a door; the administrator's login lies in `talosconfig`."""
    site = Site(tmp_path)
    site.write_config()
    door = DoorOptions(parse_endpoint("127.0.0.1:0"), (), tmp_path / "talosconfig")
    site.options = msgspec.structs.replace(site.options, door=door)
    async with site.node():
        yield site


def login(tmp_path: Path, *roles: str) -> Login:
    """Make another login, in these roles."""
    endpoint = Login(tmp_path / "talosconfig").address.target
    output = tmp_path / "-".join(["as", *roles])
    write_login(Authorities(tmp_path / "state/pki"), output, [endpoint], roles=roles)
    return Login(output)


async def until(login: Login, *, lets_in: bool) -> None:
    """Wait until the node lets a login in, or no longer does."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while await let_in(login) is not lets_in:  # noqa: ASYNC110 - the node doesn't say that it has read them
            await anyio.sleep(POLL_SECONDS)


async def let_in(login: Login) -> bool:
    try:
        async with login.state() as state:
            await state.list(ConfigStatus.kind())
    except errors.Unavailable:
        return False
    return True


async def version(login: Login) -> machine_pb2.VersionResponse:
    """Ask as talosctl does before anything else, with a client of another make."""
    url = f"https://{login.address.target}/machine.MachineService/Version"
    headers = {"content-type": "application/grpc", "te": "trailers", "runtime": "Talos", "node": "127.0.0.1"}
    async with httpx2.AsyncClient(
        http1=False, http2=True, verify=login.tls.context(), timeout=PATIENCE_SECONDS
    ) as client:
        response = await client.post(url, headers=headers, content=frame(b""))
    (message,) = messages(response.content)
    return machine_pb2.VersionResponse.FromString(message)


async def test_the_login_the_node_wrote_reads_resources_and_the_version(tmp_path: Path) -> None:
    async with opened(tmp_path):
        admin = Login(tmp_path / "talosconfig")
        async with admin.state() as state:
            definitions = await state.list(Kind("meta", "ResourceDefinitions.meta.cosi.dev"))
        (answer,) = (await version(admin)).messages

    assert len(definitions) >= len(RESOURCES)
    assert (answer.version.tag, answer.version.os, answer.features.rbac) == ("v1.11.0", "linux", True)


async def test_logins_and_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with opened(tmp_path):
        files = [tmp_path / "talosconfig", *(tmp_path / "state/pki").iterdir()]

    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "state/pki").stat().st_mode) == 0o700


async def test_a_reader_sees_what_is_not_sensitive(tmp_path: Path) -> None:
    async with opened(tmp_path), login(tmp_path, "os:reader").state() as state:
        await state.list(ConfigStatus.kind())
        with pytest.raises(errors.AccessDenied, match=r"^not authorized$"):
            await state.list(Kind("config", "MachineConfigs.config.talos.dev"))


async def test_an_unknown_role_may_do_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path), login(tmp_path, "os:gardener").state() as state:
        with pytest.raises(errors.AccessDenied, match=r"^not authorized$"):
            await state.list(ConfigStatus.kind())


async def test_an_administrator_writes_nothing_and_sees_only_what_is_registered(tmp_path: Path) -> None:
    async with opened(tmp_path), Login(tmp_path / "talosconfig").state() as state:
        with pytest.raises(errors.StateError, match=r"^write access is not allowed$"):
            await state.destroy(Pointer("meta", "Namespaces.meta.cosi.dev", "meta"))
        with pytest.raises(errors.AccessDenied, match=r'^resource type "Secrets\.example" is not supported$'):
            await state.list(Kind("meta", "Secrets.example"))
        with pytest.raises(errors.AccessDenied, match=r'^namespace "nowhere" is not supported$'):
            await state.list(Kind("nowhere", "Namespaces.meta.cosi.dev"))


async def test_through_a_rotation_somebody_is_always_let_in(tmp_path: Path) -> None:
    async with opened(tmp_path):
        authorities = Authorities(tmp_path / "state/pki")
        old = Login(tmp_path / "talosconfig")
        authorities.begin_rotation(datetime.datetime.now(datetime.UTC))
        new = login(tmp_path, "os:admin")
        await until(new, lets_in=True)
        await until(old, lets_in=True)
        authorities.finish_rotation()
        await until(old, lets_in=False)
        await until(new, lets_in=True)


async def test_a_certificate_of_another_authority_opens_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path):
        stranger = Login(tmp_path / "talosconfig")
        other = Authority.create(datetime.datetime.now(datetime.UTC))
        pair = other.for_client(["os:admin"], datetime.datetime.now(datetime.UTC))
        stranger.tls = ClientTls(stranger.tls.ca, Identity(*pair))
        async with stranger.state() as state:
            with pytest.raises(errors.Unavailable):
                await state.list(ConfigStatus.kind())


async def test_the_port_tells_nothing_to_who_has_no_certificate(tmp_path: Path) -> None:
    async with opened(tmp_path):
        nobody = Login(tmp_path / "talosconfig")
        nobody.tls = ClientTls(nobody.tls.ca)
        with pytest.raises(ssl.SSLError, match="certificate required"):
            await version(nobody)
