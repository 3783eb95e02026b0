"""What the tests of the client's connections have in common. They run on asyncio and on trio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from cosi.rpc.address import Address
from tests.cosi.rpc.remote.clock import AsyncioClock, Clock, TrioClock
from tests.cosi.rpc.remote.elsewhere import Elsewhere, another_thread


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """The event loop to run on."""
    return request.param, {"clock": TrioClock()} if request.param == "trio" else {}


@pytest.fixture
def where(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "cosi.sock"))


@pytest.fixture
async def clock(anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch) -> Clock:
    if anyio_backend_name == "asyncio":
        return Clock(AsyncioClock(monkeypatch))
    running = trio.lowlevel.current_clock()
    assert isinstance(running, TrioClock)
    return Clock(running)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Where servers run, which need asyncio."""
    with another_thread() as thread:
        yield thread
