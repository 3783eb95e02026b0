"""What the tests of the client's connections have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosi.rpc.address import Address
from tests.cosi.rpc.remote.clock import Clock


@pytest.fixture
def where(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "cosi.sock"))


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
