"""A service that an extension brings shows as soon as the extension is active, and goes with it."""

from pathlib import Path

import pytest
import yaml
from anyio import to_thread

from resources.extension_service import ExtensionService, ServiceState
from tests.e2e.programs import cosi
from tests.scenarios.node import Site, until, until_active, until_gone, until_planned, upgrade
from tests.talos.extensions import archives
from tests.talos.extensions.service_texts import service_text

pytestmark = pytest.mark.anyio

SERVICE_PATH = "usr/local/etc/containers/hello.yaml"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def with_service(site: Site, tag: str, text: bytes, path: str = SERVICE_PATH) -> str:
    """Add an image that brings a service file."""
    return site.add_image(tag, archives.file(f"rootfs/{path}", text))


async def get_services(site: Site, *options: str) -> str:
    """Return what `cosi get extensionservices` prints."""
    socket = Path(str(site.options.addresses[0]))
    finished = await to_thread.run_sync(lambda: cosi("get", "extensionservices", *options, socket=socket))
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


async def test_the_command_line_shows_a_service_and_that_it_is_not_run(site: Site) -> None:
    site.write_config(with_service(site, "hello", service_text("hello", more="depends:\n- time: true\n")))

    async with site.node() as state:
        await until(state, ExtensionService, "hello.yaml", lambda _: True)
        shown = yaml.safe_load(await get_services(site, "-o", "yaml"))
        table = await get_services(site)

    assert shown["metadata"]["type"] == "ExtensionServices.extensions.cosi.dev"
    assert shown["metadata"]["owner"] == "runtime.ExtensionServiceController"
    assert shown["spec"] == {
        "file": f"/{SERVICE_PATH}",
        "name": "hello",
        "entrypoint": "bin/hello",
        "args": [],
        "depends": [{"time": True}],
        "restart": "never",
        "state": "valid",
        "status": "not running: this node runs no containers",
    }
    row = table.splitlines()[1]
    assert row.split()[2:7] == ["ExtensionService", "hello.yaml", "1", "hello", "valid"]
    assert row.rstrip().endswith("not running: this node runs no containers")


async def test_a_bad_service_leaves_its_extension_active(site: Site) -> None:
    image = with_service(site, "bad", b"name: bad\n")
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        service = await until(state, ExtensionService, "hello.yaml", lambda _: True)

    assert service.spec.state is ServiceState.INVALID
    assert service.spec.problem.startswith("service-entrypoint: ")


async def test_of_two_extensions_with_one_service_the_first_file_has_it(site: Site) -> None:
    text = service_text("hello")
    images = [with_service(site, tag, text, f"usr/local/etc/containers/{tag}.yaml") for tag in ("b", "a")]
    site.write_config(*images)

    async with site.node() as state:
        first = await until(state, ExtensionService, "a.yaml", lambda _: True)
        second = await until(state, ExtensionService, "b.yaml", lambda _: True)

    assert (first.spec.state, second.spec.state) == (ServiceState.VALID, ServiceState.INVALID)
    assert second.spec.name == "hello"
    assert "the service hello is in a.yaml already" in second.spec.problem


async def test_a_service_goes_with_its_extension(site: Site) -> None:
    image = with_service(site, "hello", service_text("hello"))
    site.write_config(image)

    async with site.node() as state:
        await until(state, ExtensionService, "hello.yaml", lambda _: True)
        site.write_config()
        await until_planned(state, 0, image, lambda plan: plan.state == "removed")
        await upgrade(state)

        await until_gone(state, ExtensionService, "hello.yaml")
