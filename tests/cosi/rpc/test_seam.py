"""Envelopes go on and come off, and what a handler raises becomes what a client is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.resource.metadata import Pointer
from cosi.resource.wire import Malformed
from cosi.rpc.codes import ERROR_KEY
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import MAX_STATUS_MESSAGE_BYTES, Refusal, frame, messages, refusal_of
from cosi.state import errors


@given(st.lists(st.binary(max_size=20)))
def test_messages_come_out_of_their_envelopes_as_they_went_in(sent: list[bytes]) -> None:
    assert list(messages(b"".join(map(frame, sent)))) == sent


def test_an_envelope_says_that_nothing_is_compressed_and_how_long_the_message_is() -> None:
    assert frame(b"x" * 258) == b"\0\0\0\x01\x02" + b"x" * 258


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (errors.NotFound(Pointer("a", "b", "c")), Code.NOT_FOUND, "NotFound"),
        (errors.InvalidBookmark(), Code.FAILED_PRECONDITION, "InvalidBookmark"),
        (Malformed("metadata.id", "is too long"), Code.INVALID_ARGUMENT, "InvalidArgument"),
    ],
)
def test_an_error_of_a_state_travels_as_itself(error: Exception, code: Code, name: str) -> None:
    refusal = refusal_of(error)

    assert (refusal.code, refusal.message, refusal.trailers) == (code, str(error), ((ERROR_KEY, name),))


def test_a_refusal_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = refusal_of(Refusal(Code.ABORTED, "not today", (("try", "tomorrow"),)))

    assert (refusal.code, refusal.message, refusal.trailers) == (Code.ABORTED, "not today", (("try", "tomorrow"),))
    assert capsys.readouterr().out == ""


def test_a_failure_that_nobody_knows_is_logged_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = refusal_of(RuntimeError("a secret detail"))

    assert refusal.code is Code.INTERNAL
    assert refusal.trailers == ()
    assert "secret" not in refusal.message
    assert "a secret detail" in capsys.readouterr().out


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_long_message_is_cut_between_characters(part: str) -> None:
    text = part * (3 * MAX_STATUS_MESSAGE_BYTES // len(part))
    for error in (errors.InvalidArgument(text), Refusal(Code.ABORTED, text)):
        message = refusal_of(error).message

        assert len(message.removesuffix("…").encode()) <= MAX_STATUS_MESSAGE_BYTES
        assert message.endswith("…")
        assert text.startswith(message.removesuffix("…"))


def test_a_message_that_no_peer_could_decode_is_mended() -> None:
    assert refusal_of(Refusal(Code.ABORTED, "a file \udcff")).message == "a file ?"
