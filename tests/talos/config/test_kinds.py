"""Documents of known kinds are held against Talos's rules."""

import pytest

from talos.config.machine_config import parse
from tests.talos.config.refused import MACHINE, faults_of, said_of


def with_document(kind: str, body: str, machine: str = "") -> str:
    lines = "".join(f"{line}\n" for line in body.splitlines())
    return f"{MACHINE}{machine}---\napiVersion: v1alpha1\nkind: {kind}\n{lines}"


GOOD = [
    ("HostnameConfig", "hostname: worker-33.example.org"),
    ("HostnameConfig", "auto: stable"),
    ("HostnameConfig", "auto: off\nhostname: a"),
    ("ExtensionServiceConfig", "name: nut\nconfigFiles: [{content: a, mountPath: /etc/a}]\nenvironment: [A=b]"),
    ("EnvironmentConfig", "variables: {http_proxy: 'http://a:1', GRPC_LEVEL: 99}"),
    ("KmsgLogConfig", "name: remote\nurl: tcp://192.168.3.7:3478/"),
    ("KmsgLogConfig", "name: remote\nurl: udp://[fd00::1]:3478"),
    ("EventSinkConfig", "endpoint: '[fd00::1]:3247'"),
    ("WatchdogTimerConfig", "device: /dev/watchdog0\ntimeout: 2m0.5s"),
    ("WatchdogTimerConfig", "device: /dev/watchdog0"),
    ("SysctlConfig", "params: {net.ipv4.ip_forward: 0}"),
    ("KernelModuleConfig", "name: btrfs\nparameters: [a=1]"),
    ("ImageCacheConfig", "local: {enabled: true}"),
    ("TrustedRootsConfig", "name: ours\ncertificates: |\n  -----BEGIN CERTIFICATE-----"),
]


@pytest.mark.parametrize(("kind", "body"), GOOD)
def test_talos_own_examples_are_good(kind: str, body: str) -> None:
    _, document = parse(with_document(kind, body).encode(), source="x").documents

    assert (document.kind, document.known) == (kind, True)


@pytest.mark.parametrize(
    ("kind", "body", "line", "field", "problem"),
    [
        ("HostnameConfig", "", 2, "", "neither auto nor hostname is given"),
        ("HostnameConfig", "hostname: a\nauto: stable", 5, ".auto", "auto and hostname are both given"),
        ("HostnameConfig", "auto: talos-addr", 4, ".auto", "this is no value that the field knows"),
        ("HostnameConfig", f"hostname: {'a' * 64}", 4, ".hostname", "a name has up to 63 characters before its first"),
        ("HostnameConfig", "hostname: [a]", 4, ".hostname", "this is a list, not a text"),
        ("HostnameConfig", "hostname: a\nname: b", 5, "", "unknown field"),
        ("ExtensionServiceConfig", "environment: [A=b]", 2, ".name", "missing"),
        ("ExtensionServiceConfig", "name: a", 2, "", "neither configFiles nor environment is given"),
        ("ExtensionServiceConfig", "name: a\nconfigFiles: x", 5, ".configFiles", "this is a single value, not a list"),
        ("ExtensionServiceConfig", "name: a\nconfigFiles:\n- x", 6, ".configFiles[0]", "this is a single value, not a"),
        (
            "ExtensionServiceConfig",
            "name: a\nconfigFiles:\n- content: x\n  mountPath: ''",
            7,
            ".configFiles[0].mountPath",
            "empty",
        ),
        (
            "ExtensionServiceConfig",
            "name: a\nconfigFiles:\n- content: x\n  mountPath: /a\n  mode: 1",
            8,
            ".configFiles[0].mode",
            "unknown field",
        ),
        ("EnvironmentConfig", "variables:\n  0a: b", 5, '.variables["0a"]', "this is no name of an environment"),
        ("EnvironmentConfig", "variables: [a]", 4, ".variables", "this is a list, not a mapping"),
        ("EnvironmentConfig", "variables: null", 4, ".variables", "missing"),
        ("KmsgLogConfig", "name: a\nurl: tcp://b", 5, ".url", "kernel messages can't go there"),
        ("KmsgLogConfig", "name: a\nurl: http://b:1", 5, ".url", "kernel messages can't go there"),
        ("KmsgLogConfig", "name: a\nurl: b", 5, ".url", "the address lacks its scheme or its host"),
        ("KmsgLogConfig", "name: a\nurl: tcp://[b", 5, ".url", "this is no address"),
        ("EventSinkConfig", "endpoint: a", 4, ".endpoint", "this is no host and port"),
        ("EventSinkConfig", "endpoint: a:65536", 4, ".endpoint", "this is no host and port"),
        ("WatchdogTimerConfig", "device: ''", 4, ".device", "empty"),
        ("WatchdogTimerConfig", "device: a\ntimeout: 9.9s", 5, ".timeout", "too short"),
        ("WatchdogTimerConfig", "device: a\ntimeout: 2 m", 5, ".timeout", "this is no duration"),
        ("SysctlConfig", "params: {'': a}", 4, '.params[""]', "empty"),
        ("ImageCacheConfig", "local: {enabled: 1}", 4, ".local.enabled", "this is neither true nor false"),
    ],
)
def test_each_mistake_is_one_fault_with_its_place(kind: str, body: str, line: int, field: str, problem: str) -> None:
    ((at, path, said),) = said_of(with_document(kind, body))

    assert at == MACHINE.count("\n") + line  # counted from the document's `---`
    assert path.startswith(kind)
    assert path.endswith(field)
    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("kind", "body", "machine"),
    [
        ("HostnameConfig", "hostname: a", "network: {hostname: b}"),
        ("HostnameConfig", "auto: stable", "features: {stableHostname: true}"),
        ("ImageCacheConfig", "local: {enabled: true}", "features: {imageCache: {localEnabled: true}}"),
    ],
)
def test_one_thing_is_said_in_one_place(kind: str, body: str, machine: str) -> None:
    ((line, path, problem),) = said_of(with_document(kind, body, f"machine: {{{machine}}}\n"))

    assert (line, path) == (4, kind)
    assert problem.endswith("on line 2 says this already")


def test_what_the_machine_config_leaves_open_a_document_may_say() -> None:
    machine = 'machine: {network: {hostname: ""}, features: {stableHostname: false, imageCache: {}}}\n'

    config = parse(with_document("HostnameConfig", "hostname: a", machine).encode(), source="x")

    assert len(config.documents) == 2


def test_a_misspelt_field_in_a_list_comes_with_the_right_spelling() -> None:
    text = with_document("ExtensionServiceConfig", "name: a\nconfigFiles: [{content: a, mountPath: b, mountPaht: c}]")

    assert [fault.remedy for fault in faults_of(text)] == ["did you mean `mountPath`?"]
