"""What every test can ask for."""

import hypothesis
import pytest

# A busy machine may take its time over one example; pytest-timeout bounds the whole test.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio unless a room's own conftest says otherwise."""
    return "asyncio"
