"""Reads a login to nodes out of a talosconfig: where they are, whom to believe, and who one is.

The file is talosctl's, in the form of Talos's pkg/machinery/client/config. It is only read here, and of a context only
what a client needs. Nothing of a key is ever shown.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from cosi.resource import goyaml
from cosi.rpc.tls import ClientTls, Identity

FILE_VARIABLE: Final = "TALOSCONFIG"
HOME_VARIABLE: Final = "TALOS_HOME"
SERVICE_ACCOUNT_FILE: Final = "/var/run/secrets/talos.dev/config"
"""Where a pod finds the login that Talos gives it."""

SHOWN_CHARACTERS: Final = 200
"""How much of a file's names a message repeats."""

_AGAIN: Final = "have the login written anew"


class LoginError(ValueError):
    """A file gives no login; the message says why, and what to do."""

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")


class Login(NamedTuple):
    """A context of a talosconfig. An endpoint is HOST, HOST:PORT or a URL, as it is written there."""

    endpoints: Sequence[str]
    nodes: Sequence[str]
    cluster: str
    tls: ClientTls


def default_path() -> str:
    """Return where the login lies unless told: the first of talosctl's places that has one, or else the first."""
    home = os.environ.get(HOME_VARIABLE, "")
    directory = home if os.path.isabs(home) else os.path.expanduser("~/.talos")
    places = [os.path.join(directory, "config"), SERVICE_ACCOUNT_FILE]
    if named := os.environ.get(FILE_VARIABLE):
        places.insert(0, named)
    return next((place for place in places if os.path.exists(place)), places[0])


def read(path: str, context: str = "") -> Login:
    """Return the login of a context, by default the one that the file says is used. Raises LoginError, OSError."""
    config = _content(path)
    contexts = _mapping(path, "contexts", config.get("contexts"))
    if not context:
        context = _text(path, "context", config.get("context"))
        if not context and not contexts:
            raise LoginError(path, "talos config file is empty", "name another file with --talosconfig")
        if context not in contexts:
            problem = f'default context "{context}" not found in config'
            raise LoginError(path, problem, f"choose one with --context: {_names(contexts)}")
    if context not in contexts:
        raise LoginError(path, f'context "{context}" not found in config', f"there are {_names(contexts)}")
    where = f"contexts.{context}"
    return _login(path, where, _mapping(path, where, contexts[context]))


def _content(path: str) -> Mapping[object, object]:
    try:
        with open(path, "rb") as file:
            raw = file.read(goyaml.MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError:
        remedy = "name the file with --talosconfig (`machined talosconfig` writes one)"
        raise LoginError(path, "there is no such file", remedy) from None
    try:
        return _mapping(path, "the file", goyaml.construct(goyaml.parse(raw)))
    except goyaml.YAMLError as error:
        raise LoginError(path, f"not a talosconfig ({error})", "name another file with --talosconfig") from None


def _login(path: str, where: str, context: Mapping[object, object]) -> Login:
    def text(field: str) -> str:
        return _text(path, f"{where}.{field}", context.get(field))

    def pem(field: str) -> bytes:
        encoded = "".join(text(field).split())
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise LoginError(path, f"{where}.{field} is not base64", _AGAIN) from None

    ca, certificate, key = pem("ca"), pem("crt"), pem("key")
    if not ca:
        raise LoginError(path, f"{where} has no ca, so no node can be believed", _AGAIN)
    try:
        tls = ClientTls(ca, Identity(certificate, key) if certificate or key else None)
    except ValueError as error:
        raise LoginError(path, f"{where}: {error}", _AGAIN) from None
    endpoints = _texts(path, f"{where}.endpoints", context.get("endpoints"))
    target = text("target")  # how endpoints were written before there could be several
    nodes = _texts(path, f"{where}.nodes", context.get("nodes"))
    return Login([*endpoints, target] if target else endpoints, nodes, text("cluster"), tls)


def _names(contexts: Mapping[object, object]) -> str:
    return ", ".join(sorted(str(name) for name in contexts))[:SHOWN_CHARACTERS] or "none"


def _mapping(path: str, what: str, value: object) -> Mapping[object, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LoginError(path, f"{what} is not a mapping", "name a talosconfig")
    return value


def _texts(path: str, what: str, value: object) -> Sequence[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise LoginError(path, f"{what} is not a list", _AGAIN)
    return [_text(path, f"{what}[{index}]", each) for index, each in enumerate(value)]


def _text(path: str, what: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise LoginError(path, f"{what} is not text", _AGAIN)
    return str(value)
