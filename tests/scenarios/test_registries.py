"""A node pulls as `machine.registries` says, and goes by a change of it at once."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from resources import machine_config, registries_config
from resources.extension_image import ExtensionImage, FetchState
from resources.extension_plan import PlanState
from resources.machine_config import MachineConfig
from resources.registries_config import RegistriesConfig, RegistriesConfigSpec
from talos.extensions.reference import extension_id
from talos.extensions.registries import Auth, Mirror, MirrorEndpoint, Registries, Tls
from tests.scenarios.node import Site, until, until_active, until_planned
from tests.talos.extensions.mirrors import CLOSED, behind_password, busy, running
from tests.talos.extensions.served_image import Served
from tests.talos.registry_server import PASSWORD, USER, RegistryServer

pytestmark = pytest.mark.anyio

SECRET = "the secret password"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write_config(site: Site, registries: str, *images: str) -> None:
    site.write_config(*images)
    text = site.config.read_text().replace("machine:\n", f"machine:\n  registries: {registries}\n")
    site.config.write_text(text)


def mirroring(host: str, auth: str = "") -> str:
    config = f", config: {{'{host}': {{auth: {auth}}}}}" if auth else ""
    return f"{{mirrors: {{'*': {{endpoints: ['http://{host}'], skipFallback: true}}}}{config}}}"


async def test_an_extension_comes_from_a_private_mirror(site: Site, private_registry: RegistryServer) -> None:
    site.add_good_image("mirrored")
    private_registry.push(site.layout, "mirrored", "talos/mirrored", as_tag="v1")
    image = "registry.invalid/talos/mirrored:v1"
    write_config(site, mirroring(private_registry.host, f"{{username: {USER}, password: {PASSWORD}}}"), image)

    async with site.node() as state:
        await until_active(state, 0, image)


async def test_what_fails_is_fetched_as_soon_as_the_config_says_from_where(site: Site, tmp_path: Path) -> None:
    image = "registry.invalid/a/b:v1"
    write_config(site, mirroring(CLOSED), image)

    async with running(Served(tmp_path)) as (mirror,), site.node() as state:
        await until_planned(state, 0, image, lambda plan: plan.state is PlanState.FAILED)
        write_config(site, mirroring(mirror.host), image)
        fetched = await until(
            state, ExtensionImage, extension_id(0, image), lambda item: item.spec.state is FetchState.READY
        )

    assert fetched.spec.manifest


async def test_a_changed_password_is_the_one_of_the_next_fetch(site: Site, tmp_path: Path) -> None:
    image = "registry.invalid/a/b:v1"
    served = Served(tmp_path)

    async with running(behind_password(served)) as (mirror,), site.node() as state:
        write_config(site, mirroring(mirror.host, "{username: node, password: before}"), image)
        await until(state, ExtensionImage, extension_id(0, image), lambda item: item.spec.state is FetchState.READY)
        changed = f"{image[:-2]}other"
        write_config(site, mirroring(mirror.host, "{username: node, password: after}"), changed)
        await until(state, ExtensionImage, extension_id(0, changed), lambda item: item.spec.attempts > 0)

    shown = list(
        dict.fromkeys(each.headers["authorization"] for each in mirror.asked if "authorization" in each.headers)
    )
    assert [Auth(auth=each.removeprefix("Basic ")).login for each in shown] == [
        Auth("node", "before").login,
        Auth("node", "after").login,
    ]


async def test_a_registry_that_asks_for_minutes_does_not_hold_up_the_first_start(site: Site) -> None:
    good = site.add_good_image()

    async with running(busy) as (mirror,):
        image = f"{mirror.host}/a/b:v1"
        site.write_config(image, good)
        async with site.node() as state:
            await until_active(state, 1, good)
            plan = await until_planned(state, 0, image, lambda plan: plan.state is PlanState.FAILED)

    assert "in 120 seconds" in plan.message
    assert len(mirror.asked) == 1


async def test_what_is_not_verified_is_warned_of_once_and_no_secret_is_logged(site: Site, tmp_path: Path) -> None:
    image = "registry.invalid/a/b:v1"
    registries = (
        f"{{config: {{m.lan: {{auth: {{username: n, password: {SECRET}}}, tls: {{insecureSkipVerify: true}}}}}}}}"
    )
    write_config(site, registries)

    with capture_logs() as logs:
        async with site.node() as state:
            await until(state, RegistriesConfig, registries_config.ID, lambda _: True)
            before = await until(state, MachineConfig, machine_config.ID, lambda _: True)
            write_config(site, registries, image)
            version = before.metadata.version
            await until(state, MachineConfig, machine_config.ID, lambda item: item.metadata.version != version)

    assert [entry["hosts"] for entry in logs if entry["event"] == "certificates are not verified"] == [("m.lan",)]
    assert SECRET not in repr(logs)


async def test_what_the_config_says_is_published_as_in_talos(site: Site) -> None:
    write_config(site, "{mirrors: {a.io: {endpoints: ['http://m']}}, config: {m: {auth: {auth: dTpw}}}}", "a:1")

    async with site.node() as state:
        published = await until(state, RegistriesConfig, registries_config.ID, lambda _: True)
        site.write_config()
        emptied = await until(state, RegistriesConfig, registries_config.ID, lambda item: not item.spec.mirrors)

    assert published.metadata.namespace == "cri"
    assert published.definition.sensitive
    assert published.spec.to_yaml() == (
        "mirrors:\n    a.io:\n        endpoints:\n            - endpoint: http://m\n"
        "              overridePath: false\nauths:\n    m:\n        auth: dTpw\n"
    )
    assert emptied.spec == RegistriesConfigSpec()


def test_the_resource_gives_back_what_it_was_made_of_and_shows_no_secret() -> None:
    said = Registries(
        {"*": Mirror((MirrorEndpoint("http://m", True),), True)},
        {"m": Auth("user", SECRET, "", SECRET)},
        {"m": Tls(b"ca", b"crt", b"key", True), "n": Tls()},
    )

    published = RegistriesConfig.from_registries(said)

    assert RegistriesConfigSpec.from_proto(published.spec.to_proto()).registries == said
    assert SECRET not in repr(published) + repr(published.spec) + str(published.spec) + repr(published.spec.auths)
    with pytest.raises(ValueError) as caught:
        RegistriesConfigSpec(auths={"m": {"username": SECRET, "no": SECRET}})
    assert SECRET not in str(caught.value)
