"""Credentials come from Docker's config.json and are shown to nobody."""

import base64
import json
from pathlib import Path

import pytest

from talos.extensions.credentials import Credentials, InvalidCredentials, Login


def config(directory: Path, auths: object) -> Path:
    path = directory / "config.json"
    path.write_text(json.dumps({"auths": auths, "credsStore": "ignored"}))
    return path


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://registry.example:5000/v2/", "registry.example:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
    ],
)
def test_a_login_is_found_by_the_registrys_host(tmp_path: Path, key: str, host: str) -> None:
    credentials = Credentials.from_docker_config(config(tmp_path, {key: {"auth": packed("me:pass:word")}}))

    assert credentials.for_host(host) == Login("me", "pass:word")
    assert credentials.for_host("other.example") is None


def test_a_login_may_be_in_clear(tmp_path: Path) -> None:
    path = config(tmp_path, {"a": {"username": "me", "password": "x"}, "b": {}})

    assert Credentials.from_docker_config(path).for_host("a") == Login("me", "x")
    assert Credentials.from_docker_config(path).for_host("b") is None


def test_docker_config_says_where_the_file_is(tmp_path: Path) -> None:
    config(tmp_path, {"a": {"auth": packed("me:x")}})

    assert Credentials.from_environment({"DOCKER_CONFIG": str(tmp_path)}).for_host("a") == Login("me", "x")


def test_no_file_means_no_credentials(tmp_path: Path) -> None:
    assert Credentials.from_environment({"HOME": str(tmp_path)}).for_host("a") is None


@pytest.mark.parametrize(
    "auths", [{"a": {"auth": "s3cret!"}}, {"a": {"auth": "é"}}, {"a": {"auth": 12}}, {"a": {"auth": "/w=="}}, 7]
)
def test_a_file_that_cannot_be_read_is_told_without_its_secrets(tmp_path: Path, auths: object) -> None:
    path = config(tmp_path, auths)

    with pytest.raises(InvalidCredentials) as caught:
        Credentials.from_docker_config(path)

    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Login("me", "secret")) + str(Login("me", "secret"))
    assert "secret" not in repr(Credentials({"a": Login("me", "secret")}))
