"""No secret of a config is shown to who may not see it, and what is no secret is."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos import yaml_document, yaml_writer
from talos.config.faults import ConfigError
from talos.config.redaction import REDACTED, redacted
from tests.talos.test_yaml_document import plain

S = "hunter2-correct-horse"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n"
PACKED = base64.b64encode(S.encode()).decode()
KEY = f"-----BEGIN PRIVATE KEY-----\n{PACKED}\n-----END PRIVATE KEY-----\n"


def shown(config: object) -> object:
    result = redacted(yaml_writer.write(yaml_writer.node_of(config)).encode(), source="x")
    (document,) = yaml_document.read(result, max_bytes=1_000_000).documents
    return plain(document)


SECRETS: list[object] = [
    {"machine": {"token": S}},
    {"machine": {"ca": {"crt": "YQ==", "key": S}}},
    {"machine": {"registries": {"config": {"a.io": {"auth": {"username": "u", "password": S}}}}}},
    {"machine": {"registries": {"config": {"a.io": {"auth": {"auth": S}}}}}},
    {"machine": {"registries": {"config": {"a.io": {"auth": {"identityToken": S}}}}}},
    {"machine": {"registries": {"config": {"a.io": {"tls": {"clientIdentity": {"crt": "YQ==", "key": S}}}}}}},
    {"machine": {"network": {"interfaces": [{"wireguard": {"privateKey": S}}]}}},
    {"machine": {"network": {"interfaces": [{"vip": {"hcloud": {"apiToken": S}}}]}}},
    {"machine": {"network": {"interfaces": [{"vlans": [{"vip": {"equinixMetal": {"apiToken": S}}}]}]}}},
    {"machine": {"systemDiskEncryption": {"state": {"keys": [{"static": {"passphrase": S}, "slot": 0}]}}}},
    {"machine": {"files": [{"path": "/etc/a", "content": S}]}},
    {"machine": {"env": {"https_proxy": f"http://u:{S}@proxy:1", "X": S}}},
    {"machine": {"install": {"extraKernelArgs": [f"talos.config=https://a/b?token={S}&c=d", "quiet"]}}},
    {"cluster": {"secret": S}},
    {"cluster": {"token": S}},
    {"cluster": {"aescbcEncryptionSecret": S}},
    {"cluster": {"secretboxEncryptionSecret": S}},
    {"cluster": {"aggregatorCA": {"crt": "YQ==", "key": S}}},
    {"cluster": {"serviceAccount": {"key": S}}},
    {"cluster": {"etcd": {"ca": {"crt": "YQ==", "key": S}}}},
    {"cluster": {"inlineManifests": [{"name": "a", "contents": S}]}},
    {"cluster": {"extraManifestHeaders": {"X-Any": S}}},
    {"kind": "RegistryAuthConfig", "name": "a.io", "username": "u", "password": S},
    {"kind": "RegistryAuthConfig", "name": "a.io", "auth": S},
    {"kind": "RegistryTLSConfig", "name": "a.io", "clientIdentity": {"cert": CERTIFICATE, "key": S}},
    {"kind": "ExtensionServiceConfig", "name": "a", "environment": [f"A={S}"]},
    {"kind": "ExtensionServiceConfig", "name": "a", "configFiles": [{"content": S, "mountPath": "/etc/a"}]},
    {"kind": "EnvironmentConfig", "variables": {"A": S}},
    {"kind": "SideroLinkConfig", "apiUrl": f"grpc://a:1?jointoken={S}", "uniqueToken": S},
    {"kind": "SideroLinkConfig", "apiUrl": f"https://user:{S}@a:1/"},
    {"kind": "SideroLinkConfig", "apiUrl": f"https://{S}@a:1/"},
    {"kind": "DiscoveryIdentityConfig", "clusterSecret": S},
    {"kind": "WireguardConfig", "privateKey": S, "peers": [{"publicKey": "a", "presharedKey": S}]},
    {"kind": "HCloudVIPConfig", "apiToken": S},
    {"kind": "KubeServiceAccountConfig", "issuer": {"privateKey": S}},
    {"kind": "KubeAPIServerCAConfig", "issuingCA": {"cert": CERTIFICATE, "key": S}},
    {
        "kind": "KubeEtcdEncryptionConfig",
        "config": {"resources": [{"providers": [{"aescbc": {"keys": [{"secret": S}]}}]}]},
    },
    {"kind": "VolumeConfig", "encryption": {"provider": "luks2", "keys": [{"static": {"passphrase": S}}]}},
    {"kind": "Unheard", "dbPasswordHash": {"of": [S]}},
    {"kind": "Unheard", "some": [{"api-key": S}, {"x": f"a b_secret={S};c"}]},
    {"kind": "Unheard", "pwd": S},
    {"kind": "Unheard", "args": [f"db.pass={S}", f"https://a/b?x=1&sig={S}", f"https://a/b?key={S}"]},
    {"kind": "Unheard", "command": f"run --user u --admin-password  {S} --quiet"},
    {"kind": "Unheard", "free": f"one line\n{S}\n"},
    {"kind": "Unheard", "pem": KEY},
    {"kind": "Unheard", "packed": base64.b64encode(KEY.encode()).decode()},
    {"kind": "Unheard", "both": CERTIFICATE + KEY},
    {"kind": "Unheard", "password": S, "elsewhere": f"the {S} again", "there": S},
]


@pytest.mark.parametrize("config", SECRETS)
def test_no_secret_is_left(config: object) -> None:
    result = yaml_writer.write(yaml_writer.node_of(shown(config)))

    assert S not in result
    assert PACKED not in result
    assert base64.b64encode(KEY.encode()).decode()[40:80] not in result
    assert REDACTED in result


def test_what_is_no_secret_is_shown() -> None:
    config = {
        "version": "v1alpha1",
        "debug": True,
        "machine": {
            "token": "",
            "ca": {"crt": base64.b64encode(CERTIFICATE.encode()).decode()},
            "install": {"disk": "/dev/sda", "image": "ghcr.io/siderolabs/installer:v1.0", "wipe": False},
            "network": {"nameservers": ["1.1.1.1"], "mtu": 1500, "hostname": None},
            "registries": {"mirrors": {"ghcr.io": {"endpoints": ["https://mirror.lan/v2/x?a=b"]}}},
            "sysctls": {"net.ipv4.ip_forward": "1"},
        },
        "cluster": {"id": "abc", "clusterName": "ours", "acceptedCAs": [{"crt": CERTIFICATE}]},
        "peers": [{"publicKey": "AbCdEf"}],
    }

    assert shown(config) == config


def test_numbers_are_hidden_and_truth_is_not() -> None:
    assert shown({"password": 123456, "tokens": [1.5, True, None]}) == {
        "password": REDACTED,
        "tokens": [REDACTED, True, None],
    }


def test_a_short_secret_is_not_looked_for_elsewhere() -> None:
    assert shown({"password": "a", "disk": "a"}) == {"password": REDACTED, "disk": "a"}


def test_comments_anchors_and_empty_documents_go() -> None:
    text = f"# {S}\na: &x {S} # {S}\npassword: *x\n---\n# {S}\n---\nb: 1 # {S}\n".encode()

    assert redacted(text, source="x") == b'a: "******"\npassword: "******"\n---\nb: 1\n'.replace(
        b'"******"', b"'******'"
    )


def test_what_is_hidden_in_one_document_is_hidden_in_all() -> None:
    text = f"password: {S}\n---\nkind: X\nname: {S}\n".encode()

    assert S.encode() not in redacted(text, source="x")


def test_a_text_that_cannot_be_read_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        redacted(f"a: [{S}".encode(), source="x")

    assert S not in str(caught.value)


names = st.sampled_from(
    ["machine", "token", "password", "auth", "key", "content", "static", "passphrase", "secret", "url", "a", "b"]
)
secrets = st.from_regex(r"[A-Za-z0-9]{12}", fullmatch=True).map(lambda text: f"S3{text}")
trees = st.recursive(
    st.dictionaries(names, secrets | st.integers() | st.booleans(), max_size=3),
    lambda below: st.dictionaries(names, below | st.lists(below | secrets, max_size=2), max_size=3),
    max_leaves=10,
)
TELLING = {"token", "password", "content", "passphrase", "secret"}


@given(trees)
def test_no_value_under_a_telling_name_survives(config: dict[str, object]) -> None:
    result = yaml_writer.write(yaml_writer.node_of(shown(config)))

    assert not [text for text in _told(config, telling=False) if text in result]


def _told(value: object, name: str = "", *, telling: bool) -> list[str]:
    """Return the texts that are secret by their name or by one above it."""
    telling = telling or name in TELLING
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in _told(each, key, telling=telling)]
    if isinstance(value, list):
        return [text for each in value for text in _told(each, name, telling=telling)]
    return [value] if isinstance(value, str) and (telling or name in ("auth", "key")) else []


@pytest.mark.parametrize("piece", ["token", "a://", "-----BEGIN A-----", "x@", "a://b@", "secret=a ", "\n"])
def test_no_text_takes_long(piece: str) -> None:
    began = time.monotonic()

    shown({"a": piece * 50_000 + "@"})

    assert time.monotonic() - began < 5
