"""`machine.registries` is read whole, or every fault in it is told without a secret."""

import base64
from pathlib import Path

import pytest

from talos.config.faults import ConfigError, ConfigFault
from talos.config.machine_config import MachineConfig, parse
from talos.config.registries import MAX_ENDPOINTS, MAX_HOSTS, MAX_PEM_BYTES, MAX_SECRET_CHARACTERS
from talos.extensions.credentials import Credentials
from talos.extensions.endpoints import endpoints_of
from talos.extensions.reference import RegistryLocation
from talos.extensions.registries import Auth, Mirror, MirrorEndpoint, Registries, Tls
from tests.talos.certificates import authority, signed_by

SECRET = "hunter2"
DOCUMENT = Path(__file__).parents[3] / "docs" / "registries.md"


def parsed(registries: str) -> MachineConfig:
    return parse(f"version: v1alpha1\nmachine:\n  registries: {registries}\n".encode(), source="machine.yaml")


def faults_of(registries: str) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigError) as caught:
        parsed(registries)
    assert SECRET not in str(caught.value)
    assert all(SECRET not in str(fault) and fault.remedy for fault in caught.value.faults)
    return caught.value.faults


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("nothing", ["null", "{}", "{mirrors: {}, config: {}}", "{mirrors: null, other: [1]}"])
def test_a_config_may_say_nothing(nothing: str) -> None:
    assert parsed(nothing).registries == Registries()


def test_mirrors_are_read() -> None:
    text = """
    mirrors:
      docker.io: {endpoints: ["http://10.0.0.1:5000/hub", "https://[fd00::1]:5000"], overridePath: true}
      "*": {endpoints: [https://mirror.lan], skipFallback: true}
      ghcr.io: {}
"""
    assert parsed(text).registries.mirrors == {
        "docker.io": Mirror(
            (MirrorEndpoint("http://10.0.0.1:5000/hub", True), MirrorEndpoint("https://[fd00::1]:5000", True))
        ),
        "*": Mirror((MirrorEndpoint("https://mirror.lan"),), skip_fallback=True),
        "ghcr.io": Mirror(),
    }


def test_the_document_shows_a_good_config_and_says_where_it_leads() -> None:
    text = DOCUMENT.read_text().partition("```yaml\n")[2].partition("```")[0]

    said = parse(text.encode(), source=str(DOCUMENT)).registries
    asked = {
        host: [each.url for each in endpoints_of(RegistryLocation(host, "a/b"), said, Credentials())]
        for host in ("ghcr.io", "quay.io")
    }

    assert asked == {
        "ghcr.io": ["https://mirror.example:5000/v2", "http://10.0.0.5/proxy/ghcr/v2", "https://ghcr.io/v2"],
        "quay.io": ["https://cache.example/v2/all"],
    }
    assert said.unverified == ("cache.example",)
    assert set(said.auths) == {"mirror.example:5000", "cache.example"}


def test_credentials_are_read_and_shown_to_nobody() -> None:
    login = packed(f"user:{SECRET}".encode())
    config = parsed(
        f"{{config: {{a.lan: {{auth: {{username: u, password: {SECRET}}}}}, b.lan: {{auth: {{auth: {login}}}}}, "
        f"c.lan: {{auth: {{identityToken: {SECRET}}}}}, d.lan: {{auth: {{username: u, password: 0123}}}}}}}}"
    )

    assert config.registries.auths == {
        "a.lan": Auth("u", SECRET),
        "b.lan": Auth(auth=login),
        "c.lan": Auth(identity_token=SECRET),
        "d.lan": Auth("u", "0123"),
    }
    shown = repr(config) + str(config) + repr([each.login for each in config.registries.auths.values()])
    assert SECRET not in shown
    assert login not in shown


