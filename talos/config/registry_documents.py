"""The documents that speak of registries add to `machine.registries`, and take the place of what it says of a host.

One document is about one host: RegistryMirrorConfig where to ask for its images, RegistryAuthConfig who to be there,
RegistryTLSConfig how to know it and be known by it. PEM is plain text here, where `machine.registries` has base64. As
in Talos's config/types/cri.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from talos.config.cursor import Cursor
from talos.config.document import Document
from talos.config.faults import ConfigFault
from talos.config.registries import HOST_REMEDY, MAX_ENDPOINTS, MAX_HOSTS, PLAIN, is_endpoint, read_auth, read_tls
from talos.extensions.reference import is_host
from talos.extensions.registries import ANY_HOST, Auth, Mirror, MirrorEndpoint, Registries
from talos.yaml_node import Node

MIRROR: Final = "RegistryMirrorConfig"
AUTH: Final = "RegistryAuthConfig"
TLS: Final = "RegistryTLSConfig"
KINDS: Final = (MIRROR, AUTH, TLS)

_META: Final = ("apiVersion", "kind", "name")


def with_documents(said: Registries, documents: Sequence[Document], faults: list[ConfigFault]) -> Registries:
    """Return what `machine.registries` and the documents say together; what is wrong with them is noted."""
    mirrors, auths, tls = dict(said.mirrors), dict(said.auths), dict(said.tls)
    for kind in KINDS:
        ours = [document for document in documents if document.known and document.kind == kind]
        if len(ours) > MAX_HOSTS:
            problem = f"{len(ours)} documents of this kind, at most {MAX_HOSTS} are allowed"
            faults.append(ConfigFault(ours[0].line, kind, problem, "remove some"))
            continue
        for document in ours:
            body = _body(document, faults)
            _check_name(document, body, faults)
            if kind == MIRROR:
                mirrors[document.name] = _mirror(body)
            elif kind == AUTH:
                auths[document.name] = _auth(body)
            else:
                tls[document.name] = read_tls(body, PLAIN)
    return Registries(mirrors, auths, tls)


def _body(document: Document, faults: list[ConfigFault]) -> Cursor:
    """Return what a document holds beside what it calls itself."""
    root = document.root
    fields = {key: value for key, value in root.fields.items() if key not in _META}
    return Cursor(Node.mapping(fields, root.line, root.key_lines), document.label, faults)


def _check_name(document: Document, body: Cursor, faults: list[ConfigFault]) -> None:
    of_all = document.name == ANY_HOST
    if is_host(document.name) or (of_all and document.kind == MIRROR):
        return
    if not document.name:
        body.missing("name", "add `name:` with the host that this is about")
    else:
        problem = "this is of one host each, not of all" if of_all else "the name is no host"
        remedy = f"{HOST_REMEDY}, or {ANY_HOST} for all others" if document.kind == MIRROR else HOST_REMEDY
        line = document.root.key_lines.get("name", document.line)
        faults.append(ConfigFault(line, f"{document.label}.name", problem, remedy))


def _mirror(body: Cursor) -> Mirror:
    body.only(("endpoints", "skipFallback"))
    listed = body.child("endpoints")
    endpoints = []
    for item in listed.items(most=MAX_ENDPOINTS) if listed is not None else ():
        if not item.expect("mapping", "a mapping"):
            continue
        item.only(("url", "overridePath"))
        url = item.child("url")
        if url is None:
            item.missing("url", "add `url: https://HOST`")
        elif is_endpoint(url):
            endpoints.append(MirrorEndpoint(url.node.text, item.flag("overridePath")))
    return Mirror(tuple(endpoints), body.flag("skipFallback"))


def _auth(body: Cursor) -> Auth:
    found = read_auth(body)
    if sum(map(bool, (found.username, found.auth, found.identity_token))) > 1:
        body.fault("more than one way to log in is given", "keep username and password, or auth, or identityToken")
    return found
