"""A registry that answers 401 says how to come back: with a password, or with a token from the realm that it names.

The realm is the server's choice, so it is trusted with a password only over https, or where registry and realm are
both on this machine. Sources: RFC 7235, the Docker registry token authentication specification.
"""

import ipaddress
import re

import httpx2
import msgspec

MAX_TOKEN_BYTES = 64 * 1024
MAX_CHALLENGE_CHARACTERS = 4096

_LOCALHOST = "localhost"
_SCHEME = re.compile(r"\s*([A-Za-z]+)\s*")
_PARAMETER = re.compile(r'([a-zA-Z_]{1,32})="([^"]{0,2048})"')


class Challenge(msgspec.Struct, frozen=True):
    """What a WWW-Authenticate header asks for."""

    scheme: str  # in lower case: basic, bearer, or something not spoken here
    realm: str = ""
    service: str = ""
    scope: str = ""

    @classmethod
    def parse(cls, header: str) -> "Challenge | None":
        """Read a header; None where it is absent or unreadable."""
        header = header[:MAX_CHALLENGE_CHARACTERS]
        scheme = _SCHEME.match(header)
        if scheme is None:
            return None
        found = dict(_PARAMETER.findall(header))
        return cls(scheme[1].lower(), found.get("realm", ""), found.get("service", ""), found.get("scope", ""))

    def token_server(self, *, registry: httpx2.URL) -> httpx2.URL | None:
        """Return where to ask for a token; None where the realm may not be trusted with a request."""
        try:
            realm = httpx2.URL(self.realm)
        except httpx2.InvalidURL:
            return None
        return realm if may_follow(registry, realm) else None

    def parameters(self, *, scope: str) -> dict[str, str]:
        """Return what to ask the token server for; `scope` is what is wanted unless the challenge names it."""
        return {**({"service": self.service} if self.service else {}), "scope": self.scope or scope}


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


def token_of(body: bytes) -> str | None:
    """Return the token in a token server's answer; None where there is none that fits a header."""
    try:
        answer = msgspec.json.decode(body, type=_Token)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    token = answer.token or answer.access_token
    return token if token.isascii() and token.isprintable() and token else None


def is_loopback(host: str) -> bool:
    """Tell whether a host, given without port, is this machine by its very name."""
    if host == _LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def same_place(one: httpx2.URL, other: httpx2.URL) -> bool:
    """Tell whether two addresses lie on the same server: what may be shown to one may be shown to the other."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def may_follow(origin: httpx2.URL, target: httpx2.URL) -> bool:
    """Tell whether a registry may send us to `target`: to itself, over https, or from loopback to loopback.

    So no registry out there can point this node at its own services, or have it speak in the clear to anybody with
    whom the config does not.
    """
    if target.userinfo or not target.host:
        return False
    if same_place(origin, target):
        return True
    if is_loopback(target.host):
        return is_loopback(origin.host) and target.scheme in ("http", "https")
    return target.scheme == "https"
