"""A policy is read strictly, and no spelling of an image's name walks around its rules."""

import base64
import contextlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from talos.extensions.public_key import InvalidKey, PublicKey
from talos.extensions.reference import Reference
from talos.extensions.trust import (
    MAX_KEYS,
    MAX_POLICY_BYTES,
    MAX_RULES,
    InvalidPolicy,
    TrustPolicy,
    parse_policy,
    repository_name,
)
from tests.talos.extensions.signing import Signer, policy

SIGNER, OTHER = Signer(), Signer("ed25519")
ANYWHERE = Path("/var/lib")


def text(pattern: str = "ghcr.io/siderolabs/*", *pems: str, default: str = "") -> bytes:
    """Return a policy with one rule."""
    lines = [f"default: {default}"] if default else []
    lines += ["rules:", f"  - repository: '{pattern}'", "    keys:"]
    for pem in pems or (SIGNER.pem,):
        lines += ["      - |", *(f"        {line}" for line in pem.splitlines())]
    return "\n".join(lines).encode()


def told(policy: bytes) -> str:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(policy, source="trust.yaml")
    return str(caught.value)


def name_of(reference: str) -> str:
    return repository_name(Reference.parse(reference), ANYWHERE)


def pem_of(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_policy_holds_the_keys_of_each_rule() -> None:
    found = parse_policy(text("ghcr.io/siderolabs/*", SIGNER.pem, OTHER.pem, default="refuse"), source="trust.yaml")

    assert found.default == "refuse"
    assert [(rule.repository, rule.keys) for rule in found.rules] == [
        ("ghcr.io/siderolabs/*", (SIGNER.public, OTHER.public))
    ]


def test_a_mapping_is_a_policy_as_well() -> None:
    found = TrustPolicy.model_validate({"rules": [{"repository": "ghcr.io/a/*", "keys": [SIGNER.pem]}]})

    assert found == policy("ghcr.io/a/*", SIGNER)


def test_what_no_rule_is_for_is_allowed_unless_the_policy_says_otherwise() -> None:
    assert parse_policy(b"rules: []", source="trust.yaml") == TrustPolicy(default="allow")


def test_the_first_rule_that_fits_decides() -> None:
    both = TrustPolicy(rules=policy("ghcr.io/a/b", SIGNER).rules + policy("ghcr.io/a/*", OTHER).rules)

    assert [both.rule_for(name) for name in ("ghcr.io/a/b", "ghcr.io/a/c", "ghcr.io/b/c")] == [*both.rules, None]


@pytest.mark.parametrize(
    ("pattern", "reference", "fits"),
    [
        ("ghcr.io/siderolabs/*", "ghcr.io/siderolabs/gvisor:v1", True),
        ("ghcr.io/siderolabs/*", "ghcr.io/siderolabs/drivers/nvidia:v1", True),
        ("ghcr.io/siderolabs/*", "ghcr.io/siderolabs-evil/gvisor:v1", False),
        ("ghcr.io/siderolabs/gvisor", "ghcr.io/siderolabs/gvisor-debug:v1", False),
        ("ghcr.io/siderolabs/gviso?", f"ghcr.io/siderolabs/gvisor@sha256:{'0' * 64}", True),
        ("ghcr.io/siderolabs/*", "GHCR.io/siderolabs/gvisor:v1", True),
        ("ghcr.io/siderolabs/*", "ghcr.io:443/siderolabs/gvisor:v1", True),
        ("ghcr.io/siderolabs/*", "ghcr.io:0443/siderolabs/gvisor:v1", True),
        ("GHCR.io:443/siderolabs/*", "ghcr.io/siderolabs/gvisor:v1", True),
        ("ghcr.io/siderolabs/*", "ghcr.io:5000/siderolabs/gvisor:v1", False),
        ("localhost/*", "localhost:80/a/b:v1", True),
        ("[::1]:5000/*", "[::1]:5000/a/b:v1", True),
        ("docker.io/library/*", "alpine:3", True),
        ("index.docker.io/library/*", "registry-1.docker.io:443/library/alpine:3", True),
        ("*/siderolabs/*", "ghcr.io/siderolabs/gvisor:v1", True),
        ("*", "oci:images:v1", True),
        ("oci:/var/lib/images", "oci:images:v1", True),
        ("oci:/var/lib/images", "oci:/tmp/../var/./lib//images:v1", True),
        ("oci:/var/lib/*", "oci:../../etc:v1", False),
    ],
)
def test_a_pattern_is_held_against_the_one_name_of_a_repository(pattern: str, reference: str, fits: bool) -> None:
    assert (policy(pattern, SIGNER).rule_for(name_of(reference)) is not None) == fits


HOSTS = st.sampled_from(["ghcr.io", "docker.io", "localhost:5000", "127.0.0.1:80", "registry.example:443"])
PATHS = st.from_regex(r"[a-z0-9]{1,5}(/[a-z0-9]{1,5}){1,3}", fullmatch=True)


@given(HOSTS, PATHS, st.data())
def test_however_a_host_is_written_its_rule_fits(host: str, path: str, data: st.DataObject) -> None:
    written = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in host)
    rules = policy(f"{host}/{path}", SIGNER)

    assert rules.rule_for(name_of(f"{written}/{path}:v1")) is rules.rules[0]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "is empty; write a repository such as ghcr.io/siderolabs/*"),
        ("a/" * 200, "has 400 characters, at most 240 are read"),
        ("ghcr.io/a b", "holds a character that is in no repository"),
        ("ghcr.io/é", "holds a character that is in no repository"),
        (f"ghcr.io/a@sha256:{'0' * 64}", "holds a character that is in no repository"),
        ("ghcr.io/a:v1", "names no repository; write HOST/NAME without a tag, such as ghcr.io/siderolabs/*"),
        ("ghcr.io", "names no repository"),
        ("siderolabs/*", "begins with no host; write docker.io/siderolabs/* for an image on Docker Hub"),
    ],
)
def test_a_pattern_that_could_never_fit_is_told(pattern: str, problem: str) -> None:
    assert told(text(pattern)).startswith(f"trust.yaml: line 2: rules[0].repository: {problem}")


