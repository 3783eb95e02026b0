"""A trust policy says whose signature an image needs, by its repository: the first rule that fits decides.

    default: refuse                       # what no rule is for; `allow` unless said
    rules:
      - repository: ghcr.io/siderolabs/*
        keys:
          - |
            -----BEGIN PUBLIC KEY-----
            …

A `*` stands for any run of characters, slashes included, and `?` for one, so that `ghcr.io/siderolabs/*` leaves out
nothing that is below it. One good signature by one of the rule's keys is enough. A repository has one name here however
it is written: hosts are in lower case and lose the port that is theirs anyway, so that no spelling walks around a rule.
But a registry may have two names, and only `default: refuse` is proof against that. Images in a directory go by `oci:`
and its absolute path.
"""

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from talos import yaml_document
from talos.extensions.challenge import is_loopback
from talos.extensions.public_key import InvalidKey, PublicKey
from talos.extensions.reference import LayoutLocation, Reference
from talos.yaml_node import Node, YamlFault

MAX_POLICY_BYTES = 256 * 1024
MAX_RULES = 100
MAX_KEYS = 16  # of one rule
MAX_PATTERN_CHARACTERS = 240

_LAYOUT = "oci:"
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io"})
_HTTPS_PORT = 443
_HTTP_PORT = 80  # of registries on this machine, which are spoken to in the clear
_FAULT = "trust-policy"
_NEVER_A_PATTERN = set(" \t\n@")


class InvalidPolicy(ValueError):
    """A text is no trust policy; `faults` lists what is wrong with it in the order of the lines."""

    def __init__(self, source: str, faults: tuple[YamlFault, ...]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        first = self.faults[0]
        where = f"line {first.line}: {first.path}: " if first.path else f"line {first.line}: "
        others = len(self.faults) - 1
        more = f" (and {others} more {'fault' if others == 1 else 'faults'})" if others else ""
        super().__init__(f"{source}: {where}{first.problem}; {first.remedy}{more}")


def _pattern(text: str) -> str:
    """Return a pattern as names are spelled; refuse one that no name can fit."""
    if not text or len(text) > MAX_PATTERN_CHARACTERS:
        problem = f"has {len(text)} characters, at most {MAX_PATTERN_CHARACTERS} are read" if text else "is empty"
        raise _fault(problem, "write a repository such as ghcr.io/siderolabs/*")
    if not text.isascii() or not text.isprintable() or not _NEVER_A_PATTERN.isdisjoint(text):
        raise _fault("holds a character that is in no repository's name", "write one such as ghcr.io/siderolabs/*")
    if text.startswith(_LAYOUT):
        return text
    host, slash, path = text.lower().partition("/")
    if ":" in path or (not slash and host != "*"):
        raise _fault("names no repository", "write HOST/NAME without a tag, such as ghcr.io/siderolabs/*")
    if not set(".:*?").intersection(host) and host != "localhost":
        raise _fault("begins with no host", f"write {_DOCKER_HUB}/{text} for an image on Docker Hub")
    return _host(host) + slash + path


def _host(host: str) -> str:
    """Return the one spelling of a registry's host."""
    host = host.lower()
    name, _, port = host.rpartition(":")
    usual = _HTTP_PORT if is_loopback(name) else _HTTPS_PORT
    host = name if port.isdecimal() and int(port) == usual else host
    return _DOCKER_HUB if host in _DOCKER_HUB_NAMES else host


def _key(value: object) -> object:
    if isinstance(value, PublicKey):
        return value
    if not isinstance(value, str):
        raise _fault("is no text", "paste the whole of cosign.pub")
    try:
        return PublicKey.parse(value)
    except InvalidKey as error:
        raise _fault(error.problem, error.remedy) from None


def _some(keys: tuple[PublicKey, ...]) -> tuple[PublicKey, ...]:
    # Said here and not by a least length, which would count only the good keys and call a list of bad ones empty.
    if not keys:
        raise _fault("is empty", "name at least one key, or remove the rule")
    return keys


def _fault(problem: str, remedy: str) -> PydanticCustomError:
    # Braces would be taken for placeholders in the message itself, and a key or a pattern may hold some.
    return PydanticCustomError(_FAULT, "{problem}; {remedy}", {"problem": problem, "remedy": remedy})


class Rule(BaseModel):
    """The keys of which one must have signed the images of the repositories that the pattern fits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Annotated[str, AfterValidator(_pattern)]
    keys: Annotated[
        tuple[Annotated[InstanceOf[PublicKey], BeforeValidator(_key)], ...],
        Field(max_length=MAX_KEYS),
        AfterValidator(_some),
    ]

    def fits(self, name: str) -> bool:
        """Tell whether the rule is for a repository, by its name from `repository_name`."""
        return fnmatchcase(name, self.repository.replace("[", "[[]"))


class TrustPolicy(BaseModel):
    """All rules, the one that outranks the others first; the model reads a mapping, `parse_policy` a text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Literal["allow", "refuse"] = "allow"
    rules: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES)

    def rule_for(self, name: str) -> Rule | None:
        """Return the first rule that fits a repository; None where the default decides."""
        return next((rule for rule in self.rules if rule.fits(name)), None)


