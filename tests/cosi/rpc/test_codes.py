"""Every error travels under a code, and means the same to the client as it did to the server."""

import pytest

from cosi.resource.metadata import Metadata, Phase
from cosi.resource.wire import Malformed
from cosi.rpc.codes import CODES, Method, code_of, error_of
from cosi.rpc.http2.status import Code
from cosi.state import errors

ABOUT = Metadata("default", "Paths.test.cosi.dev", "a", version=3, owner="somebody")


def all_errors() -> list[type[errors.StateError]]:
    def below(error: type[errors.StateError]) -> list[type[errors.StateError]]:
        return [error, *(child for subclass in error.__subclasses__() for child in below(subclass))]

    return below(errors.StateError)


def test_every_error_of_a_state_has_a_code() -> None:
    assert all(any(ancestor in CODES for ancestor in error.__mro__) for error in all_errors())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotFound(ABOUT.pointer), Code.NOT_FOUND),
        (errors.AlreadyExists(ABOUT), Code.ALREADY_EXISTS),
        (errors.VersionConflict(ABOUT, expected=2), Code.FAILED_PRECONDITION),
        (errors.PendingFinalizers(ABOUT), Code.FAILED_PRECONDITION),
        (errors.OwnerConflict(ABOUT), Code.PERMISSION_DENIED),
        (errors.PhaseConflict(ABOUT, expected=Phase.RUNNING), Code.INVALID_ARGUMENT),
        (errors.InvalidBookmark(), Code.FAILED_PRECONDITION),
        (errors.Unsupported("no"), Code.UNIMPLEMENTED),
        (Malformed("metadata.phase", "unknown"), Code.INVALID_ARGUMENT),
    ],
)
def test_the_codes_are_those_of_the_go_runtime(error: Exception, code: Code) -> None:
    assert code_of(error) is code


def test_what_no_state_raises_has_no_code() -> None:
    assert code_of(KeyError("x")) is None


@pytest.mark.parametrize(
    ("method", "error"),
    [
        (Method.GET, errors.NotFound(ABOUT.pointer)),
        (Method.CREATE, errors.AlreadyExists(ABOUT)),
        (Method.CREATE, errors.OwnerConflict(ABOUT)),
        (Method.UPDATE, errors.VersionConflict(ABOUT, expected=2)),
        (Method.UPDATE, errors.PhaseConflict(ABOUT, expected=Phase.RUNNING)),
        (Method.UPDATE, errors.OwnerConflict(ABOUT)),
        (Method.DESTROY, errors.PendingFinalizers(ABOUT)),
        (Method.WATCH, errors.InvalidBookmark()),
        (Method.WATCH, errors.Unsupported("bootstrap contents is not implemented for resource watch")),
        (Method.LIST, errors.AccessDenied("not for you")),
    ],
)
def test_an_error_comes_back_as_itself_with_its_words(method: Method, error: errors.StateError) -> None:
    code = code_of(error)
    assert code is not None

    back = error_of(code, str(error), method, ABOUT)

    assert type(back) is type(error)
    assert str(back) == str(error)
