"""Everything a state can refuse, one tree, split by what the caller can do about it.

    StateError
    ├── NotFound                 the resource does not exist
    ├── Conflict                 it is not as the caller believed
    │   ├── AlreadyExists          create: somebody was faster
    │   ├── VersionConflict        update: read again, then try again
    │   ├── PendingFinalizers      destroy: somebody still needs it
    │   ├── OwnerConflict          it belongs to another owner
    │   └── PhaseConflict          it is (or is not) being torn down
    ├── InvalidArgument          the request makes no sense
    ├── InvalidBookmark          the watch can't be resumed from there
    ├── LimitExceeded            a message is too large, or there is too much of something
    │   └── Overrun                the watcher was too slow and lost events
    ├── Unsupported              this state cannot do that
    ├── AccessDenied             the caller may not do that
    ├── Unavailable              a remote state can't be reached, or broke off
    │   └── DeadlineExceeded       it, or something on the way to it, gave the call up for lack of time
    └── ProtocolViolation        a remote state gave an answer that makes no sense

Attributes are for handlers; the message is for people and names the resource as `Type(namespace/id@version)`. An error
that came over the wire keeps the words of the other side.
"""

from __future__ import annotations

from cosi.resource.metadata import UNDEFINED_VERSION, Kind, Metadata, Phase, Pointer


class StateError(Exception):
    """The base of all errors a state raises."""


class NotFound(StateError):
    """The resource does not exist."""

    def __init__(self, pointer: Pointer, *, message: str | None = None) -> None:
        super().__init__(message or f"resource {pointer} doesn't exist")
        self.pointer = pointer


class Conflict(StateError):
    """The resource is not as the caller believed."""

    def __init__(self, pointer: Pointer, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class AlreadyExists(Conflict):
    """A resource of this name exists."""

    def __init__(self, metadata: Metadata, *, message: str | None = None) -> None:
        super().__init__(metadata.pointer, message or f"resource {metadata} already exists")


class VersionConflict(Conflict):
    """The resource was changed since the caller read it."""

    def __init__(self, metadata: Metadata, *, expected: int | None, message: str | None = None) -> None:
        wanted = UNDEFINED_VERSION if expected is None else str(expected)
        default = (
            f'resource {metadata} update conflict: expected version "{wanted}", '
            f'actual version "{metadata.version_text}"'
        )
        super().__init__(metadata.pointer, message or default)
        self.expected = expected
        self.found = metadata.version


class PendingFinalizers(Conflict):
    """The resource can't be destroyed while somebody holds a finalizer on it."""

    def __init__(self, metadata: Metadata, *, message: str | None = None) -> None:
        names = " ".join(metadata.finalizers)
        super().__init__(metadata.pointer, message or f"resource {metadata} has pending finalizers [{names}]")
        self.finalizers = metadata.finalizers


class OwnerConflict(Conflict):
    """The resource belongs to another owner; `owner` is that one, empty if nobody owns it."""

    def __init__(self, metadata: Metadata, *, message: str | None = None) -> None:
        super().__init__(metadata.pointer, message or f'resource {metadata} is owned by "{metadata.owner}"')
        self.owner = metadata.owner


class PhaseConflict(Conflict):
    """The resource is not in the phase the caller expects."""

    def __init__(self, metadata: Metadata, *, expected: Phase, message: str | None = None) -> None:
        super().__init__(metadata.pointer, message or f"resource {metadata} is not in phase {expected.value}")
        self.expected = expected


class InvalidArgument(StateError):
    """The request makes no sense: options that exclude each other, a malformed query or resource."""


class InvalidBookmark(StateError):
    """The bookmark is not of this state, or what followed it is no longer in the event log."""

    def __init__(self, *, message: str | None = None) -> None:
        super().__init__(message or "invalid watch bookmark")


class LimitExceeded(StateError):
    """A message is larger than one of the two sides takes, or there is too much of something."""


class Overrun(LimitExceeded):
    """A watcher read so slowly that events it had not seen were overwritten."""

    def __init__(self, kind: Kind, *, end: int, position: int, capacity: int) -> None:
        super().__init__(
            f'buffer overrun: namespace "{kind.namespace}" type "{kind.type}", '
            f"write pos {end}, pos {position}, capacity {capacity}"
        )


class Unsupported(StateError):
    """This state cannot do that."""


class AccessDenied(StateError):
    """The caller may not do that."""


class Unavailable(StateError):
    """A remote state can't be reached, or the connection to it broke."""


class DeadlineExceeded(Unavailable):
    """The other side, or something on the way to it, gave the call up for lack of time; it may have been done or not.

    The caller's own deadlines are cancel scopes and raise TimeoutError.
    """


class ProtocolViolation(StateError):
    """A remote state gave an answer that makes no sense: its fault, or that of something on the way."""
