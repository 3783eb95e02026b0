"""A certificate's fingerprint is that of its public key, and what is no certificate has none."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc import fingerprint
from tests.cosi.rpc import certificates
from tests.cosi.rpc.certificates import ED25519, P256, RSA, Authority

SEQUENCES = st.sampled_from([b"\x30\x80", b"\x30\x82\x01\x00", b"\x30\x05", b"\xa0\x03\x02\x01\x02", b"\x02\x01\x01"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("kind", [ED25519, P256, RSA], ids=["Ed25519", "P-256", "RSA"])
def test_it_is_what_openssl_computes(authority: Authority, kind: tuple[str, ...], tmp_path: Path) -> None:
    certificate, _ = authority.issue(kind[0], kind)

    told = fingerprint.of_certificate(ssl.PEM_cert_to_DER_cert(certificate.decode()))

    assert told == certificates.fingerprint(authority.file(kind[0], "pem"))
    fingerprint.require(told)


@pytest.mark.parametrize("text", ["", "sha256", "AAAA", "A" * 44, "ä"])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no fingerprint of a certificate: write the SHA-256"):
        fingerprint.require(text)


@pytest.mark.parametrize("kept", [0, 1, 5, 100])
def test_a_certificate_that_is_cut_off_has_none(authority: Authority, kept: int) -> None:
    der = ssl.PEM_cert_to_DER_cert(authority.certificate.decode())

    with pytest.raises(ValueError, match="cut off"):
        fingerprint.of_certificate(der[:kept])


@given(st.binary(max_size=300) | st.lists(SEQUENCES, max_size=12).map(b"".join))
def test_any_bytes_have_one_or_are_refused(der: bytes) -> None:
    with suppress(ValueError):
        fingerprint.of_certificate(der)
