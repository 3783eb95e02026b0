"""A watch that broke is opened again when it was said to be, and not before."""

from __future__ import annotations

from pathlib import Path

import anyio
import grpc
import pytest
from structlog.testing import capture_logs

from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from tests.cosi.rpc.scripted_server import scripted
from tests.cosi.rpc.test_resume import POINTER, Episodes, event, ids, take

pytestmark = pytest.mark.anyio

LOGGED_TO_SECONDS = 0.001


async def test_a_broken_watch_waits_as_long_as_the_log_says(tmp_path: Path) -> None:
    where = Address(path=str(tmp_path / "cosi.sock"))
    broken = grpc.StatusCode.UNAVAILABLE
    server = Episodes(([b"", event("a", b"one")], broken), ([b""], broken), ([b"", event("a")], grpc.StatusCode.OK))

    with capture_logs() as log:
        async with scripted(where, server.script), connected(where, Registry()) as remote, remote.watch(POINTER) as it:
            await take(it, 1)
            begun = anyio.current_time()
            events = await take(it, 1)
            waited = anyio.current_time() - begun

    delays = [warning["backoff_seconds"] for warning in log]
    assert ids(events) == ["a"]
    assert len(delays) == 2
    assert waited >= sum(delays) - 2 * LOGGED_TO_SECONDS
