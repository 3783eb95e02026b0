"""A config is a stream of documents, each told apart by kind and name, and kept as it was written."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.config import cursor, schema
from talos.config.document import MAX_DOCUMENTS, MAX_NAME_CHARACTERS
from talos.config.faults import ConfigError, ConfigFault
from talos.config.machine_config import parse
from tests.talos.config.refused import MACHINE, faults_of, said_of

TEXT = b"""\
# mine
version: v1alpha1
---
# theirs
apiVersion: v1alpha1
kind: VolumeConfig
name: EPHEMERAL # kept
whatever: [1, 2]
---
---
apiVersion: v2
kind: EventSinkConfig
what: ever
--- # short
{apiVersion: v1alpha1, kind: HostnameConfig, hostname: a}
"""


def test_every_document_is_listed_with_what_it_calls_itself() -> None:
    documents = parse(TEXT, source="x").documents

    assert [(each.kind, each.api_version, each.name, each.line, each.known) for each in documents] == [
        ("v1alpha1", "", "", 2, True),
        ("VolumeConfig", "v1alpha1", "EPHEMERAL", 5, False),
        ("EventSinkConfig", "v2", "", 11, False),
        ("HostnameConfig", "v1alpha1", "", 15, True),
    ]
    assert documents[1].text == TEXT[TEXT.index(b"---\n# theirs") : TEXT.index(b"---\n---")]


def test_a_document_shows_nothing_of_what_is_in_it() -> None:
    config = parse(
        b"version: v1alpha1\nmachine: {token: hunter2}\n---\napiVersion: v1\nkind: X\ny: hunter2\n", source=""
    )

    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)


@pytest.mark.parametrize(
    ("second", "path", "problem"),
    [
        ("apiVersion: v1alpha1\nkind: X", "X", "a second document of this kind, the first starts on line 3"),
        ("apiVersion: v2\nkind: X", "X", "a second document of this kind, the first starts on line 3"),
        ("apiVersion: v1alpha1\nkind: Y\nname: a", 'Y["a"]', "a second document of this kind and name, the first"),
        ("version: v1alpha1", "", "a second machine config, the first starts on line 1"),
        ("apiVersion: v1alpha1", "kind", "missing beside apiVersion"),
        ("apiVersion: v1alpha1\nkind: [X]", "kind", "this is a list"),
        ("apiVersion: v1alpha1\nkind: ''", "kind", "this is empty"),
        ("apiVersion: v1alpha1\nkind: a.b", "kind", "this is no kind"),
        ("apiVersion: {a: b}\nkind: X", "apiVersion", "this is a mapping"),
        (f"apiVersion: v1\nkind: Z\nname: {'n' * 257}", "name", f"257 characters, at most {MAX_NAME_CHARACTERS}"),
    ],
)
def test_what_keeps_a_document_from_being_told_apart_is_a_fault(second: str, path: str, problem: str) -> None:
    first = "apiVersion: v1alpha1\nkind: X\n---\napiVersion: v1alpha1\nkind: Y\nname: a\n"

    (fault,) = faults_of(f"{MACHINE}---\n{first}---\n{second}\n")

    assert fault.path == path
    assert fault.problem.startswith(problem)
    assert fault.line > 8


def test_a_name_makes_two_documents_of_a_kind_two() -> None:
    text = f"{MACHINE}---\napiVersion: v1\nkind: X\nname: a\n---\napiVersion: v1\nkind: X\nname: b\n"

    assert [each.name for each in parse(text.encode(), source="x").documents] == ["", "a", "b"]


def test_too_many_documents_are_refused() -> None:
    (fault,) = faults_of(MACHINE + "---\n{apiVersion: v1, kind: X}\n" * MAX_DOCUMENTS)

    assert fault.problem == f"{MAX_DOCUMENTS + 1} documents, at most {MAX_DOCUMENTS} are allowed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("debug: 1", (2, "debug", "this is neither true nor false")),
        ("mahcine: {}", (2, "mahcine", "unknown field")),
        ("machine:\n  instal: {}", (3, "machine.instal", "unknown field")),
        ("machine:\n  install:\n    exensions: []", (4, "machine.install.exensions", "unknown field")),
        ("machine:\n  install:\n    wipe: maybe", (4, "machine.install.wipe", "this is neither true nor false")),
        ("machine:\n  install:\n    disk: [a]", (4, "machine.install.disk", "this is a list, not a text")),
        ("machine:\n  type: master", (3, "machine.type", "this is no value that the field knows")),
        ("machine:\n  certSANs: a", (3, "machine.certSANs", "this is a single value, not a list")),
        ("machine:\n  certSANs:\n  - {}", (4, "machine.certSANs[0]", "this is a mapping, not a text")),
        ("machine:\n  sysctls:\n    a.b: [1]", (4, 'machine.sysctls["a.b"]', "this is a list, not a text")),
        ("machine:\n  network: []", (3, "machine.network", "this is a list, not a mapping")),
        ("machine:\n  network:\n    hostname: {}", (4, "machine.network.hostname", "this is a mapping, not a text")),
        ("cluster:\n  clustername: a", (3, "cluster.clustername", "unknown field")),
        ("cluster: 1", (2, "cluster", "this is a single value, not a mapping")),
    ],
)
def test_the_machine_config_is_checked_where_this_node_could_act_on_it(text: str, said: tuple[int, str, str]) -> None:
    assert said_of(f"{MACHINE}{text}\n") == [said]


def test_a_misspelt_field_comes_with_the_right_spelling() -> None:
    (fault,) = faults_of(f"{MACHINE}machine:\n  regsitries: {{}}\n")

    assert fault.remedy == "did you mean `registries`?"


def test_what_this_node_does_not_act_on_may_be_anything() -> None:
    text = f"""{MACHINE}debug: yes
