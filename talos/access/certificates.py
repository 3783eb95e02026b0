"""A certificate says who somebody is; an authority says that it is true. Keys are Ed25519 throughout, as Talos's are.

authority ─signs─▶ the server's certificate, which bears its names and addresses
          ─signs─▶ a client's certificate, whose organization is its role
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME: Final = datetime.timedelta(days=3650)
SERVER_LIFETIME: Final = datetime.timedelta(days=1)
CLIENT_LIFETIME: Final = datetime.timedelta(days=365)

CLOCKS_APART: Final = datetime.timedelta(minutes=5)
"""Certificates hold from a moment ago on: the clock of who looks at them may be behind."""

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_ORGANIZATION: Final = "talos"
_ALL_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


class Pair(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(...)"


class Authority:
    """Signs certificates. Raises ValueError for a pair that is none, or not of an authority."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = load_pem_private_key(pair.key, password=None)
        if not isinstance(key, Ed25519PrivateKey) or key.public_key() != self._certificate.public_key():
            raise ValueError("the key of the authority is not the Ed25519 key of its certificate")
        if not _is_authority(self._certificate):
            raise ValueError("the certificate is not of an authority")
        self._key = key

    @classmethod
    def create(cls, now: datetime.datetime) -> Self:
        """Make a new one, with a key of its own."""
        key = Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION)])
        builder = _builder(name, name, key, until=now + AUTHORITY_LIFETIME, now=now)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage("key_cert_sign", "crl_sign", "digital_signature"), critical=True)
        return cls(_pair(builder.sign(key, None), key))

    @property
    def not_after(self) -> datetime.datetime:
        """When it, and whatever it signed, is over."""
        return self._certificate.not_valid_after_utc

    def require(self, now: datetime.datetime) -> None:
        """Raise ValueError if it is over, since nothing that it signs would be good."""
        if self.not_after <= now:
            raise ValueError(f"the authority is over since {self.not_after.isoformat()}: replace it")

    def for_server(self, names: Collection[str], now: datetime.datetime) -> Pair:
        """Certify a server under its names and IP addresses, for a day."""
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in sorted(set(names))])
        return self._certify((), ExtendedKeyUsageOID.SERVER_AUTH, now, SERVER_LIFETIME, alternatives)

    def for_client(
        self, roles: Sequence[str], now: datetime.datetime, lifetime: datetime.timedelta = CLIENT_LIFETIME
    ) -> Pair:
        """Certify a client in some roles."""
        return self._certify(roles, ExtendedKeyUsageOID.CLIENT_AUTH, now, lifetime)

    def _certify(
        self,
        roles: Sequence[str],
        purpose: x509.ObjectIdentifier,
        now: datetime.datetime,
        lifetime: datetime.timedelta,
        alternatives: x509.SubjectAlternativeName | None = None,
    ) -> Pair:
        self.require(now)
        key = Ed25519PrivateKey.generate()
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, role) for role in roles])
        until = min(now + lifetime, self.not_after)
        builder = _builder(subject, self._certificate.subject, key, until=until, now=now)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage("digital_signature"), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if alternatives is not None:
            # With an empty subject the names are all there is, and whoever checks must look at them.
            builder = builder.add_extension(alternatives, critical=not roles)
        return _pair(builder.sign(self._key, None), key)


def roles_of(certificate: bytes) -> frozenset[str]:
    """Return the organizations of a certificate (DER); none if it is not for clients alone, as Talos wants it.

    Raises ValueError for one that can't be read.
    """
    read = x509.load_der_x509_certificate(certificate)
    try:
        purposes = list(read.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        purposes = []
    if purposes != [ExtendedKeyUsageOID.CLIENT_AUTH]:
        return frozenset()
    return frozenset(str(each.value) for each in read.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))


def authorities_in(pem: bytes) -> bytes:
    """Return certificates of authorities one like the other. Raises ValueError if there are none, or of others."""
    try:
        found = x509.load_pem_x509_certificates(pem)
        if not all(_is_authority(each) for each in found):
            raise ValueError("not an authority's certificate")
    except ValueError:
        raise ValueError("this is no certificate of an authority") from None
    return b"".join(each.public_bytes(Encoding.PEM) for each in found)


def split(pem: bytes) -> list[bytes]:
    """Return the certificates of a PEM text, each for itself and with its line's end."""
    return [match[0] + b"\n" for match in _CERTIFICATE.finditer(pem)]


def with_known_label(key: bytes) -> bytes:
    """Return a private key (PEM) under the label that everybody knows; Talos has one of its own for Ed25519."""
    return key.replace(b" ED25519 PRIVATE KEY-", b" PRIVATE KEY-")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return False


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PrivateKey, *, now: datetime.datetime, until: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_APART)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in names for usage in _ALL_USAGES})


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(certificate: x509.Certificate, key: Ed25519PrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