def test_certificates_are_read(tmp_path: Path) -> None:
    issuer = authority(tmp_path)
    client = signed_by(issuer, tmp_path, "client")
    ca, crt, key = (path.read_bytes() for path in (issuer.certificate, client.certificate, client.key))
    identity = f"{{crt: {packed(crt)}, key: {packed(key)}}}"
    config = parsed(
        f"{{config: {{a.lan: {{tls: {{ca: {packed(ca)}, clientIdentity: {identity}}}}}, "
        "b.lan: {tls: {insecureSkipVerify: true}}}}"
    )

    assert config.registries.tls == {"a.lan": Tls(ca, crt, key), "b.lan": Tls(insecure_skip_verify=True)}
    assert config.registries.unverified == ("b.lan",)
    assert packed(key) not in repr(config)
    assert key.decode().splitlines()[1] not in repr(config)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    issuer = authority(tmp_path)
    client = signed_by(issuer, tmp_path, "client")
    identity = f"{{crt: {packed(issuer.certificate.read_bytes())}, key: {packed(client.key.read_bytes())}}}"

    (fault,) = faults_of(f"{{config: {{a.lan: {{tls: {{clientIdentity: {identity}}}}}}}}}")

    assert fault.path == 'machine.registries.config["a.lan"].tls.clientIdentity'
    assert "no pair" in fault.problem


@pytest.mark.parametrize("mark", ["*", "!", "%", "@", "`", '"', "'", "[", "{", "!<", "- ", "? "])
def test_a_password_that_lacks_its_quotes_is_not_shown_either(mark: str) -> None:
    faults_of(f"{{config: {{a.io: {{auth: {{username: u, password: {mark}{SECRET}}}}}}}}}")


