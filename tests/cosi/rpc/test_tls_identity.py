"""What is wrong with a certificate is said before anybody connects, keys are not shown, and contexts are strict."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from cosi.rpc.grpcio.tls import server_credentials
from cosi.rpc.tls import MAX_PEM_BYTES, Certificates, ClientTls, Identity, ServerTls, read_pem
from tests.cosi.rpc.certificates import ED25519, P256, RSA, WEAK_RSA, Authority

KINDS = {"Ed25519": ED25519, "P-256": P256, "RSA": RSA}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return Identity(*authority.issue("somebody"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_identity_may_have_a_key_of_any_kind(authority: Authority, kind: str) -> None:
    certificate, key = authority.issue(kind, KINDS[kind])

    assert Identity(certificate, key).certificate == certificate


def test_a_weak_key_is_refused(authority: Authority) -> None:
    with pytest.raises(ValueError, match=r"not a certificate and its private key \(ee key too small\)"):
        Identity(*authority.issue("weak", WEAK_RSA))


@pytest.mark.parametrize("kind", ["Ed25519", "RSA"])
def test_a_key_that_grpcio_does_not_get_along_with_is_refused_where_grpcio_is_used(
    authority: Authority, kind: str
) -> None:
    identity = Identity(*authority.issue(f"grpcio {kind}", KINDS[kind]))

    with pytest.raises(ValueError, match=r"the certificate's key is not ECDSA on P-256 .* the grpcio transport"):
        server_credentials(ServerTls(identity, authority.certificate))


def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused(authority: Authority) -> None:
    certificate, _ = authority.issue("one")
    _, key = authority.issue("two")

    with pytest.raises(ValueError, match=r"not a certificate and its private key \(key values mismatch\)"):
        Identity(certificate, key)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(authority: Authority) -> None:
    certificate, _ = authority.issue("locked")
    command = ["openssl", "pkcs8", "-topk8", "-in", str(authority.file("locked", "key")), "-passout", "pass:secret"]
    key = subprocess.run(command, check=True, capture_output=True).stdout
    assert b"ENCRYPTED" in key

    with pytest.raises(ValueError, match="the key not encrypted"):
        Identity(certificate, key)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\njunk\n"])
def test_what_is_no_certificate_is_said_to_be_none(authority: Authority, identity: Identity, junk: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate and its private key"):
        Identity(junk, identity.key)
    with pytest.raises(ValueError, match="not the certificates of an authority"):
        ClientTls(junk)
    with pytest.raises(ValueError, match="not the certificates of an authority"):
        ServerTls(identity, junk)


def test_a_key_is_not_shown(authority: Authority, identity: Identity) -> None:
    server, client = ServerTls(identity, authority.certificate), ClientTls(authority.certificate, identity)

    for shown in (repr(client), str(server), f"{identity}"):
        assert "PRIVATE" not in shown


def test_a_file_is_read_as_it_is_unless_it_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"x" * MAX_PEM_BYTES)
    assert len(read_pem(file)) == MAX_PEM_BYTES

    file.write_bytes(b"x" * (MAX_PEM_BYTES + 1))
    with pytest.raises(ValueError, match=r"ca\.pem is no certificate or key: it is larger"):
        read_pem(file)
    with pytest.raises(FileNotFoundError):
        read_pem(tmp_path / "none.pem")


# --- contexts ---


def test_neither_side_renegotiates_compresses_or_goes_below_tls_1_2(authority: Authority, identity: Identity) -> None:
    contexts = [ServerTls(identity, authority.certificate).context(), ClientTls(authority.certificate).context()]

    for context in contexts:
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION


def test_a_server_asks_for_a_certificate_unless_it_names_no_authority(authority: Authority, identity: Identity) -> None:
    assert ServerTls(identity, authority.certificate).context().verify_mode == ssl.CERT_REQUIRED
    assert ServerTls(identity, None).context().verify_mode == ssl.CERT_NONE


def test_a_client_believes_one_authority_and_the_name_it_looks_for(authority: Authority) -> None:
    context = ClientTls(authority.certificate).context()

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509"] == 1


def test_a_server_is_looked_for_by_its_host_unless_it_goes_by_a_name(authority: Authority) -> None:
    assert ClientTls(authority.certificate).name_of("10.5.0.2") == "10.5.0.2"
    assert ClientTls(authority.certificate, server_name="node.example").name_of("10.5.0.2") == "node.example"


def test_certificates_are_the_last_ones_loaded(authority: Authority, identity: Identity) -> None:
    old, new = ServerTls(identity, authority.certificate), ServerTls(identity, None)
    certificates = Certificates(old)
    context = certificates.context
    assert (certificates.tls, certificates.context) == (old, context)

    certificates.reload(new)

    assert certificates.tls == new
    assert certificates.context is not context
