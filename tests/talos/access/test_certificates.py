"""A certificate gives the roles it names, if it is one for clients; and authorities are told from others."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from talos.access.certificates import Authority, Pair, authorities_in, roles_of, split

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
AUTHORITY = Authority.create(NOW)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def certificate(*purposes: x509.ObjectIdentifier) -> bytes:
    """Return an administrator's certificate for some purposes."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "os:admin")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=1))
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(key, None).public_bytes(Encoding.DER)


def test_a_clients_roles_are_its_organizations() -> None:
    pair = Authority.create(NOW).for_client(["os:reader", "os:etcd:backup"], NOW)

    assert roles_of(der(pair.certificate)) == {"os:reader", "os:etcd:backup"}


@pytest.mark.parametrize(
    ("purposes", "roles"), [((CLIENT,), {"os:admin"}), ((), set()), ((SERVER,), set()), ((CLIENT, SERVER), set())]
)
def test_only_a_certificate_for_clients_alone_gives_roles(
    purposes: tuple[x509.ObjectIdentifier, ...], roles: set[str]
) -> None:
    assert roles_of(certificate(*purposes)) == roles


def test_a_bundle_is_split_into_its_certificates() -> None:
    other = Authority.create(NOW).pair.certificate
    bundle = AUTHORITY.pair.certificate + b"\n# a remark\n" + other + AUTHORITY.pair.key

    assert split(bundle) == [AUTHORITY.pair.certificate, other]
    assert authorities_in(bundle) == AUTHORITY.pair.certificate + other


@pytest.mark.parametrize(
    "pem", [b"", b"nothing", AUTHORITY.for_client(["os:admin"], NOW).certificate], ids=["empty", "text", "a client's"]
)
def test_what_is_no_authority_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError, match="no certificate of an authority"):
        authorities_in(pem)


def test_a_client_is_no_authority_though_its_key_fits() -> None:
    with pytest.raises(ValueError, match="not of an authority"):
        Authority(Pair(*AUTHORITY.for_client(["os:admin"], NOW)))
