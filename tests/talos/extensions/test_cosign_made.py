"""What cosign itself has signed is accepted, and refused where it says something else.

The signatures and keys are test data of two projects, each made by a run of cosign: the two simple ones lie in
containers/image under signature/fixtures, the attestation in sigstore/cosign under pkg/cosign/testdata.
"""

import json

import pytest

from talos.extensions.public_key import PublicKey
from talos.extensions.signed_payload import Refused, verify_bundle, verify_simple
from tests.talos.extensions.signing import BUNDLE_TYPE, other_digest


def _pem(line: str, rest: str) -> str:
    return f"-----BEGIN PUBLIC KEY-----\n{line}\n{rest}\n-----END PUBLIC KEY-----\n"


PLAIN_KEY = _pem(
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFNLqFhf4fiN6o/glAuYnq2jYUeL0",
    "vRuLu/z39pmbVwS9ff5AYnlwaP9sxREajdLY9ynM6G1sy6AAmb7Z63TsLg==",
)
LOGGED_KEY = _pem(
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwOkOF9xpfG8ghueIhnZ66ooujwt1",
    "+ReV3HupgKnGFYnEh3Hh1YTg5L6kN1Yakkt5WltRoav8/R3hpCtUO3Rldw==",
)
ATTESTING_KEY = _pem(
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEk/CiYRmA9zsa7ams/+fI+wGeXOFx",
    "ng4J0wSj1jub7kxArHhGwvgcVE3ubrGXNQB9X3ksG0F+MiXHG8gRzxrr0A==",
)
PLAIN = (
    "192.168.64.2:5000/cosign-signed-single-sample",
    "sha256:634a8f35b5f16dcf4aaa0822adc0b1964bb786fca12f6831de8ddc45e5986a00",
    "MEYCIQDmtamqYPjMg81nqeBhptrPls44aA/r7PwLmspINJY4MwIhANKRpqe2E9UCBtGFdPoz/8jAbaQm4uP4h+IpwKTE6ClR",
)
LOGGED = (
    "192.168.64.2:5000/cosign-signed/key-1",
    "sha256:0489474da8ea22426ece86ace6c1c0026ab2fd3cdfbbd62b7e94650266c37d9a",
    "MEUCIQClOJvH+5f5Gr+FLd1c+NS/a+TJQ+BDDoJcnlD0FKqI3AIgPVcMB5yb/JdtohCSzrxATJX6UcyWO+uAWO8Q7CNGnRQ=",
)
ATTESTED = "sha256:732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4"
ENVELOPE = {
    "payload": (
        "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjAuMSIsInByZWRpY2F0ZVR5cGUiOiJodHRwczovL2Nvc2lnbi5zaWdz"
        "dG9yZS5kZXYvYXR0ZXN0YXRpb24vdjEiLCJzdWJqZWN0IjpbeyJuYW1lIjoiMTI3LjAuMC4xOjYwOTQzL3JlcG8iLCJkaWdlc3QiOnsic2hh"
        "MjU2IjoiNzMyMTEyMjcwZDdlNTk0MThhOGMwODBiMTM0YjI0Y2FiZDY3ZDI1MGQwZDAxNDdhOTdlZDk1YmE1YzI4MGFhNCJ9fV0sInByZWRp"
        "Y2F0ZSI6eyJEYXRhIjoie1wiZm9vXCI6IFwiYmFyXCJ9XG4iLCJUaW1lc3RhbXAiOiIyMDI1LTAyLTI4VDE5OjE4OjExWiJ9fQ=="
    ),
    "payloadType": "application/vnd.in-toto+json",
    "signatures": [
        {"sig": "MEQCIDomiuYVgNKyfYz/leqvtEY2xuifteigjq+LfShu92BBAiBxixsGZNYBVRhGjX6OZiPQBIoUf+i8VgPh//AT/z4Vgg=="}
    ],
}


def payload(name: str, digest: str) -> bytes:
    """Return what cosign signed, byte for byte."""
    critical = {"identity": {"docker-reference": name}, "image": {"docker-manifest-digest": digest}}
    kind = "cosign container image signature"
    return json.dumps({"critical": {**critical, "type": kind}, "optional": None}, separators=(",", ":")).encode()


@pytest.mark.parametrize(("pem", "made"), [(PLAIN_KEY, PLAIN), (LOGGED_KEY, LOGGED)])
def test_a_signature_that_cosign_made_is_accepted(pem: str, made: tuple[str, str, str]) -> None:
    name, digest, signature = made
    key = PublicKey.parse(pem)

    found = verify_simple(payload(name, digest), signature, digests={digest}, keys=[key])

    assert (found.digest, found.key) == (digest, key)


def test_a_signature_that_cosign_made_counts_for_its_image_only() -> None:
    name, digest, signature = PLAIN
    keys = [PublicKey.parse(PLAIN_KEY)]

    with pytest.raises(Refused, match="another image"):
        verify_simple(payload(name, digest), signature, digests={other_digest()}, keys=keys)
    with pytest.raises(Refused, match="another key"):
        verify_simple(payload(name, digest), signature, digests={digest}, keys=[PublicKey.parse(LOGGED_KEY)])


def test_an_attestation_that_cosign_made_is_well_signed_and_still_no_signature_of_the_image() -> None:
    bundle = json.dumps({"mediaType": BUNDLE_TYPE, "dsseEnvelope": ENVELOPE}).encode()

    with pytest.raises(Refused, match=r"'https://cosign\.sigstore\.dev/attestation/v1', which is no image's signature"):
        verify_bundle(bundle, digests={ATTESTED}, keys=[PublicKey.parse(ATTESTING_KEY)])
