"""What every test can ask for."""

import signal
from collections.abc import Iterator

import hypothesis
import pytest

from tests.talos.registry_server import HTPASSWD, RegistryServer, running_registry

# A busy machine may take its time over one example; pytest-timeout bounds the whole test.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# A shell starts background jobs with SIGINT ignored, and programs the tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio unless a room's own conftest says otherwise."""
    return "asyncio"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that serves everyone."""
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="session")
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that serves those who know the password."""
    with running_registry(tmp_path_factory.mktemp("private-registry"), htpasswd=HTPASSWD) as server:
        yield server
