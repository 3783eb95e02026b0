"""Who to be at which registry, as `docker login` leaves it in config.json.

Read are the entries of `auths` that hold `auth` (base64 of user:password) or `username` and `password`. Credential
helpers are programs and are not run. Neither `repr` nor a message shows a secret.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

MAX_CONFIG_BYTES = 1024 * 1024

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")


class InvalidCredentials(ValueError):
    """The file of credentials cannot be understood."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}; write it anew with `docker login`, or remove it")


class Login(msgspec.Struct, frozen=True):
    """A user's name and password."""

    username: str
    password: str

    @classmethod
    def unpack(cls, packed: str) -> Self:
        """Read the base64 of `user:password`. Raises ValueError, whose text may hold the secret."""
        username, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
        return cls(username, password.rstrip("\0"))

    @property
    def basic(self) -> str:
        """Return the value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def __repr__(self) -> str:
        return f"Login({self.username!r}, …)"

    __str__ = __repr__


class IdentityToken(msgspec.Struct, frozen=True):
    """What a token server exchanges for a token, in place of a name and a password."""

    token: str

    def __repr__(self) -> str:
        return "IdentityToken(…)"

    __str__ = __repr__


class Credentials:
    """The logins known, by registry host."""

    def __init__(self, logins: Mapping[str, Login] | None = None) -> None:
        self._logins = dict(logins or {})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read `$DOCKER_CONFIG/config.json`, or the one in `~/.docker`; no file means no credentials.

        Raises InvalidCredentials.
        """
        directory = environment.get("DOCKER_CONFIG")
        home = Path(environment.get("HOME", "/"))
        return cls.from_docker_config(Path(directory) / "config.json" if directory else home / ".docker/config.json")

    @classmethod
    def from_docker_config(cls, path: Path) -> Self:
        """Read one config.json; no file means no credentials. Raises InvalidCredentials."""
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_CONFIG_BYTES)
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise InvalidCredentials(path, f"cannot be read ({error.strerror})") from error
        try:
            config = msgspec.json.decode(raw, type=_DockerConfig)
            return cls({_host(key): login for key, entry in config.auths.items() if (login := entry.login())})
        except (msgspec.MsgspecError, ValueError, RecursionError):
            # The parser's own words may quote the secret, so they stay out.
            raise InvalidCredentials(path, "is not Docker's JSON, or an `auth` in it is not base64") from None

    def for_host(self, host: str) -> Login | None:
        """Return the login for a registry host, with its port where it has one."""
        return self._logins.get(host)

    def __repr__(self) -> str:
        return f"Credentials(hosts={sorted(self._logins)})"


class _Entry(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""

    def login(self) -> Login | None:
        if self.auth:
            return Login.unpack(self.auth)
        return Login(self.username, self.password) if self.username else None


class _DockerConfig(msgspec.Struct):
    auths: dict[str, _Entry] = {}


def _host(key: str) -> str:
    if key in _DOCKER_HUB_KEYS:
        return _DOCKER_HUB
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]
