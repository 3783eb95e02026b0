"""`machine.registries` becomes a value, or a fault for each thing in it that could not work when an image is wanted.

Keys beside `mirrors` and `config` pass untouched. Inside an entry nothing unknown passes, as in Talos itself: a
misspelt `skipFallback` would send a node where it was told not to go. Shape and fields as in Talos's v1alpha1
reference.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

import httpx2
import msgspec

from talos.config.cursor import Cursor
from talos.extensions import tls as pem
from talos.extensions.credentials import Login
from talos.extensions.reference import is_host
from talos.extensions.registries import ANY_HOST, Auth, Mirror, MirrorEndpoint, Registries, Tls

MAX_HOSTS: Final = 100
"""In `mirrors` and in `config`: images come from a handful."""
MAX_ENDPOINTS: Final = 10
"""Of one mirror: each may take its connection's time before the next one is asked."""
MAX_URL_CHARACTERS: Final = 2048
MAX_SECRET_CHARACTERS: Final = 16 * 1024
"""Of a password or a token: those of cloud registries have a few thousand."""
MAX_PEM_BYTES: Final = 256 * 1024
"""Of one PEM text: all authorities that a system trusts take about as much."""

HOST_REMEDY: Final = "write HOST or HOST:PORT"


class PemForm(msgspec.Struct, frozen=True):
    """How a part of the config holds PEM texts, and what it calls a certificate."""

    certificate: str
    words: str
    read: Callable[[Cursor, str], bytes]


PACKED: Final = PemForm("crt", "the base64 of a PEM text", lambda at, key: at.packed(key, most=MAX_PEM_BYTES))
PLAIN: Final = PemForm("cert", "a PEM text", lambda at, key: at.text(key, most=MAX_PEM_BYTES).encode())


def read(registries: Cursor) -> Registries:
    """Return what `machine.registries` says; what is wrong with it is noted."""
    if not registries.expect("mapping", "a mapping"):
        return Registries()
    mirrors = _mirrors(registries.child("mirrors"))
    config = registries.child("config")
    auths: dict[str, Auth] = {}
    tls: dict[str, Tls] = {}
    for host, entry in (config.entries(most=MAX_HOSTS) if config is not None else {}).items():
        entry.only(("auth", "tls"))
        if host == ANY_HOST:
            entry.fault("credentials and TLS are of one host each, not of all", HOST_REMEDY)
        elif not is_host(host):
            entry.fault("the key is no host name", HOST_REMEDY)
        if (found := entry.child("auth")) is not None:
            auths[host] = read_auth(found)
        if (found := entry.child("tls")) is not None:
            tls[host] = read_tls(found, PACKED)
    return Registries(mirrors, auths, tls)


def _mirrors(mirrors: Cursor | None) -> dict[str, Mirror]:
    result = {}
    for host, entry in (mirrors.entries(most=MAX_HOSTS) if mirrors is not None else {}).items():
        entry.only(("endpoints", "overridePath", "skipFallback"))
        if host != ANY_HOST and not is_host(host):
            entry.fault("the key is no host name", f"{HOST_REMEDY}, or {ANY_HOST} for all others")
        override = entry.flag("overridePath")
        listed = entry.child("endpoints")
        items = listed.items(most=MAX_ENDPOINTS) if listed is not None else ()
        endpoints = tuple(MirrorEndpoint(item.node.text, override) for item in items if is_endpoint(item))
        result[host] = Mirror(endpoints, entry.flag("skipFallback"))
    return result


def is_endpoint(item: Cursor) -> bool:
    """Tell whether this is an address to ask for images; what is wrong with it is noted."""
    remedy = "write http://HOST[:PORT][/PATH] or https://…"
    if not item.expect("scalar", "an address"):
        return False
    problem = _problem_of_url(item.node.text)
    if problem:
        item.fault(problem, remedy)
    return not problem


def _problem_of_url(text: str) -> str:
    """Return what keeps a text from being an endpoint, without quoting it: it may hold a password."""
    if len(text) > MAX_URL_CHARACTERS:
        return f"the address has {len(text)} characters, at most {MAX_URL_CHARACTERS} are allowed"
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        return "this is no address"
    if url.scheme not in ("http", "https"):
        return "the address does not start with http:// or https://"
    if url.userinfo:
        return "the address holds credentials, which belong under machine.registries.config"
    if not is_host(url.netloc.decode()):
        return "the address has no host name"
    if url.query or url.fragment or "?" in text or "#" in text:
        return "the address has a query or a fragment"
    return ""


def read_auth(auth: Cursor) -> Auth:
    """Return what a mapping says of credentials; what is wrong with it is noted."""
    if not auth.expect("mapping", "a mapping"):
        return Auth()
    auth.only(("username", "password", "auth", "identityToken"))
    read = Auth(*(auth.text(key, most=MAX_SECRET_CHARACTERS) for key in ("username", "password", "auth")))
    token = auth.text("identityToken", most=MAX_SECRET_CHARACTERS)
    packed = auth.child("auth")
    if not any(auth.child(key) for key in ("username", "auth", "identityToken")):
        auth.fault("nobody is named", "write username and password, or auth, or identityToken")
    if ":" in read.username:
        auth.fault("the username holds a colon, which HTTP has no way to say", "correct it")
    if packed is not None and read.auth and not _is_login(read.auth):
        packed.fault("this is not the base64 of USER:PASSWORD", "write what `printf %s USER:PASSWORD | base64` prints")
    return Auth(read.username, read.password, read.auth, token)


def _is_login(packed: str) -> bool:
    try:
        return b":" in base64.b64decode(packed, validate=True) and Login.unpack(packed) is not None
    except ValueError:
        return False


def read_tls(tls: Cursor, form: PemForm) -> Tls:
    """Return what a mapping says of certificates; what is wrong with it is noted."""
    if not tls.expect("mapping", "a mapping"):
        return Tls()
    tls.only(("ca", "clientIdentity", "insecureSkipVerify"))
    certificate = key = b""
    identity = tls.child("clientIdentity")
    if identity is not None and identity.expect("mapping", "a mapping"):
        names = (form.certificate, "key")
        identity.only(names)
        certificate, key = (form.read(identity, name) for name in names)
        for name in names:
            if identity.child(name) is None:
                identity.fault(f"{name} is missing", f"add `{name}:` with {form.words}")
    result = Tls(form.read(tls, "ca"), certificate, key, tls.flag("insecureSkipVerify"))
    # Each alone, so that a fault of one hides none of the other.
    _check_pem(tls, Tls(ca=result.ca), form)
    if certificate and key:
        _check_pem(tls, Tls(certificate=certificate, key=key), form)
    return result


def _check_pem(place: Cursor, tls: Tls, form: PemForm) -> None:
    try:
        pem.check(tls)
    except pem.InvalidTls as error:
        found = place.child(error.field)
        assert found is not None
        found.fault(error.problem, f"write {form.words}")
