"""What failures of other layers mean in gRPC."""

import pytest

from cosi.rpc.http2.errors import ErrorCode, error_name
from cosi.rpc.http2.status import Code, RpcError, code_of_http_status, code_of_reset


@pytest.mark.parametrize(
    ("http_status", "code"),
    [
        (400, Code.INTERNAL),
        (401, Code.UNAUTHENTICATED),
        (403, Code.PERMISSION_DENIED),
        (404, Code.UNIMPLEMENTED),
        (429, Code.UNAVAILABLE),
        (503, Code.UNAVAILABLE),
        (200, Code.UNKNOWN),
        (418, Code.UNKNOWN),
    ],
)
def test_an_http_status_has_a_code(http_status: int, code: Code) -> None:
    assert code_of_http_status(http_status) is code


@pytest.mark.parametrize(
    ("error_code", "code"),
    [
        (ErrorCode.REFUSED_STREAM, Code.UNAVAILABLE),
        (ErrorCode.CANCEL, Code.CANCELLED),
        (ErrorCode.ENHANCE_YOUR_CALM, Code.RESOURCE_EXHAUSTED),
        (ErrorCode.INADEQUATE_SECURITY, Code.PERMISSION_DENIED),
        (ErrorCode.NO_ERROR, Code.INTERNAL),
        (0xDEAD, Code.INTERNAL),
    ],
)
def test_a_reset_has_a_code(error_code: int, code: Code) -> None:
    assert code_of_reset(error_code) is code


def test_an_rpc_error_reads_as_its_code_and_message() -> None:
    error = RpcError(Code.NOT_FOUND, "no such thing")

    assert str(error) == "NOT_FOUND: no such thing"
    assert (error.code, error.code_name, error.message) == (5, "NOT_FOUND", "no such thing")
    assert str(RpcError(Code.ABORTED, "")) == "ABORTED"


def test_error_codes_that_nobody_knows_still_have_a_name() -> None:
    assert error_name(8) == "CANCEL"
    assert error_name(0xDEAD) == "error 0xdead"
