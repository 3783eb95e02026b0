"""Only a payload that a known key has signed, and that names the image itself, speaks for an image."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions.blobs import digest_of
from talos.extensions.signed_payload import (
    MAX_ENVELOPE_SIGNATURES,
    MAX_PAYLOAD_BYTES,
    Refused,
    Verified,
    verify_bundle,
    verify_simple,
)
from tests.talos.extensions.signing import Signer, bundle, other_digest, simple_payload

DIGEST = digest_of(b"the image")
SIGNER = Signer()


def simple(payload: bytes, signature: str | None = None, *, keys: tuple[Signer, ...] = (SIGNER,)) -> Verified:
    made = SIGNER.signature(payload) if signature is None else signature
    return verify_simple(payload, made, digests={DIGEST}, keys=[each.public for each in keys])


def in_bundle(content: bytes, *, keys: tuple[Signer, ...] = (SIGNER,)) -> Verified:
    return verify_bundle(content, digests={DIGEST}, keys=[each.public for each in keys])


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return a good bundle, changed after it was signed."""
    document = json.loads(bundle(SIGNER, DIGEST))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
def test_every_kind_of_key_signs_both_forms(kind: str) -> None:
    signer = Signer(kind)
    payload = simple_payload(DIGEST)

    found = simple(payload, signer.signature(payload), keys=(SIGNER, signer))

    assert found == Verified(DIGEST, signer.public)
    assert in_bundle(bundle(signer, DIGEST), keys=(SIGNER, signer)) == found


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (simple_payload(other_digest()), "another image"),
        (simple_payload(DIGEST.upper()), "another image"),
        (simple_payload(DIGEST, kind="atomic container signature"), "is of the type 'atomic container signature'"),
        (b"", "cannot be read"),
        (b"null", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"critical": {"type": 1, "image": {}}}', "cannot be read"),
        (b" " * (MAX_PAYLOAD_BYTES + 1), f"at most {MAX_PAYLOAD_BYTES} are read"),
    ],
)
def test_a_signed_payload_that_is_no_signature_of_the_image_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        simple(payload)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bundle(SIGNER, other_digest()), "another image"),
        (bundle(Signer(), DIGEST), "another key"),
        (bundle(SIGNER, DIGEST, predicate="https://slsa.dev/provenance/v1"), "no image's signature"),
        (bundle(SIGNER, DIGEST, kind="text/plain"), "not an in-toto statement"),
        (bundle(SIGNER, DIGEST, statement=b"{"), "what is signed cannot be read"),
        (
            bundle(SIGNER, DIGEST, statement=b'{"_type": "a", "predicateType": "b", "subject": []}'),
            "no in-toto statement",
        ),
        (bundle(SIGNER, "sha512:" + "0" * 128), "for no image"),
        (changed(lambda it: it.update(mediaType="text/plain")), "calls itself 'text/plain'"),
        (changed(lambda it: it.pop("dsseEnvelope")), "the bundle cannot be read"),
        (changed(lambda it: it["dsseEnvelope"].update(signatures=[])), "another key"),
        (changed(lambda it: it["dsseEnvelope"].update(payload="=")), "the payload is not base64"),
        (changed(lambda it: it["dsseEnvelope"]["signatures"][0].update(sig="é")), "the signature is not base64"),
        (
            changed(lambda it: it["dsseEnvelope"].update(signatures=[{"sig": ""}] * (MAX_ENVELOPE_SIGNATURES + 1))),
            "9 signatures, at most 8 are read",
        ),
        (b" " * (MAX_PAYLOAD_BYTES + 1), f"at most {MAX_PAYLOAD_BYTES} are read"),
    ],
)
def test_a_bundle_that_is_no_signature_of_the_image_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        in_bundle(content)


def test_a_strangers_text_cannot_break_a_message() -> None:
    payload = simple_payload(DIGEST, kind="\n\x1b[2J" + "x" * 500)

    with pytest.raises(Refused) as caught:
        simple(payload)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@given(st.data())
def test_no_change_of_a_signed_payload_goes_unnoticed(data: st.DataObject) -> None:
    payload = simple_payload(DIGEST)
    place = data.draw(st.integers(0, len(payload) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != payload[place]))
    tampered = payload[:place] + bytes([other]) + payload[place + 1 :]

    with pytest.raises(Refused):
        simple(tampered, SIGNER.signature(payload))


@given(st.data())
def test_no_change_of_a_bundles_statement_goes_unnoticed(data: st.DataObject) -> None:
    def change(document: dict[str, Any]) -> None:
        payload = bytearray(base64.b64decode(document["dsseEnvelope"]["payload"]))
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place] ^= data.draw(st.integers(1, 255))
        document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()

    with pytest.raises(Refused):
        in_bundle(changed(change))


@given(st.binary(max_size=300), st.text(max_size=100))
def test_garbage_ends_in_a_refusal(content: bytes, signature: str) -> None:
    with pytest.raises(Refused):
        simple(content, signature)
    with pytest.raises(Refused):
        in_bundle(content)


@given(st.binary(max_size=300))
def test_garbage_that_is_signed_ends_in_a_refusal(content: bytes) -> None:
    with pytest.raises(Refused):
        simple(content)
    with pytest.raises(Refused):
        in_bundle(bundle(SIGNER, DIGEST, statement=content or b"x"))
