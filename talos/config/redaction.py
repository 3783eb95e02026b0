"""A config without its secrets, for those who may see the one and not the other.

Hidden is what Talos hides (RedactSecrets there), and for want of knowing every kind of document all that may be secret:

    what is under a name that tells      token, password, privateKey, … and `key` and `auth` by themselves
    what may be anything                 files' contents, variables of the environment, headers, texts of several lines
    parts of a text                      credentials in an address, NAME=VALUE and --NAME VALUE where the name tells
    keys wherever they are               PEM, and PEM in base64, unless it is certificates and public keys only
    whatever equals something hidden     in any document, as a whole or as a part

Numbers are hidden as texts are; true, false and nothing are not. Comments are left out, since they may say anything.
Names of fields are shown, and so are names of documents.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final

from talos import yaml_document, yaml_writer
from talos.config.faults import ConfigError, ConfigFault
from talos.config.machine_config import MAX_CONFIG_BYTES
from talos.yaml_node import Node

REDACTED: Final = "******"
"""What stands for a secret, as in Talos."""
MIN_KNOWN_CHARACTERS: Final = 6
"""Of something hidden that is looked for elsewhere: a password of three letters is in every other word."""

_TELLING: Final = (
    r"pass(?:word|wd|phrase)|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|pre[-_]?shared[-_]?key|"
    r"psk\b|authorization\b|(?<![a-z])(?:pass|pwd)\b"
)
_TELLING_NAME: Final = re.compile(_TELLING, re.IGNORECASE)
_TELLING_ALONE: Final = frozenset({"auth", "key"})
"""Names that tell only of single values: `auth` and `key` are names of mappings as well."""
_ANYTHING: Final = frozenset(
    {"content", "contents", "data", "env", "environment", "headers", "extraManifestHeaders", "stringData", "variables"}
)
_ASSIGNED: Final = re.compile(
    rf"((?:(?:{_TELLING})[\w.-]{{0,32}}|(?<![a-z])(?:auth|key|sig|signature))=)([^\s&;,]+)", re.IGNORECASE
)
_OPTION: Final = re.compile(rf"(--[\w-]{{0,32}}?(?:{_TELLING})[\w-]{{0,32}}\s+)([^\s-]\S*)", re.IGNORECASE)
_WORD: Final = re.compile(r"\S+")
_PART: Final = re.compile(r"[\s/:@=&?,;\"']+")
_PEM: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]*-----END \1-----\s*")
_PUBLIC: Final = ("CERTIFICATE", "PUBLIC KEY")
_PEM_IN_BASE64: Final = "LS0tLS1CRUdJTi"


def redacted(text: bytes, *, source: str) -> bytes:
    """Return a config without its secrets and comments. Raises ConfigError where it can't be read."""
    stream = yaml_document.read(text, max_bytes=MAX_CONFIG_BYTES)
    if stream.faults:
        faults = (ConfigFault(fault.line, fault.path, fault.problem, fault.remedy) for fault in stream.faults)
        raise ConfigError(source, tuple(faults))
    documents = [document for document in stream.documents if document.kind != "null"]
    return yaml_writer.write_all(without_secrets(documents)).encode()


def without_secrets(documents: Sequence[Node]) -> list[Node]:
    """Return documents of one config without their secrets."""
    hidden: set[str] = set()
    shown = [_shown(document, "", hidden, secret=False) for document in documents]
    known = {text for text in hidden if len(text) >= MIN_KNOWN_CHARACTERS and text != REDACTED}
    return [_unknown(document, known) for document in shown] if known else shown


def _shown(node: Node, name: str, hidden: set[str], *, secret: bool) -> Node:
    """Return a value without its secrets; with `secret` all that is in it is one."""
    secret = secret or name in _ANYTHING or bool(_TELLING_NAME.search(name))
    if node.kind == "mapping":
        fields = {key: _shown(value, key, hidden, secret=secret) for key, value in node.fields.items()}
        return Node.mapping(fields, node.line, node.key_lines)
    if node.kind == "sequence":
        return Node.sequence((_shown(item, name, hidden, secret=secret) for item in node.items), node.line)
    if node.kind == "null" or isinstance(node.value, bool) or not node.text:
        return node
    if secret or name in _TELLING_ALONE or _holds_a_key(node.text) or _is_free_text(node.text):
        hidden.add(node.text)
        return _replaced(node, REDACTED)
    return _replaced(node, _without_parts(node.text, hidden))


def _without_parts(text: str, hidden: set[str]) -> str:
    """Return a text without credentials in addresses and without values of telling names."""

    def without_value(match: re.Match[str]) -> str:
        hidden.add(match[2])
        return f"{match[1]}{REDACTED}"

    def without_user(match: re.Match[str]) -> str:
        scheme, slashes, rest = match[0].partition("://")
        user, at, place = rest.rpartition("@")
        if not slashes or not at:
            return match[0]
        hidden.update((user, *user.split(":")))
        return f"{scheme}://{REDACTED}@{place}"

    return _OPTION.sub(without_value, _ASSIGNED.sub(without_value, _WORD.sub(without_user, text)))


def _unknown(node: Node, known: set[str]) -> Node:
    """Return a value in which nothing is left that is hidden elsewhere."""
    if node.kind == "mapping":
        fields = {key: _unknown(value, known) for key, value in node.fields.items()}
        return Node.mapping(fields, node.line, node.key_lines)
    if node.kind == "sequence":
        return Node.sequence((_unknown(item, known) for item in node.items), node.line)
    if node.text in known or any(part in known for part in _PART.split(node.text)):
        return _replaced(node, REDACTED)
    return node


def _replaced(node: Node, text: str) -> Node:
    return node if text == node.text else Node(text, node.line, text)


def _is_free_text(text: str) -> bool:
    """Tell whether a text is one of several lines, which may be anything, and is not made of public PEM."""
    return "\n" in text.strip() and not _is_public(text)


def _holds_a_key(text: str) -> bool:
    if text.startswith(_PEM_IN_BASE64):
        try:
            text = base64.b64decode(text).decode()
        except ValueError:
            return True  # a part of one, perhaps
        return not _is_public(text)
    return "-----BEGIN" in text and not _is_public(text)


def _is_public(text: str) -> bool:
    return not _PEM.sub("", text).strip() and all(found[1] in _PUBLIC for found in _PEM.finditer(text))
