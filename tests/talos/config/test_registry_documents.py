"""Documents about registries say the same as `machine.registries`, and outrank it host by host."""

import base64
import json
from pathlib import Path

import pytest

from talos.config.machine_config import parse
from talos.config.registries import MAX_HOSTS
from talos.extensions.registries import Auth, Mirror, MirrorEndpoint, Registries, Tls
from tests.talos.certificates import authority, signed_by
from tests.talos.config.refused import MACHINE, faults_of, said_of

SECRET = "hunter2"


def document(kind: str, name: str, body: str) -> str:
    return f"---\napiVersion: v1alpha1\nkind: {kind}\nname: {json.dumps(name)}\n{body}\n"


def registries(*documents: str, machine: str = "") -> Registries:
    return parse(f"{MACHINE}{machine}{''.join(documents)}".encode(), source="x").registries


def test_mirrors_are_read_each_endpoint_with_its_own_path() -> None:
    said = registries(
        document(
            "RegistryMirrorConfig",
            "ghcr.io",
            "endpoints: [{url: 'https://a'}, {url: 'http://b/c', overridePath: true}]",
        ),
        document("RegistryMirrorConfig", "*", "skipFallback: true"),
    )

    assert said.mirrors == {
        "ghcr.io": Mirror((MirrorEndpoint("https://a"), MirrorEndpoint("http://b/c", True))),
        "*": Mirror((), skip_fallback=True),
    }


def test_credentials_are_read_and_shown_to_nobody() -> None:
    text = MACHINE + document("RegistryAuthConfig", "a.lan:5000", f"username: u\npassword: {SECRET}")
    config = parse(text.encode(), source="x")

    assert config.registries.auths == {"a.lan:5000": Auth("u", SECRET)}
    assert SECRET not in repr(config)


def test_certificates_are_plain_pem(tmp_path: Path) -> None:
    issuer = authority(tmp_path)
    client = signed_by(issuer, tmp_path, "client")
    ca, crt, key = (path.read_text() for path in (issuer.certificate, client.certificate, client.key))
    body = f"ca: {json.dumps(ca)}\nclientIdentity: {{cert: {json.dumps(crt)}, key: {json.dumps(key)}}}"

    said = registries(document("RegistryTLSConfig", "a.lan", body))

    assert said.tls == {"a.lan": Tls(ca.encode(), crt.encode(), key.encode())}


def test_a_document_outranks_what_the_machine_config_says_of_its_host() -> None:
    machine = "machine: {registries: {mirrors: {a.io: {endpoints: ['http://x']}, b.io: {endpoints: ['http://y']}}}}\n"

    said = registries(document("RegistryMirrorConfig", "a.io", "endpoints: [{url: 'http://z'}]"), machine=machine)

    assert {host: mirror.endpoints[0].url for host, mirror in said.mirrors.items()} == {
        "a.io": "http://z",
        "b.io": "http://y",
    }


def test_another_version_of_a_kind_says_nothing() -> None:
    text = document("RegistryMirrorConfig", "a.io", "what: ever").replace("v1alpha1", "v1beta1")

    assert registries(text) == Registries()


PACKED = base64.b64encode(b"u:p").decode()


@pytest.mark.parametrize(
    ("kind", "name", "body", "line", "field", "problem"),
    [
        ("RegistryMirrorConfig", "a b", "", 5, ".name", "the name is no host"),
        ("RegistryMirrorConfig", "", "", 5, ".name", "missing"),
        ("RegistryAuthConfig", "*", "username: a", 5, ".name", "this is of one host each, not of all"),
        ("RegistryTLSConfig", "*", "", 5, ".name", "this is of one host each, not of all"),
        ("RegistryMirrorConfig", "a", "endpoints: ['http://b']", 6, ".endpoints[0]", "this is a single value"),
        ("RegistryMirrorConfig", "a", "endpoints: [{}]", 6, ".endpoints[0].url", "missing"),
        ("RegistryMirrorConfig", "a", "endpoints: [{url: b}]", 6, ".endpoints[0].url", "the address does not start"),
        ("RegistryMirrorConfig", "a", "overridePath: true", 6, ".overridePath", "unknown field"),
        ("RegistryAuthConfig", "a", "", 3, "", "nobody is named"),
        ("RegistryAuthConfig", "a", f"username: u\nauth: {PACKED}", 3, "", "more than one way to log in is given"),
        ("RegistryAuthConfig", "a", f"auth: {SECRET}", 6, ".auth", "this is not the base64 of USER:PASSWORD"),
        ("RegistryTLSConfig", "a", f"ca: {SECRET}", 6, ".ca", "holds no certificates in PEM form"),
        ("RegistryTLSConfig", "a", "clientIdentity: {crt: a, key: b}", 6, ".clientIdentity.crt", "unknown field"),
        ("RegistryTLSConfig", "a", "insecureSkipVerify: 1", 6, ".insecureSkipVerify", "this is neither true nor fals"),
    ],
)
def test_each_mistake_is_told_with_its_place(
    kind: str, name: str, body: str, line: int, field: str, problem: str
) -> None:
    text = MACHINE + document(kind, name, body)

    at, path, said = said_of(text)[0]

    assert (at, path) == (line, f'{kind}["{name}"]{field}' if name else f"{kind}{field}")
    assert said.startswith(problem)
    assert all(SECRET not in str(fault) for fault in faults_of(text))


def test_there_are_no_more_documents_than_hosts() -> None:
    text = "".join(document("RegistryMirrorConfig", f"h{n}", "") for n in range(MAX_HOSTS + 1))

    (fault,) = faults_of(MACHINE + text)

    assert fault.problem == f"{MAX_HOSTS + 1} documents of this kind, at most {MAX_HOSTS} are allowed"
