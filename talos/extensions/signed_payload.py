"""A signature says which image it is for in the bytes that it signs, and nothing outside those bytes is believed.

cosign writes two forms. The older one signs a JSON document that names the image's digest, "simple signing". The newer
one, what cosign 3 writes unless told otherwise, is a Sigstore bundle: a DSSE envelope around an in-toto statement
whose subject is the digest. A bundle signs attestations as well, so its statement must be of the kind that
`cosign sign` makes: a list of an image's vulnerabilities, signed with the same key, is no word in its favour.

The signature is checked before what it signs is parsed. Sources: sigstore/cosign specs/SIGNATURE_SPEC.md and
cmd/cosign/cli/sign/sign.go, secure-systems-lab/dsse protocol.md, in-toto/attestation spec/v1/statement.md.
"""

import base64
import binascii
from collections.abc import Collection, Sequence
from typing import TypeVar

import msgspec

from talos.extensions.public_key import PublicKey

MAX_PAYLOAD_BYTES = 128 * 1024  # a bundle with its entry in the transparency log has some 10 KiB
MAX_ENVELOPE_SIGNATURES = 8  # cosign writes one
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"

_SIMPLE_SIGNING = "cosign container image signature"
_STATEMENTS = frozenset({"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"})
_IN_TOTO = "application/vnd.in-toto+json"
_BUNDLE = "application/vnd.dev.sigstore.bundle."

T = TypeVar("T")


class Refused(Exception):
    """A signature does not speak for the image; the message says why, and begins in the middle of a sentence."""


class Verified(msgspec.Struct, frozen=True):
    """A signature that speaks for an image."""

    digest: str  # that was signed: of the index, or of the platform's manifest
    key: PublicKey


def verify_simple(payload: bytes, signature: str, *, digests: Collection[str], keys: Sequence[PublicKey]) -> Verified:
    """Check a simple signing payload and its signature, in base64, for an image of one of `digests`. Raises Refused."""
    _bound(payload)
    key = _signer(payload, [_unbase64(signature, "the signature")], keys)
    critical = _decode(payload, _Simple, "what is signed").critical
    if critical.type != _SIMPLE_SIGNING:
        raise Refused(f"what is signed is of the type {_shown(critical.type)}, which is no image's signature")
    return Verified(_one_of(digests, [critical.image.digest]), key)


def verify_bundle(raw: bytes, *, digests: Collection[str], keys: Sequence[PublicKey]) -> Verified:
    """Check a Sigstore bundle for an image of one of `digests`. Raises Refused."""
    _bound(raw)
    bundle = _decode(raw, _Bundle, "the bundle")
    envelope = bundle.envelope
    if not bundle.media_type.startswith(_BUNDLE):
        raise Refused(f"the bundle calls itself {_shown(bundle.media_type)}")
    if envelope.payload_type != _IN_TOTO:
        raise Refused(f"the bundle holds {_shown(envelope.payload_type)}, not an in-toto statement")
    if len(envelope.signatures) > MAX_ENVELOPE_SIGNATURES:
        found = len(envelope.signatures)
        raise Refused(f"the bundle holds {found} signatures, at most {MAX_ENVELOPE_SIGNATURES} are read")
    payload = _unbase64(envelope.payload, "the payload")
    signatures = [_unbase64(each.sig, "the signature") for each in envelope.signatures]
    key = _signer(_pre_authentication(envelope.payload_type, payload), signatures, keys)
    statement = _decode(payload, _Statement, "what is signed")
    if statement.type not in _STATEMENTS:
        raise Refused(f"what is signed is of the type {_shown(statement.type)}, which is no in-toto statement")
    if statement.predicate_type != SIGN_PREDICATE:
        raise Refused(f"what is signed is {_shown(statement.predicate_type)}, which is no image's signature")
    named = [f"sha256:{each.digest['sha256']}" for each in statement.subject if "sha256" in each.digest]
    return Verified(_one_of(digests, named), key)


class _SimpleImage(msgspec.Struct):
    digest: str = msgspec.field(name="docker-manifest-digest")


class _Critical(msgspec.Struct):
    image: _SimpleImage
    type: str


class _Simple(msgspec.Struct):
    critical: _Critical


class _EnvelopeSignature(msgspec.Struct):
    sig: str


class _Envelope(msgspec.Struct, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_EnvelopeSignature, ...]


class _Bundle(msgspec.Struct, rename="camel"):
    media_type: str
    envelope: _Envelope = msgspec.field(name="dsseEnvelope")


class _Subject(msgspec.Struct):
    digest: dict[str, str]


class _Statement(msgspec.Struct, rename="camel"):
    type: str = msgspec.field(name="_type")
    predicate_type: str
    subject: tuple[_Subject, ...]


def _bound(raw: bytes) -> None:
    if len(raw) > MAX_PAYLOAD_BYTES:
        raise Refused(f"the signature has {len(raw)} bytes, at most {MAX_PAYLOAD_BYTES} are read")


def _signer(message: bytes, signatures: Sequence[bytes], keys: Sequence[PublicKey]) -> PublicKey:
    for key in keys:
        if any(key.signed(message, signature) for signature in signatures):
            return key
    raise Refused("the signature was made with another key, or what it signs was changed")


def _pre_authentication(kind: str, payload: bytes) -> bytes:
    """Return what a DSSE signature is made over: kind and payload, each with its length, so that none can be moved."""
    encoded = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(encoded), encoded, len(payload), payload)


def _one_of(digests: Collection[str], named: Sequence[str]) -> str:
    for digest in named:
        if digest in digests:
            return digest
    raise Refused(f"the signature is for {_shown(named[0]) if named else 'no image'}, which is another image")


def _unbase64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{what} is not base64") from None


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused(f"{what} cannot be read") from None


def _shown(text: str) -> str:
    """Return a stranger's text so that it cannot break a message or flood a log."""
    return ascii(text[:80])
