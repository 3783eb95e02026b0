"""How answers say what became of their call: a code, a text in any language, and metadata that HTTP/2 can carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import Peer, request


def test_an_answer_without_messages_is_trailers_only() -> None:
    peer = Peer()
    peer.send(request(1, end=True))

    peer.connection.finish(1, Code.NOT_FOUND, "no such thing", [("cosi-error", "NotFound")])

    assert peer.answer(1).headers == {
        ":status": "200",
        "content-type": "application/grpc",
        "grpc-status": "5",
        "grpc-message": "no such thing",
        "cosi-error": "NotFound",
    }
    assert peer.answer(1).ended


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_any_status_may_follow_messages(code: Code) -> None:
    peer = Peer()
    peer.send(request(1, end=True))

    peer.connection.send(1, envelope(b"some"))
    peer.connection.finish(1, code, "then no more", [("details-bin", b"\0\xff")])

    assert peer.answer(1).contents == [b"some"]
    assert peer.answer(1).trailers == {
        "grpc-status": str(int(code)),
        "grpc-message": "then no more",
        "details-bin": "AP8",
    }


@given(st.text())
def test_any_text_may_explain_a_status(text: str) -> None:
    peer = Peer()
    peer.send(request(1, end=True))

    try:
        peer.connection.finish(1, Code.UNKNOWN, text)
    except UnicodeEncodeError:
        assert any("\ud800" <= character <= "\udfff" for character in text)
        return

    assert peer.answer(1).message == text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("key", b"bytes", id="bytes under a key for text"),
        pytest.param("key", "ä", id="not ASCII"),
        pytest.param("ä", "text", id="key not ASCII"),
        pytest.param("Key", "text", id="upper case"),
        pytest.param("a key", "text", id="space in a key"),
        pytest.param("", "text", id="no key"),
        pytest.param(":status", "404", id="pseudo-header"),
        pytest.param("key", "two\nlines", id="line feed"),
        pytest.param("key", "zero\0", id="zero"),
    ],
)
def test_metadata_that_cannot_be_sent_is_refused_and_the_call_can_still_be_finished(
    key: str, value: str | bytes
) -> None:
    peer = Peer()
    peer.send(request(1, end=True))

    with pytest.raises(ValueError, match=r".+"):
        peer.connection.finish(1, Code.UNKNOWN, "", [(key, value)])
    assert peer.heard() == []
    peer.connection.finish(1, Code.INTERNAL)

    assert peer.answer(1).code is Code.INTERNAL
