"""A server's key by its fingerprint: how somebody who can read a node's console vouches for it before it has a login.

The form is Talos's: SHA-256 of the certificate's subjectPublicKeyInfo in base64. So much of DER is read here as it
takes to find that, because reading certificates in full takes a library that takes longer to load than a command may.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

_SEQUENCE: Final = 0x30
_EXPLICIT_VERSION: Final = 0xA0
_FIELDS_BEFORE_KEY: Final = 5
"""Serial number, signature algorithm, issuer, validity, subject (RFC 5280, 4.1)."""

_LONG_FORM: Final = 0x80


def require(text: str) -> None:
    """Raise ValueError for what is no fingerprint."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != hashlib.sha256().digest_size:
        raise ValueError(f"{text!r} is no fingerprint of a certificate: write the SHA-256 of its public key in base64")


def of_certificate(certificate: bytes) -> str:
    """Return the fingerprint of a certificate (DER). Raises ValueError for what is none."""
    _, outer, _ = _element(certificate, 0)
    _, position, _ = _element(certificate, outer)
    tag, _, end = _element(certificate, position)
    if tag == _EXPLICIT_VERSION:  # left out by certificates of the first version
        position = end
    for _ in range(_FIELDS_BEFORE_KEY):
        _, _, position = _element(certificate, position)
    tag, _, end = _element(certificate, position)
    if tag != _SEQUENCE:
        raise ValueError("there is no public key in the certificate")
    return base64.b64encode(hashlib.sha256(certificate[position:end]).digest()).decode()


def _element(der: bytes, start: int) -> tuple[int, int, int]:
    """Return an element's tag, where its content begins, and where it ends."""
    header = der[start : start + 2]
    if len(header) < 2:
        raise ValueError("the certificate is cut off")
    tag, length = header
    content = start + 2
    if length >= _LONG_FORM:
        digits = length - _LONG_FORM
        length = int.from_bytes(der[content : content + digits], "big")
        content += digits
    end = content + length
    if end > len(der):
        raise ValueError("the certificate is cut off")
    return tag, content, end
