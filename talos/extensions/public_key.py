"""A public key is read once, when a policy is, so that checking a signature later has two outcomes and no errors.

Spoken are the schemes in which cosign signs with a key: ECDSA over P-256 and RSA with PKCS #1 v1.5, both over SHA-256,
and pure Ed25519. A key of any other kind is refused as it is read: a rule that names it could never let an image pass.
"""

import hashlib
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

MAX_PEM_CHARACTERS = 8 * 1024  # RSA with 16384 bits, the longest that anyone makes, takes some 3000
MIN_RSA_BITS = 2048

_BEGIN = "-----BEGIN "
_BEGIN_PUBLIC = "-----BEGIN PUBLIC KEY-----"
_REMEDY = "paste the whole of cosign.pub, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----"


class InvalidKey(ValueError):
    """The text is no public key that signatures are checked with."""

    def __init__(self, problem: str, remedy: str = _REMEDY) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")


class PublicKey:
    """A key that signatures are checked with; two are equal where their bytes are."""

    def __init__(self, key: EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey) -> None:
        self._key = key
        self._encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def parse(cls, pem: str) -> Self:
        """Read a key in PEM. Raises InvalidKey."""
        text = pem.strip()
        if len(text) > MAX_PEM_CHARACTERS:
            raise InvalidKey(f"the key has {len(text)} characters, at most {MAX_PEM_CHARACTERS} are read")
        if "PRIVATE KEY" in text[:80]:
            # A secret in a policy is known to whoever may read the policy, so it is told before anything else.
            raise InvalidKey("this is a private key", "write the public one, cosign.pub, and make a new pair")
        if not text.startswith(_BEGIN_PUBLIC) or text.count(_BEGIN) != 1:
            raise InvalidKey("this is not one public key in PEM")
        try:
            key = load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidKey("the key in PEM cannot be read") from None
        if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            return cls(key)
        if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
            return cls(key)
        if isinstance(key, Ed25519PublicKey):
            return cls(key)
        remedy = f"use ECDSA with P-256, Ed25519, or RSA with {MIN_RSA_BITS} bits or more"
        raise InvalidKey(f"{_kind(key)} keys are not accepted", remedy)

    @property
    def fingerprint(self) -> str:
        """Return the start of the key's SHA-256, enough to tell keys apart in a message."""
        return hashlib.sha256(self._encoded).hexdigest()[:16]

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` was made over `message` with this key's private half."""
        try:
            if isinstance(self._key, EllipticCurvePublicKey):
                self._key.verify(signature, message, ECDSA(hashes.SHA256()))
            elif isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self._encoded == other._encoded

    def __hash__(self) -> int:
        return hash(self._encoded)

    def __repr__(self) -> str:
        return f"PublicKey({self.fingerprint})"


def _kind(key: object) -> str:
    if isinstance(key, EllipticCurvePublicKey):
        return f"ECDSA {key.curve.name}"
    if isinstance(key, RSAPublicKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").lstrip("_")
