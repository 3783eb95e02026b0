"""Every error travels under a code, and means the same to the client as it did to the server."""

import pytest

from cosi.resource.metadata import Kind, Metadata, Phase
from cosi.resource.wire import Malformed
from cosi.rpc.codes import CODES, Method, code_of, error_of, name_of
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


def test_a_name_tells_apart_what_shares_a_code() -> None:
    malformed = error_of(Code.INVALID_ARGUMENT, "words", Method.UPDATE, ABOUT, name="InvalidArgument")
    conflict = error_of(Code.INVALID_ARGUMENT, "words", Method.UPDATE, ABOUT, name="PhaseConflict")

    assert (type(malformed), type(conflict)) == (errors.InvalidArgument, errors.PhaseConflict)


@pytest.mark.parametrize("name", [None, "", "Invented", "NotFound", "Malformed", "Exception"])
def test_a_name_that_is_unknown_or_contradicts_the_code_is_ignored(name: str | None) -> None:
    error = error_of(Code.INVALID_ARGUMENT, "words", Method.UPDATE, ABOUT, name=name)

    assert type(error) is errors.PhaseConflict


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.VersionConflict(ABOUT, expected=2), "VersionConflict"),
        (errors.Overrun(Kind("default", "T"), end=9, position=1, capacity=4), "LimitExceeded"),
        (Malformed("metadata.phase", "unknown"), "InvalidArgument"),
    ],
)
def test_an_error_goes_by_the_name_of_what_the_client_is_to_raise(error: Exception, name: str) -> None:
    assert name_of(error) == name


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
@pytest.mark.parametrize("method", Method)
def test_every_status_of_every_method_is_an_error_with_its_words(code: Code, method: Method) -> None:
    error = error_of(code, "their words", method, ABOUT)

    assert isinstance(error, errors.StateError)
    assert str(error) == "their words"
