"""The sample extensions in a layout, a node that runs them, and a way to wait for a node as a client does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource, ResourceT
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state import errors
from cosi.state.event import Event, EventType
from cosi.state.state import State
from examples import build
from resources.extension_status import ExtensionStatus
from talos.extensions.reference import extension_id
from tests.e2e.programs import PATIENCE_SECONDS, Node, machined_run
from tests.talos.registry_server import RegistryServer

POLL_SECONDS = 0.05
HELLO = "hello-v1.0.0"
GVISOR = "gvisor-20220117.0-v1.0.0"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OCI layout with the sample extensions."""
    layout = tmp_path_factory.mktemp("layout") / "images"
    build.build_all(build.EXTENSIONS, layout)
    return layout


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, images: Path, registry: RegistryServer) -> Iterator[Node]:
    """A node with a network door that runs gvisor, by tag, and hello, by digest."""
    directory = tmp_path_factory.mktemp("node")
    registry.push(images, GVISOR, "talos/gvisor", as_tag="20220117.0-v1.0.0")
    digest = registry.push(images, HELLO, "talos/hello", as_tag="v1.0.0")
    config = directory / "machine.yaml"
    config.write_text(
        "version: v1alpha1\nmachine:\n  install:\n    extensions:\n"
        f"      - image: {registry.host}/talos/gvisor:20220117.0-v1.0.0\n"
        f"      - image: {registry.host}/talos/hello@{digest}\n"
    )
    login = directory / "talosconfig"
    with machined_run(directory, config, "--listen", "127.0.0.1:0", "--talosconfig", str(login)) as running:
        wait_for(running, ExtensionStatus, extension_id(1, f"{registry.host}/talos/hello@{digest}"))
        yield running


def anything(_: AnyResource) -> bool:
    """Accept a resource whatever it says."""
    return True


def wait_for(
    node: Node, resource: type[ResourceT], id: str, condition: Callable[[ResourceT], bool] = anything
) -> ResourceT:
    """Wait, over the node's socket, until a resource exists and is as wanted; return it."""

    def as_wanted(event: Event) -> bool:
        found = event.resource
        return event.type is not EventType.DESTROYED and isinstance(found, resource) and condition(found)

    async def wait() -> ResourceT:
        async with connected(Address(path=str(node.socket)), Registry((resource,))) as remote:
            state = State(remote)
            with anyio.fail_after(PATIENCE_SECONDS):
                while True:
                    try:
                        event = await state.watch_for(resource.pointer_to(id), as_wanted)
                    except errors.Unavailable:
                        assert node.process.poll() is None, node.log
                        await anyio.sleep(POLL_SECONDS)  # the socket is not there yet
                        continue
                    assert isinstance(event.resource, resource)
                    return event.resource

    return anyio.run(wait)
