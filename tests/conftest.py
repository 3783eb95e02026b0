"""What every test can ask for."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio unless a room's own conftest says otherwise."""
    return "asyncio"