persist: true
machine:
  type: ""
  token: 1.0
  sysctls: {{a: 1, b: null, c: true}}
  install: {{disk: 1, diskSelector: {{size: '> 1'}}, wipe: off, legacyBIOSSupport: true}}
  network: {{interfaces: [{{interface: eth0}}], anything: 1}}
  kubelet: [1]
  features: {{anything: 1}}
cluster: {{controlPlane: {{endpoint: x}}, inlineManifests: 1, id: a}}
"""

    assert parse(text.encode(), source="x").extensions == ()


def test_faults_of_all_documents_come_together_in_the_order_of_their_lines() -> None:
    text = (
        f"{MACHINE}machine: {{install: {{extensions: [{{image: A}}]}}, registries: {{mirrors: 1}}, tokn: x}}\n"
        "---\napiVersion: v1alpha1\nkind: EventSinkConfig\nendpont: a\n"
        "---\napiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: a b\nusername: x\n"
    )

    assert [(fault.line, fault.path) for fault in faults_of(text)] == [
        (2, "machine.tokn"),
        (2, "machine.install.extensions[0].image"),
        (2, "machine.registries.mirrors"),
        (4, "EventSinkConfig.endpoint"),
        (6, "EventSinkConfig.endpont"),
        (10, 'RegistryAuthConfig["a b"].name'),
    ]


def test_a_config_that_is_all_wrong_is_refused_at_once() -> None:
    began = time.monotonic()
    keys = ", ".join(f"key{number}: [" + "]" for number in range(20_000))

    faults = faults_of(
        f"{MACHINE}machine: {{{keys}}}\n---\n{{apiVersion: v1alpha1, kind: RegistryAuthConfig, name: a, {keys}}}\n"
    )

    assert len(faults) == schema.MAX_FAULTS + cursor.MAX_UNKNOWN + 1  # and nobody is named
    assert time.monotonic() - began < 10


WORDS = """
version v1alpha1 machine cluster install extensions image registries mirrors config auth network hostname kind name
apiVersion HostnameConfig RegistryMirrorConfig RegistryTLSConfig ExtensionServiceConfig endpoints url configFiles
content sysctls auto variables EnvironmentConfig KmsgLogConfig WatchdogTimerConfig timeout 2m
"""
words = st.sampled_from(WORDS.split())
flow = st.recursive(
    words | st.sampled_from(["1", "null", "true", "1.5", "''", "'*'"]),
    lambda below: (
        st.lists(below, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(words, below, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=15,
)


@given(st.lists(flow, max_size=3))
def test_any_text_is_a_config_or_a_list_of_faults(documents: list[str]) -> None:
    text = "\n---\n".join(documents).encode()

    faults: tuple[ConfigFault, ...] = ()
    try:
        parse(text, source="x")
    except ConfigError as error:
        faults = error.faults

    assert all(fault.line > 0 and fault.problem and fault.remedy for fault in faults)