@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        ("nonsense", "this is not one public key in PEM; paste the whole of cosign.pub"),
        (SIGNER.pem + SIGNER.pem, "this is not one public key in PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "the key in PEM cannot be read"),
        (SIGNER.pem.replace("PUBLIC", "CERTIFICATE"), "this is not one public key in PEM"),
        (SIGNER.pem + "x" * 9000, "characters, at most 8192 are read"),
        (private_pem(), "this is a private key; write the public one, cosign.pub, and make a new pair"),
        (pem_of(ec.generate_private_key(ec.SECP384R1()).public_key()), "ECDSA secp384r1 keys are not accepted; use"),
        (pem_of(rsa.generate_private_key(65537, 1024).public_key()), "RSA 1024 keys are not accepted; use ECDSA with"),
    ],
)
def test_a_key_that_is_none_is_told_without_showing_it(pem: str, problem: str) -> None:
    message = told(text("ghcr.io/a/*", SIGNER.pem, pem))

    assert message.startswith("trust.yaml: line 9: rules[0].keys[1]: ")
    assert problem in message
    assert not any(line in message for line in pem.splitlines() if not line.startswith("-----"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"rulez: []", "line 1: rulez: there is no such field; correct its name or remove it"),
        (b"default: maybe", "line 1: default: is none of 'allow' or 'refuse'; write one of them"),
        (b"rules: 7", "line 1: rules: is no list; begin each entry with a dash"),
        (b"rules:\n- 7", "line 2: rules[0]: is no mapping; write `repository:` and `keys:`"),
        (
            b"rules:\n- repository: [7]\n  keys: []",
            "line 2: rules[0].repository: is no text; write it in quotes",
        ),
        (b"rules:\n- repository: '*'", "line 2: rules[0].keys: missing; add it"),
        (b"rules:\n- repository: '*'\n  keys: []", "line 3: rules[0].keys: is empty; name at least one key, or"),
        (b"rules:\n- repository: '*'\n  keys: [7]", "line 3: rules[0].keys[0]: is no text; paste the whole of"),
        (b"rules:\n- repository: '*'\n  key: x\n  keys: [7]", "(and 1 more fault)"),
        (b"[]", "line 1: this is not one mapping; start it with `rules:`"),
        (b"", "line 1: this is not one mapping"),
        (b"a: 1\na: 2", "line 2: "),
        (b"{", "not YAML"),
        (b" " * (MAX_POLICY_BYTES + 1), f"{MAX_POLICY_BYTES} are allowed"),
    ],
)
def test_what_is_wrong_with_a_policy_is_told_with_its_line(given: bytes, message: str) -> None:
    assert message in told(given)


def test_rules_and_keys_have_bounds() -> None:
    rule = {"repository": "*", "keys": [SIGNER.pem]}

    with pytest.raises(ValidationError, match=f"at most {MAX_RULES} items"):
        TrustPolicy.model_validate({"rules": [rule] * (MAX_RULES + 1)})
    assert f"rules[0].keys: has more than {MAX_KEYS} entries" in told(text("*", *[SIGNER.pem] * (MAX_KEYS + 1)))


@given(st.binary(max_size=200) | st.text(alphabet="rules: keys[]{}-\n'*&!|/.", max_size=60).map(str.encode))
def test_no_text_ends_in_another_error(given: bytes) -> None:
    with contextlib.suppress(InvalidPolicy):
        parse_policy(given, source="trust.yaml")


@given(st.binary(max_size=120), st.integers(0, 90))
def test_no_key_ends_in_another_error(given: bytes, kept: int) -> None:
    good = base64.b64decode("".join(SIGNER.pem.splitlines()[1:-1]))
    body = base64.b64encode(good[:kept] + given).decode()

    with contextlib.suppress(InvalidKey):
        PublicKey.parse(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----")


def test_the_documented_policy_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs/trust.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]

    assert parse_policy(example.encode(), source="docs/trust.md").default == "refuse"
