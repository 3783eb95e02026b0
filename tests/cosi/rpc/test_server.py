"""The server on grpc.aio: who may listen where, and what a handler's failure becomes."""

import os
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from cosi.resource.metadata import Pointer
from cosi.resource.resource import AnyResource
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state import errors
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import PathResource, path, sample_registry

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0


def at(directory: Path) -> Address:
    return Address(path=str(directory / "cosi.sock"))


async def test_the_socket_is_for_its_user_alone_and_gone_afterwards(tmp_path: Path) -> None:
    where = at(tmp_path / "run")
    async with serving(MemoryState(), sample_registry(), [where]):
        mode = os.stat(where.path).st_mode & 0o777
        directory_mode = os.stat(tmp_path / "run").st_mode & 0o777

    assert (mode, directory_mode) == (0o600, 0o700)
    assert not os.path.exists(where.path)


async def test_a_server_that_is_cancelled_stops_as_one_that_ends(tmp_path: Path) -> None:
    where = at(tmp_path)

    with anyio.CancelScope() as scope:
        async with serving(MemoryState(), sample_registry(), [where]):
            scope.cancel()
            await anyio.lowlevel.checkpoint()

    assert scope.cancelled_caught
    assert not os.path.exists(where.path)
    async with connected(where, sample_registry()) as remote:
        with pytest.raises(errors.Unavailable):
            await remote.create(path("a"))


async def test_addresses_taken_before_one_that_is_refused_are_given_back(tmp_path: Path) -> None:
    where = at(tmp_path)

    with pytest.raises(ValueError, match="plain text"):
        async with serving(MemoryState(), sample_registry(), [where, Address(host="192.0.2.1", port=1)]):
            pass

    async with serving(MemoryState(), sample_registry(), [where]), connected(where, sample_registry()) as remote:
        await remote.create(path("a"))


async def test_a_socket_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    where = at(tmp_path)
    async with serving(MemoryState(), sample_registry(), [where]), connected(where, sample_registry()) as remote:
        with pytest.raises(FileExistsError, match="another server is running there"):
            async with serving(MemoryState(), sample_registry(), [where]):
                pass
        await remote.create(path("a"))


async def test_a_failure_that_is_not_a_states_is_logged_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(MemoryState):
        async def get(self, pointer: Pointer) -> AnyResource:
            raise RuntimeError("a secret detail")

    where = at(tmp_path)
    async with serving(Broken(), sample_registry(), [where]), connected(where, sample_registry()) as remote:
        with pytest.raises(errors.StateError) as failure:
            await State(remote).get(PathResource, "a")

    assert "secret" not in str(failure.value)
    assert "a secret detail" in capsys.readouterr().out


async def test_a_deadline_ends_a_call_and_a_watch_of_a_remote_state(tmp_path: Path) -> None:
    class Slow(MemoryState):
        async def get(self, pointer: Pointer) -> AnyResource:
            await anyio.sleep_forever()
            raise AssertionError

    where = at(tmp_path)
    async with serving(Slow(), sample_registry(), [where]), connected(where, sample_registry()) as remote:
        with pytest.raises(TimeoutError), anyio.fail_after(0.05):
            await remote.get(PathResource.pointer_to("a"))
        async with remote.watch_kind(PathResource.kind()) as watch:
            with pytest.raises(TimeoutError), anyio.fail_after(0.05):
                await watch.batch()


async def test_a_server_that_goes_away_ends_a_watch_with_one_error(tmp_path: Path) -> None:
    where = at(tmp_path)
    async with connected(where, sample_registry()) as remote:
        async with serving(MemoryState(), sample_registry(), [where]):
            watching = remote.watch_kind(PathResource.kind())
            watch = await watching.__aenter__()
        with anyio.fail_after(PATIENCE_SECONDS):
            events = [event async for event in watch]
        await watching.__aexit__(None, None, None)

    assert [type(event.error) for event in events] == [errors.Unavailable]


@pytest.mark.parametrize("id", ["x" * 900, "é" * 1000])
async def test_an_error_about_a_long_name_still_arrives_as_itself(tmp_path: Path, id: str) -> None:
    where = at(tmp_path)
    async with serving(MemoryState(), sample_registry(), [where]), connected(where, sample_registry()) as remote:
        held = path(id)
        many = tuple(f"{'é' * 50}-{number}" for number in range(100))
        await remote.create(held.with_metadata(held.metadata.with_finalizers(*many)))

        with pytest.raises(errors.PendingFinalizers) as refusal:
            await remote.destroy(held.pointer)

    assert str(refusal.value).startswith("resource Paths.test.cosi.dev(default/")
    assert str(refusal.value).endswith("…")
