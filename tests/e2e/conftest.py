"""The sample extensions in a layout, and a way to wait for a node as a client does."""

from pathlib import Path

import anyio
import pytest

from cosi.resource.registry import Registry
from cosi.resource.resource import ResourceT
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state import errors
from cosi.state.event import EventType
from cosi.state.state import State
from examples import build
from tests.e2e.programs import PATIENCE_SECONDS, Node

POLL_SECONDS = 0.05


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OCI layout with the sample extensions."""
    layout = tmp_path_factory.mktemp("layout") / "images"
    build.build_all(build.EXTENSIONS, layout)
    return layout


def wait_for(node: Node, resource: type[ResourceT], id: str) -> ResourceT:
    """Wait, over the node's socket, until a resource exists; return it."""

    async def wait() -> ResourceT:
        async with connected(Address(path=str(node.socket)), Registry((resource,))) as remote:
            state = State(remote)
            with anyio.fail_after(PATIENCE_SECONDS):
                while True:
                    try:
                        event = await state.watch_for(
                            resource.pointer_to(id), lambda event: event.type is not EventType.DESTROYED
                        )
                    except errors.Unavailable:
                        assert node.process.poll() is None, node.log
                        await anyio.sleep(POLL_SECONDS)  # the socket is not there yet
                        continue
                    assert isinstance(event.resource, resource)
                    return event.resource

    return anyio.run(wait)