def repository_name(reference: Reference, base_directory: Path) -> str:
    """Return what patterns are held against: one name for each repository, and no tag."""
    location = reference.location
    if isinstance(location, LayoutLocation):
        return _LAYOUT + os.path.normpath(base_directory / location.path)
    return f"{_host(location.host)}/{location.repository}"


def parse_policy(text: bytes, *, source: str) -> TrustPolicy:
    """Read a policy in YAML; `source` is what messages call it, a file's name for example. Raises InvalidPolicy."""
    stream = yaml_document.read(text, max_bytes=MAX_POLICY_BYTES)
    if stream.faults:
        raise InvalidPolicy(source, stream.faults)
    if len(stream.documents) != 1 or stream.documents[0].kind != "mapping":
        raise InvalidPolicy(source, (YamlFault(1, "", "this is not one mapping", "start it with `rules:`"),))
    (document,) = stream.documents
    try:
        return TrustPolicy.model_validate(_plain(document))
    except ValidationError as error:
        faults = tuple(_located(document, each) for each in error.errors(include_url=False, include_input=False))
        raise InvalidPolicy(source, faults) from None


def _plain(node: Node) -> Any:
    if node.kind == "mapping":
        return {key: _plain(value) for key, value in node.fields.items()}
    return [_plain(item) for item in node.items] if node.kind == "sequence" else node.value


def _located(document: Node, error: ErrorDetails) -> YamlFault:
    """Return a fault with its line, and in the words of this project."""
    node, line, path = document, document.line, ""
    for step in error["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        if isinstance(step, int):
            node = node.items[step] if step < len(node.items) else node
        else:
            line = node.key_lines.get(step, line)
            node = node.fields.get(step, node)
        line = max(line, node.line)
    problem, remedy = _in_words(error)
    return YamlFault(line, path, problem, remedy)


def _in_words(error: ErrorDetails) -> tuple[str, str]:
    told = error.get("ctx", {})
    if error["type"] == _FAULT:
        return told["problem"], told["remedy"]
    match error["type"]:
        case "extra_forbidden":
            return "there is no such field", "correct its name or remove it"
        case "missing":
            return "missing", "add it"
        case "too_long":
            return f"has more than {told['max_length']} entries", "join some, or remove what is not needed"
        case "string_type":
            return "is no text", "write it in quotes"
        case "tuple_type":
            return "is no list", "begin each entry with a dash"
        case "model_type":
            return "is no mapping", "write `repository:` and `keys:`"
        case "literal_error":
            return f"is none of {told['expected']}", "write one of them"
        case _:
            return error["msg"][0].lower() + error["msg"][1:], "see that it is what a policy has here"
