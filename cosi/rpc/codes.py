"""One table between the errors of a state and gRPC status codes, used by the server one way and the client the other.

The codes are those of the Go runtime (pkg/state/protobuf/server and client). Several errors share a code. Our server
therefore says in the trailing metadata which one it means, which a Go client does not look at; where nothing is said,
the client tells them apart by what it had asked for.
"""

from __future__ import annotations

import enum
from typing import Final

from cosi.resource.metadata import Metadata, Phase
from cosi.resource.wire import Malformed
from cosi.rpc.http2.status import Code
from cosi.state import errors

ERROR_KEY: Final = "cosi-error"
"""The key in the trailing metadata of a failed call; its value is the name of a class in `cosi.state.errors`."""


class Method(enum.StrEnum):
    """The methods of the State service."""

    GET = "Get"
    LIST = "List"
    CREATE = "Create"
    UPDATE = "Update"
    DESTROY = "Destroy"
    WATCH = "Watch"
    TEARDOWN = "Teardown"
    TEARDOWN_AND_DESTROY = "TeardownAndDestroy"


class RuntimeMethod(enum.StrEnum):
    """The methods of the ControllerRuntime service."""

    JOIN = "Join"
    REPORT = "Report"
    EXPLAIN = "Explain"
    METRICS = "Metrics"


CODES: Final[dict[type[Exception], Code]] = {
    errors.NotFound: Code.NOT_FOUND,
    errors.OwnerConflict: Code.PERMISSION_DENIED,
    errors.AlreadyExists: Code.ALREADY_EXISTS,
    errors.PhaseConflict: Code.INVALID_ARGUMENT,
    errors.VersionConflict: Code.FAILED_PRECONDITION,
    errors.PendingFinalizers: Code.FAILED_PRECONDITION,
    errors.Conflict: Code.FAILED_PRECONDITION,
    errors.InvalidBookmark: Code.FAILED_PRECONDITION,
    errors.InvalidArgument: Code.INVALID_ARGUMENT,
    errors.Unsupported: Code.UNIMPLEMENTED,
    errors.AccessDenied: Code.PERMISSION_DENIED,
    errors.DeadlineExceeded: Code.DEADLINE_EXCEEDED,
    errors.Unavailable: Code.UNAVAILABLE,
    errors.ProtocolViolation: Code.INTERNAL,
    errors.LimitExceeded: Code.RESOURCE_EXHAUSTED,
    errors.StateError: Code.UNKNOWN,
    Malformed: Code.INVALID_ARGUMENT,
}
"""The code of an error is that of the nearest class of its ancestry that stands here."""

_WRITES: Final = {Method.CREATE, Method.UPDATE, Method.DESTROY, Method.TEARDOWN, Method.TEARDOWN_AND_DESTROY}
_NAMED: Final = {kind.__name__: kind for kind in CODES if issubclass(kind, errors.StateError)}


def code_of(error: Exception) -> Code | None:
    """Return the code an error travels under; None if it is not one that a state raises."""
    return next((CODES[ancestor] for ancestor in type(error).__mro__ if ancestor in CODES), None)


def name_of(error: Exception) -> str:
    """Return the name an error travels under: that of the class the client is to raise."""
    known = (ancestor.__name__ for ancestor in type(error).__mro__ if ancestor.__name__ in _NAMED)
    return next(known, errors.InvalidArgument.__name__ if isinstance(error, Malformed) else errors.StateError.__name__)


def error_of(
    code: Code, message: str, method: Method | RuntimeMethod, about: Metadata, *, name: str | None = None
) -> errors.StateError:
    """Return the error that a status means to who called `method` with the resource `about`.

    `name` is what the server said under ERROR_KEY; one not known here, or that does not go with the code, is ignored.
    """
    kind = _NAMED.get(name or "")
    if kind is None or CODES[kind] is not code:
        kind = _meaning(code, method)
    return _rebuilt(kind, message, about)


def _meaning(code: Code, method: Method | RuntimeMethod) -> type[errors.StateError]:
    match code, method:
        case Code.NOT_FOUND, _:
            return errors.NotFound
        case Code.ALREADY_EXISTS, _:
            return errors.AlreadyExists
        case Code.PERMISSION_DENIED, _ if method in _WRITES:
            return errors.OwnerConflict
        case ((Code.PERMISSION_DENIED | Code.UNAUTHENTICATED), _):
            return errors.AccessDenied
        case Code.INVALID_ARGUMENT, Method.UPDATE:
            return errors.PhaseConflict
        case Code.INVALID_ARGUMENT, _:
            return errors.InvalidArgument
        case Code.FAILED_PRECONDITION, Method.UPDATE:
            return errors.VersionConflict
        case Code.FAILED_PRECONDITION, Method.DESTROY:
            return errors.PendingFinalizers
        case Code.FAILED_PRECONDITION, Method.WATCH:
            return errors.InvalidBookmark
        case Code.FAILED_PRECONDITION, _:
            return errors.Conflict
        case Code.UNIMPLEMENTED, _:
            return errors.Unsupported
        case Code.RESOURCE_EXHAUSTED, _:
            return errors.LimitExceeded
        case Code.DEADLINE_EXCEEDED, _:
            return errors.DeadlineExceeded
        case ((Code.UNAVAILABLE | Code.CANCELLED), _):
            return errors.Unavailable
        case _:
            return errors.StateError


def _rebuilt(kind: type[errors.StateError], message: str, about: Metadata) -> errors.StateError:
    if kind is errors.NotFound:
        return errors.NotFound(about.pointer, message=message)
    if kind is errors.Conflict:
        return errors.Conflict(about.pointer, message)
    if kind is errors.VersionConflict:
        return errors.VersionConflict(about, expected=about.version, message=message)
    if kind is errors.PhaseConflict:
        return errors.PhaseConflict(about, expected=Phase.RUNNING, message=message)
    if issubclass(kind, errors.AlreadyExists | errors.PendingFinalizers | errors.OwnerConflict):
        return kind(about, message=message)
    if kind is errors.InvalidBookmark:
        return errors.InvalidBookmark(message=message)
    return kind(message)
