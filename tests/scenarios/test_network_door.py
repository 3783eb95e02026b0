"""Over the network talosctl gets in with the login the node wrote; nobody else does, and nobody writes."""

import datetime
import stat
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest
from google.protobuf.empty_pb2 import Empty

from cosi.resource.metadata import Kind, Pointer
from cosi.rpc.http2.status import Code
from cosi.rpc.tls import ClientTls, Identity
from cosi.state import errors
from resources.config_status import ConfigStatus
from resources.registered import RESOURCES
from talos.access.authorities import Authorities
from talos.access.certificates import Authority
from tests.scenarios.door import Login, administrator, login, opened
from tests.scenarios.node import PATIENCE_SECONDS
from tests.talosctl.talosctl import MACHINE
from tests.talosctl.wire import CallFailed

POLL_SECONDS = 0.1

pytestmark = pytest.mark.anyio


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


async def test_the_login_the_node_wrote_reads_resources_and_the_version(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as talosctl:
        definitions = await talosctl.get("rd")
        ((answer,),) = (each.messages for each in await talosctl.version())

    assert len(definitions) >= len(RESOURCES)
    assert (answer.version.tag, answer.version.os, answer.features.rbac) == ("v1.11.0", "linux", True)


async def test_talosctl_watches(tmp_path: Path) -> None:
    async with (
        opened(tmp_path),
        administrator(tmp_path).talosctl() as talosctl,
        aclosing(talosctl.watch("configstatus")) as events,
    ):
        status = await anext(event.resource async for event in events if event.resource.metadata.id)

    assert status.metadata.id == "machine"
    assert "valid: true" in status.spec.yaml_spec


async def test_what_the_node_does_not_serve_it_says(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as talosctl:
        with pytest.raises(CallFailed, match=r"time\.TimeService/Time is not served: this node manages") as refused:
            await talosctl.unary("/time.TimeService/Time", Empty(), Empty)

    assert refused.value.code == Code.UNIMPLEMENTED


async def test_who_would_drain_the_node_is_told_how_to_do_without(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as talosctl:
        with pytest.raises(CallFailed, match=r"this node runs no Kubernetes: .* --drain=false$"):
            await talosctl.unary(f"{MACHINE}/Kubeconfig", Empty(), Empty)


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
    async with opened(tmp_path), administrator(tmp_path).state() as state:
        with pytest.raises(errors.StateError, match=r"^write access is not allowed$"):
            await state.destroy(Pointer("meta", "Namespaces.meta.cosi.dev", "meta"))
        with pytest.raises(errors.AccessDenied, match=r'^resource type "Secrets\.example" is not supported$'):
            await state.list(Kind("meta", "Secrets.example"))
        with pytest.raises(errors.AccessDenied, match=r'^namespace "nowhere" is not supported$'):
            await state.list(Kind("nowhere", "Namespaces.meta.cosi.dev"))


async def test_through_a_rotation_somebody_is_always_let_in(tmp_path: Path) -> None:
    async with opened(tmp_path):
        authorities = Authorities(tmp_path / "state/pki")
        old = administrator(tmp_path)
        authorities.begin_rotation(datetime.datetime.now(datetime.UTC))
        new = login(tmp_path, "os:admin")
        await until(new, lets_in=True)
        await until(old, lets_in=True)
        authorities.finish_rotation()
        await until(old, lets_in=False)
        await until(new, lets_in=True)


async def test_a_certificate_of_another_authority_opens_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path):
        stranger = administrator(tmp_path)
        other = Authority.create(datetime.datetime.now(datetime.UTC))
        pair = other.for_client(["os:admin"], datetime.datetime.now(datetime.UTC))
        stranger.tls = ClientTls(stranger.tls.ca, Identity(*pair))
        async with stranger.state() as state:
            with pytest.raises(errors.Unavailable):
                await state.list(ConfigStatus.kind())


async def test_the_port_tells_nothing_to_who_has_no_certificate(tmp_path: Path) -> None:
    async with opened(tmp_path):
        nobody = administrator(tmp_path)
        nobody.tls = ClientTls(nobody.tls.ca)
        with pytest.raises(ConnectionError):
            async with nobody.talosctl() as talosctl:
                await talosctl.version()