NOT_PEM = packed(SECRET.encode())
LONG_SECRET = SECRET * (MAX_SECRET_CHARACTERS // len(SECRET) + 1)


@pytest.mark.parametrize(
    ("registries", "path", "problem"),
    [
        ("[1]", "", "this is a list, not a mapping"),
        ("{mirrors: [1]}", ".mirrors", "this is a list, not a mapping"),
        ("{mirrors: {a.io: null}}", '.mirrors["a.io"]', "this is nothing, not a mapping"),
        ("{mirrors: {a.io/b: {}}}", '.mirrors["a.io/b"]', "no host name"),
        ("{mirrors: {a.io: {endpoint: []}}}", '.mirrors["a.io"].endpoint', "unknown field"),
        ("{mirrors: {a.io: {endpoints: x}}}", '.mirrors["a.io"].endpoints', "this is a single value, not a list"),
        ("{mirrors: {a.io: {endpoints: [null]}}}", '.mirrors["a.io"].endpoints[0]', "this is nothing"),
        ("{mirrors: {a.io: {endpoints: [a.io]}}}", '.mirrors["a.io"].endpoints[0]', "does not start with http://"),
        (f'{{mirrors: {{a.io: {{endpoints: ["https://u:{SECRET}@m"]}}}}}}', '.mirrors["a.io"].endpoints[0]', "crede"),
        ('{mirrors: {a.io: {endpoints: ["https://"]}}}', '.mirrors["a.io"].endpoints[0]', "no host name"),
        ('{mirrors: {a.io: {endpoints: ["https://m:0x"]}}}', '.mirrors["a.io"].endpoints[0]', "no address"),
        (f'{{mirrors: {{a.io: {{endpoints: ["https://m?{SECRET}"]}}}}}}', '.mirrors["a.io"].endpoints[0]', "query"),
        ('{mirrors: {a.io: {endpoints: ["https://m#"]}}}', '.mirrors["a.io"].endpoints[0]', "fragment"),
        ("{mirrors: {a.io: {skipFallback: 1}}}", '.mirrors["a.io"].skipFallback', "neither true nor false"),
        ("{mirrors: {a.io: {overridePath: 'true'}}}", '.mirrors["a.io"].overridePath', "neither true nor false"),
        ("{config: {'*': {tls: {}}}}", '.config["*"]', "one host each"),
        ("{config: {'a b': {}}}", '.config["a b"]', "no host name"),
        ("{config: {a.io: {auht: {}}}}", '.config["a.io"].auht', "unknown field"),
        ("{config: {a.io: {auth: x}}}", '.config["a.io"].auth', "this is a single value"),
        ("{config: {a.io: {auth: {}}}}", '.config["a.io"].auth', "nobody is named"),
        (f"{{config: {{a.io: {{auth: {{password: {SECRET}}}}}}}}}", '.config["a.io"].auth', "nobody is named"),
        ("{config: {a.io: {auth: {username: 'a:b'}}}}", '.config["a.io"].auth', "colon"),
        (f"{{config: {{a.io: {{auth: {{auth: {NOT_PEM}}}}}}}}}", '.config["a.io"].auth.auth', "USER:PASSWORD"),
        (f"{{config: {{a.io: {{auth: {{auth: {SECRET}}}}}}}}}", '.config["a.io"].auth.auth', "USER:PASSWORD"),
        ("{config: {a.io: {auth: {identityToken: [1]}}}}", '.config["a.io"].auth.identityToken', "this is a list"),
        (f"{{config: {{a.io: {{auth: {{auth: {LONG_SECRET}}}}}}}}}", '.config["a.io"].auth.auth', "at most 16384"),
        (f"{{config: {{a.io: {{tls: {{ca: {SECRET}!}}}}}}}}", '.config["a.io"].tls.ca', "not base64"),
        (f"{{config: {{a.io: {{tls: {{ca: {NOT_PEM}}}}}}}}}", '.config["a.io"].tls.ca', "PEM"),
        ("{config: {a.io: {tls: {clientIdentity: []}}}}", '.config["a.io"].tls.clientIdentity', "this is a list"),
        (
            f"{{config: {{a.io: {{tls: {{clientIdentity: {{crt: {NOT_PEM}, key: {NOT_PEM}}}}}}}}}}}",
            '.config["a.io"].tls.clientIdentity',
            "no pair",
        ),
        (
            f"{{config: {{a.io: {{tls: {{clientIdentity: {{crt: {NOT_PEM}}}}}}}}}}}",
            '.config["a.io"].tls.clientIdentity',
            "key is missing",
        ),
    ],
)
def test_each_mistake_is_one_fault_with_its_place(registries: str, path: str, problem: str) -> None:
    (fault,) = faults_of(registries)

    assert fault.path == f"machine.registries{path}"
    assert problem in fault.problem
    assert fault.line == 3


def test_all_mistakes_are_told_at_once_each_with_its_line() -> None:
    faults = faults_of(
        "\n    mirrors:\n      a.io:\n        endpoints:\n          - x\n          - y\n    config:\n      b.io:\n"
        "        auth:\n          usrname: x\n          auth: '!'\n        tls:\n          ca: '!'\n"
    )

    assert [fault.line for fault in faults] == [7, 8, 12, 13, 15]


@pytest.mark.parametrize(
    ("registries", "problem"),
    [
        ("{mirrors: {" + ", ".join(f"a{n}.io: {{}}" for n in range(MAX_HOSTS + 1)) + "}}", f"at most {MAX_HOSTS}"),
        ("{config: {" + ", ".join(f"a{n}.io: {{}}" for n in range(MAX_HOSTS + 1)) + "}}", f"at most {MAX_HOSTS}"),
        ("{mirrors: {a.io: {endpoints: [" + "x," * (MAX_ENDPOINTS + 1) + "]}}}", f"at most {MAX_ENDPOINTS}"),
        ("{mirrors: {a.io: {endpoints: ['http://" + "x" * 2048 + "']}}}", "at most 2048"),
        ("{config: {a.io: {tls: {ca: " + "A" * MAX_PEM_BYTES * 2 + "}}}}", "characters, at most"),
    ],
)
def test_there_are_bounds(registries: str, problem: str) -> None:
    (fault,) = faults_of(registries)

    assert problem in fault.problem
