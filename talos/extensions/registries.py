"""What a machine config says of registries: which mirrors to ask first, who to be there, and whom to trust.

These are values only; `talos.config.registries` reads them, `endpoints` draws the conclusions. Neither `repr` nor a
message shows a secret.
"""

from collections.abc import Mapping

import msgspec

from talos.extensions.credentials import IdentityToken, Login

ANY_HOST = "*"
"""The key of the mirrors for hosts that have none of their own."""


class MirrorEndpoint(msgspec.Struct, frozen=True):
    """A place to ask instead of a registry; with `override_path` its path is used as it is, without /v2."""

    url: str
    override_path: bool = False


class Mirror(msgspec.Struct, frozen=True):
    """Where to ask for the images of one host; with `skip_fallback` nowhere else, not even at the host itself."""

    endpoints: tuple[MirrorEndpoint, ...] = ()
    skip_fallback: bool = False


class Auth(msgspec.Struct, frozen=True):
    """Who to be at a host, in the words of Docker's config.json; `auth` is base64 of `user:password`."""

    username: str = ""
    password: str = ""
    auth: str = ""
    identity_token: str = ""

    @property
    def login(self) -> Login | IdentityToken | None:
        """Return what to show the registry. The order is Talos's. Raises ValueError if `auth` can't be read."""
        if self.username:
            return Login(self.username, self.password)
        if self.identity_token:
            return IdentityToken(self.identity_token)
        return Login.unpack(self.auth) if self.auth else None

    def __repr__(self) -> str:
        return f"Auth({self.username!r}, …)"

    __str__ = __repr__


class Tls(msgspec.Struct, frozen=True):
    """How to know a host and be known by it: PEM texts, empty where there is none."""

    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    insecure_skip_verify: bool = False

    def __repr__(self) -> str:
        return f"Tls(ca={len(self.ca)} bytes, insecure_skip_verify={self.insecure_skip_verify}, …)"

    __str__ = __repr__


class Registries(msgspec.Struct, frozen=True):
    """All that is said, by host; a host carries its port where that is not its scheme's own."""

    mirrors: Mapping[str, Mirror] = {}
    auths: Mapping[str, Auth] = {}
    tls: Mapping[str, Tls] = {}

    @property
    def unverified(self) -> tuple[str, ...]:
        """Return the hosts whose certificates are not to be verified."""
        return tuple(sorted(host for host, tls in self.tls.items() if tls.insecure_skip_verify))
