"""After each boot the services of the active tree are published, with all that is wrong with them, and none is run."""

from pathlib import Path

import pytest

from controllers.extension_service import DIRECTORY_ID, NOT_RUN, ExtensionServiceController
from cosi.testing.world import World, running
from resources import boot_status
from resources.boot_status import BootStatus, BootStatusSpec
from resources.extension_manifest import ExtensionFault
from resources.extension_service import ExtensionService, ExtensionServiceSpec, ServiceDependency, ServiceState
from talos.extensions.service_files import DIRECTORY
from tests.talos.extensions.service_texts import service_text

pytestmark = pytest.mark.anyio

HELLO = ExtensionService.new(
    "hello.yaml",
    ExtensionServiceSpec(
        file="/usr/local/etc/containers/hello.yaml",
        name="hello",
        entrypoint="bin/hello",
        restart="never",
        state=ServiceState.VALID,
        status=NOT_RUN,
    ),
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The directory of service files in the first tree."""
    return make_tree(tmp_path / "first")


def make_tree(root: Path) -> Path:
    directory = root / DIRECTORY
    directory.mkdir(parents=True)
    return directory


async def boot(world: World, root: Path) -> None:
    """Say that the tree at `root` is active, as a new image."""
    await world.state.modify(BootStatus.new(boot_status.ID, BootStatusSpec(image=root.name, root=str(root))))


async def test_a_service_is_published_and_the_status_says_that_it_is_not_run(tmp_path: Path, directory: Path) -> None:
    (directory / "hello.yaml").write_bytes(service_text("hello"))

    async with running(ExtensionServiceController()) as world:
        await boot(world, tmp_path / "first")

        await world.expect(HELLO)

    assert NOT_RUN == "not running: this node runs no containers"


async def test_all_that_the_service_needs_is_told(tmp_path: Path, directory: Path) -> None:
    more = "depends:\n- service: cri\n- network: [addresses]\n- path: /a\n- time: true\n- configuration: true\n"
    text = service_text("hello", more=more).replace(b"\nrestart", b"\n  args: [--port, 80]\nrestart")
    (directory / "hello.yaml").write_bytes(text)

    async with running(ExtensionServiceController()) as world:
        await boot(world, tmp_path / "first")

        spec = HELLO.spec.model_copy(
            update={
                "args": ("--port", "80"),
                "depends": (
                    ServiceDependency(service="cri"),
                    ServiceDependency(network=("addresses",)),
                    ServiceDependency(path="/a"),
                    ServiceDependency(time=True),
                    ServiceDependency(configuration=True),
                ),
            }
        )
        await world.expect(ExtensionService.new("hello.yaml", spec))


async def test_a_file_that_breaks_rules_is_listed_with_each_of_them(tmp_path: Path, directory: Path) -> None:
    (directory / "bad.yaml").write_bytes(b"name: BAD\ncontainer: {entrypoint: bad}\n")

    async with running(ExtensionServiceController()) as world:
        await boot(world, tmp_path / "first")
        await world.settle()
        bad = await world.state.get(ExtensionService, "bad.yaml")

    assert bad.spec.state is ServiceState.INVALID
    assert bad.spec.status == NOT_RUN
    path = "/usr/local/etc/containers/bad.yaml"
    assert bad.spec.problem == f"service-name: {path}: line 1: name: 'BAD' is no name of a service (and 1 more)"
    assert bad.spec.faults[1] == ExtensionFault(
        rule="service-restart", path=path, problem="line 1: restart: missing", remedy="write `restart: always`"
    )


async def test_a_service_goes_when_a_later_boot_is_without_its_file(tmp_path: Path, directory: Path) -> None:
    (directory / "hello.yaml").write_bytes(service_text("hello"))
    (make_tree(tmp_path / "second") / "other.yaml").write_bytes(service_text("other"))

    async with running(ExtensionServiceController()) as world:
        await boot(world, tmp_path / "first")
        await world.expect(HELLO)
        await boot(world, tmp_path / "second")

        await world.expect_gone(HELLO)
        assert [service.id for service in await world.state.list(ExtensionService)] == ["other.yaml"]


async def test_nothing_is_published_before_the_first_boot(directory: Path) -> None:
    (directory / "hello.yaml").write_bytes(service_text("hello"))

    async with running(ExtensionServiceController()) as world:
        await world.state.create(BootStatus.new(boot_status.ID, BootStatusSpec(problem="damaged")))
        await world.settle()

        assert not await world.state.list(ExtensionService)


async def test_a_directory_that_is_a_link_is_told_once_and_not_followed(tmp_path: Path, directory: Path) -> None:
    (directory / "hello.yaml").write_bytes(service_text("hello"))
    (tmp_path / "second").mkdir()
    (tmp_path / "second/usr").symlink_to(tmp_path / "first/usr")

    async with running(ExtensionServiceController()) as world:
        await boot(world, tmp_path / "second")
        await world.settle()
        (told,) = await world.state.list(ExtensionService)

    assert told.id == DIRECTORY_ID
    assert told.spec.file == "/usr/local/etc/containers"
    assert "is a link or a file" in told.spec.problem
