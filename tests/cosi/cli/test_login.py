"""A login is read out of a talosconfig as talosctl reads it; one that can't be used says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosi.cli import login
from cosi.resource import goyaml
from tests.cosi.cli.nodes import in_base64
from tests.cosi.rpc.certificates import ED25519, Authority

Context = Mapping[str, object]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["aGVsbG8=", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.sampled_from(["endpoints", "nodes", "ca", "crt", "key", "cluster", "target"])
CONFIGS = ANYTHING | st.fixed_dictionaries(
    {"context": ANYTHING, "contexts": ANYTHING | st.fixed_dictionaries({"a": st.dictionaries(FIELDS, ANYTHING)})}
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Context:
    authority = Authority(tmp_path_factory.mktemp("authority"), kind=ED25519)
    certificate, key = authority.issue("client", ED25519)
    return {
        "endpoints": ["172.20.0.2", "https://node.example"],
        "nodes": ["172.20.0.2", "172.20.0.3"],
        "ca": in_base64(authority.certificate),
        "crt": in_base64(certificate),
        "key": in_base64(key),
        "auth": {"basic": {"username": "somebody"}},
    }


def written(directory: Path, config: object) -> str:
    file = directory / "talosconfig"
    file.write_text(yaml.safe_dump(config))
    return str(file)


def refusal(path: str, context: str = "") -> str:
    """Return why there is no login, without the file's name."""
    with pytest.raises(login.LoginError) as refused:
        login.read(path, context)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_the_context_in_use_is_read(tmp_path: Path, good: Context) -> None:
    path = written(tmp_path, {"context": "b", "contexts": {"a": {}, "b": good}})

    known = login.read(path)

    assert known.endpoints == ["172.20.0.2", "https://node.example"]
    assert known.nodes == ["172.20.0.2", "172.20.0.3"]
    assert in_base64(known.tls.ca) == good["ca"]
    assert known.tls.identity is not None
    assert in_base64(known.tls.identity.certificate) == good["crt"]
    assert "PRIVATE" not in repr(known)


def test_another_context_may_be_chosen(tmp_path: Path, good: Context) -> None:
    contexts = {"a": {**good, "cluster": "north", "nodes": None}, "b": good}

    known = login.read(written(tmp_path, {"context": "b", "contexts": contexts}), "a")

    assert (known.cluster, known.nodes) == ("north", [])


def test_a_login_may_have_no_certificate_and_an_old_one_has_a_target(tmp_path: Path, good: Context) -> None:
    old = {"target": "172.20.0.9", "ca": good["ca"]}

    known = login.read(written(tmp_path, {"context": "old", "contexts": {"old": old}}))

    assert known.endpoints == ["172.20.0.9"]
    assert known.tls.identity is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ca": None}, "contexts.c has no ca, so no node can be believed; have the login written anew"),
        ({"ca": "%"}, "contexts.c.ca is not base64; have the login written anew"),
        ({"ca": "aGVsbG8="}, "contexts.c: not the certificates of an authority ("),
        ({"ca": ["x"]}, "contexts.c.ca is not text; have the login written anew"),
        ({"crt": "aGVsbG8="}, "contexts.c: not a certificate and its private key ("),
        ({"key": None}, "contexts.c: not a certificate and its private key"),
        ({"endpoints": "x"}, "contexts.c.endpoints is not a list; have the login written anew"),
        ({"nodes": [{"a": 1}]}, "contexts.c.nodes[0] is not text; have the login written anew"),
    ],
)
def test_a_field_that_is_wrong_is_named(tmp_path: Path, good: Context, changed: Context, message: str) -> None:
    path = written(tmp_path, {"context": "c", "contexts": {"c": {**good, **changed}}})

    assert refusal(path).startswith(message)


@pytest.mark.parametrize(
    ("config", "context", "message"),
    [
        (None, "", "talos config file is empty; name another file with --talosconfig"),
        ([1], "", "the file is not a mapping; name a talosconfig"),
        ({"contexts": "x"}, "", "contexts is not a mapping; name a talosconfig"),
        ({"context": "a", "contexts": {"a": "x"}}, "", "contexts.a is not a mapping; name a talosconfig"),
        (
            {"contexts": {"a": {}, "b": {}}},
            "",
            'default context "" not found in config; choose one with --context: a, b',
        ),
        (
            {"context": "c", "contexts": {"a": {}}},
            "",
            'default context "c" not found in config; choose one with --context: a',
        ),
        ({"context": "a", "contexts": {"a": {}}}, "x", 'context "x" not found in config; there are a'),
        ({}, "x", 'context "x" not found in config; there are none'),
    ],
)
def test_a_file_without_the_context_says_so(tmp_path: Path, config: object, context: str, message: str) -> None:
    assert refusal(written(tmp_path, config), context) == message


def test_what_is_no_yaml_or_not_there_or_too_large_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "talosconfig"

    assert refusal(str(file)).startswith("there is no such file; name the file with --talosconfig")
    file.write_text("a: b: c")
    assert refusal(str(file)).startswith("not a talosconfig (YAML line 1, column 5: mapping values are not allowed")
    file.write_bytes(b"\xff")
    assert refusal(str(file)).startswith("not a talosconfig (")
    file.write_bytes(b"#" * (goyaml.MAX_DOCUMENT_BYTES + 1))
    assert "more than the" in refusal(str(file))


@given(CONFIGS, st.sampled_from(["", "a"]))
def test_any_yaml_gives_a_login_or_says_why_not(config: object, context: str) -> None:
    with TemporaryDirectory() as directory, suppress(login.LoginError):
        login.read(written(Path(directory), config), context)


def test_the_file_is_looked_for_where_talosctl_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, named, talos_home = tmp_path / ".talos/config", tmp_path / "named", tmp_path / "talos-home/config"
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in (login.FILE_VARIABLE, login.HOME_VARIABLE):
        monkeypatch.delenv(variable, raising=False)

    assert login.default_path() == str(home)
    monkeypatch.setenv(login.HOME_VARIABLE, str(talos_home.parent))
    assert login.default_path() == str(talos_home)
    monkeypatch.setenv(login.FILE_VARIABLE, str(named))
    assert login.default_path() == str(named)
    talos_home.parent.mkdir()
    talos_home.touch()
    assert login.default_path() == str(talos_home)  # the first that is there
