"""One table between the errors of a state and gRPC status codes, used by the server one way and the client the other.

The codes are those of the Go runtime (pkg/state/protobuf/server and client). Several errors share a code; the client
tells them apart by what it had asked for.
"""

from __future__ import annotations

import enum
from typing import Final

from cosi.resource.metadata import Metadata, Phase
from cosi.resource.wire import Malformed
from cosi.rpc.http2.status import Code
from cosi.state import errors


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


CODES: Final[dict[type[Exception], Code]] = {
    errors.NotFound: Code.NOT_FOUND,
    errors.OwnerConflict: Code.PERMISSION_DENIED,
    errors.AlreadyExists: Code.ALREADY_EXISTS,
    errors.PhaseConflict: Code.INVALID_ARGUMENT,
    errors.Conflict: Code.FAILED_PRECONDITION,
    errors.InvalidBookmark: Code.FAILED_PRECONDITION,
    errors.InvalidArgument: Code.INVALID_ARGUMENT,
    errors.Unsupported: Code.UNIMPLEMENTED,
    errors.AccessDenied: Code.PERMISSION_DENIED,
    errors.Unavailable: Code.UNAVAILABLE,
    errors.Overrun: Code.RESOURCE_EXHAUSTED,
    errors.StateError: Code.UNKNOWN,
    Malformed: Code.INVALID_ARGUMENT,
}
"""The code of an error is that of the nearest class of its ancestry that stands here."""

_WRITES: Final = {Method.CREATE, Method.UPDATE, Method.DESTROY, Method.TEARDOWN, Method.TEARDOWN_AND_DESTROY}


def code_of(error: Exception) -> Code | None:
    """Return the code an error travels under; None if it is not one that a state raises."""
    return next((CODES[ancestor] for ancestor in type(error).__mro__ if ancestor in CODES), None)


def error_of(code: Code, message: str, method: Method, about: Metadata) -> errors.StateError:
    """Return the error that a status means to who called `method` with the resource `about`."""
    match code, method:
        case Code.NOT_FOUND, _:
            return errors.NotFound(about.pointer, message=message)
        case Code.ALREADY_EXISTS, _:
            return errors.AlreadyExists(about, message=message)
        case Code.PERMISSION_DENIED, _ if method in _WRITES:
            return errors.OwnerConflict(about, message=message)
        case Code.PERMISSION_DENIED, _:
            return errors.AccessDenied(message)
        case Code.INVALID_ARGUMENT, Method.UPDATE:
            return errors.PhaseConflict(about, expected=Phase.RUNNING, message=message)
        case Code.INVALID_ARGUMENT, _:
            return errors.InvalidArgument(message)
        case Code.FAILED_PRECONDITION, Method.UPDATE:
            return errors.VersionConflict(about, expected=about.version, message=message)
        case Code.FAILED_PRECONDITION, Method.DESTROY:
            return errors.PendingFinalizers(about, message=message)
        case Code.FAILED_PRECONDITION, Method.WATCH:
            return errors.InvalidBookmark(message=message)
        case Code.FAILED_PRECONDITION, _:
            return errors.Conflict(about.pointer, message)
        case Code.UNIMPLEMENTED, _:
            return errors.Unsupported(message)
        case ((Code.UNAVAILABLE | Code.CANCELLED | Code.DEADLINE_EXCEEDED), _):
            return errors.Unavailable(message)
        case _:
            return errors.StateError(message)
