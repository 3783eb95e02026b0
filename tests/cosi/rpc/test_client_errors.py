"""Whatever a server answers or fails to answer, callers meet an error of a state, and the right one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from cosi.resource.metadata import Phase, Pointer
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.http2.grpc_response import MAX_MESSAGE_BYTES
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state import errors
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import PathSpec, path, sample_registry
from tests.cosi.rpc.operations import (
    ANSWERED,
    KIND,
    OPERATIONS,
    POINTER,
    STORED,
    Operation,
    every_operation,
    open_watch_of_kind,
)
from tests.cosi.rpc.scripted_server import Context, answering, refusing, scripted
from tests.cosi.rpc.test_codes import ABOUT, all_errors

pytestmark = pytest.mark.anyio


@pytest.fixture
def where(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "cosi.sock"))


class Refusing(MemoryState):
    """A state that refuses every read and update with one error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def get(self, pointer: Pointer) -> AnyResource:
        raise self._error

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        raise self._error


EVERY_ERROR: Sequence[errors.StateError] = (
    errors.NotFound(ABOUT.pointer),
    errors.Conflict(ABOUT.pointer, "it is not as you believed"),
    errors.AlreadyExists(ABOUT),
    errors.VersionConflict(ABOUT, expected=2),
    errors.PendingFinalizers(ABOUT),
    errors.OwnerConflict(ABOUT),
    errors.PhaseConflict(ABOUT, expected=Phase.RUNNING),
    errors.InvalidArgument("metadata.phase: unknown phase: 'asleep'"),
    errors.InvalidBookmark(),
    errors.LimitExceeded("too many finalizers"),
    errors.Unsupported("no"),
    errors.AccessDenied("not for you"),
    errors.Unavailable("the database is down"),
    errors.DeadlineExceeded("the database is slow"),
    errors.ProtocolViolation("the database is mad"),
    errors.StateError("no luck"),
)


def test_these_are_all_errors_that_a_call_can_end_with() -> None:
    of_a_state = {error for error in all_errors() if error.__module__ == errors.__name__}
    assert {type(error) for error in EVERY_ERROR} == of_a_state - {errors.Overrun}


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
async def test_every_error_of_a_state_comes_over_the_wire_as_itself(where: Address, error: errors.StateError) -> None:
    async with serving(Refusing(error), Registry(), [where]), connected(where, Registry()) as remote:
        with pytest.raises(errors.StateError) as reading:
            await remote.get(POINTER)
        with pytest.raises(errors.StateError) as updating:
            await remote.update(STORED)

    for raised in (reading, updating):
        assert (type(raised.value), str(raised.value)) == (type(error), str(error))


async def test_a_malformed_update_is_told_from_one_in_the_wrong_phase(where: Address) -> None:
    registry = sample_registry()
    nameless = path("a").with_metadata(STORED.metadata.replace(type=""))

    async with serving(MemoryState(), registry, [where]), connected(where, registry) as remote:
        stored = await remote.create(path("a"))
        with pytest.raises(errors.InvalidArgument, match=r"metadata\.type: is empty"):
            await remote.update(nameless)
        with pytest.raises(errors.PhaseConflict):
            await remote.update(stored, expected_phase=Phase.TEARING_DOWN)


@pytest.mark.parametrize(
    ("code", "name", "error"),
    [
        (Code.INVALID_ARGUMENT, "update", errors.PhaseConflict),
        (Code.FAILED_PRECONDITION, "update", errors.VersionConflict),
        (Code.FAILED_PRECONDITION, "destroy", errors.PendingFinalizers),
        (Code.FAILED_PRECONDITION, "watch", errors.InvalidBookmark),
        (Code.PERMISSION_DENIED, "create", errors.OwnerConflict),
        (Code.PERMISSION_DENIED, "list", errors.AccessDenied),
        (Code.UNAUTHENTICATED, "get", errors.AccessDenied),
        (Code.DEADLINE_EXCEEDED, "get", errors.DeadlineExceeded),
        (Code.CANCELLED, "get", errors.Unavailable),
        (Code.RESOURCE_EXHAUSTED, "list", errors.LimitExceeded),
        (Code.DATA_LOSS, "get", errors.StateError),
    ],
)
async def test_a_server_that_names_no_errors_is_understood_by_its_codes(
    where: Address, code: Code, name: str, error: type[errors.StateError]
) -> None:
    async with scripted(where, refusing(code, "their words")), connected(where, Registry()) as remote:
        with pytest.raises(errors.StateError) as raised:
            await OPERATIONS[name](remote)

    assert (type(raised.value), str(raised.value)) == (error, "their words")


@every_operation
async def test_a_server_that_is_not_there_is_unavailable(where: Address, operation: Operation) -> None:
    async with connected(where, Registry()) as remote:
        with pytest.raises(errors.Unavailable, match=r"cosi\.sock"):
            await operation(remote)


@pytest.mark.parametrize("operation", ANSWERED.values(), ids=ANSWERED)
async def test_bytes_that_are_no_message_are_a_protocol_violation(where: Address, operation: Operation) -> None:
    async with scripted(where, answering(b"\xff\xff")), connected(where, sample_registry()) as remote:
        with pytest.raises(errors.ProtocolViolation, match=r"the server's answer to \w+ makes no sense: not a cosi"):
            await operation(remote)


async def test_a_server_that_ends_a_watch_before_it_began_is_unavailable(where: Address) -> None:
    async def nothing(_request: bytes, _context: Context) -> AsyncIterator[bytes]:
        return
        yield b""

    async with scripted(where, {Method.WATCH: nothing}), connected(where, Registry()) as remote:
        with pytest.raises(errors.Unavailable, match="ended the watch before it was set up"):
            await open_watch_of_kind(remote)


async def test_a_message_over_the_limit_is_refused_and_the_connection_goes_on(where: Address) -> None:
    huge = bytes(MAX_MESSAGE_BYTES + 1)
    script = {**answering(huge), Method.LIST: answering()[Method.LIST]}

    async with scripted(where, script), connected(where, Registry()) as remote:
        with pytest.raises(errors.LimitExceeded, match=str(MAX_MESSAGE_BYTES)):
            await remote.get(POINTER)
        assert await remote.list(KIND) == []


async def test_a_request_over_the_servers_limit_is_refused_and_the_connection_goes_on(where: Address) -> None:
    large = path("a").with_spec(PathSpec(path="x" * (4 << 20)))

    async with serving(MemoryState(), sample_registry(), [where]), connected(where, sample_registry()) as remote:
        with pytest.raises(errors.LimitExceeded):
            await remote.create(large)
        assert await remote.list(KIND) == []
