"""An image reference says where an image lies and which one is meant: `ghcr.io/siderolabs/gvisor:v1.0.0`.

Registry references follow Docker's rules: the first component is a host only if it holds a dot, a colon or an upper
case letter or is `localhost`; otherwise the image is on docker.io, and one without a slash is under `library/`. The
tag is `latest` unless a tag or a digest is given; with both, the digest decides. `oci:PATH:TAG` and `oci:PATH@DIGEST`
name an image in an OCI image layout on disk, where skopeo uses the same words.
"""

import re
from typing import Self

import msgspec

MAX_REFERENCE_CHARACTERS = 240  # the reference becomes a file's name (`NNN.` + reference + `.sqsh`), at most 255 bytes

_DEFAULT_HOST = "docker.io"
_DEFAULT_TAG = "latest"
_LAYOUT_SCHEME = "oci:"

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class InvalidReference(ValueError):
    """The text is no image reference."""

    def __init__(self, text: str, problem: str, remedy: str) -> None:
        self.text = text
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{text!r}: {problem}; {remedy}")


class RegistryLocation(msgspec.Struct, frozen=True):
    """A repository on a registry; `host` may carry a port."""

    host: str
    repository: str


class LayoutLocation(msgspec.Struct, frozen=True):
    """A directory that holds an OCI image layout; relative paths are the caller's to anchor."""

    path: str


class Reference(msgspec.Struct, frozen=True):
    """Where an image lies and which one is meant; `text` is what the user wrote."""

    text: str
    location: RegistryLocation | LayoutLocation
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference. Raises InvalidReference."""
        if not text:
            raise InvalidReference(text, "the image reference is empty", "write HOST/NAME:TAG")
        if len(text) > MAX_REFERENCE_CHARACTERS:
            problem = f"the image reference is longer than {MAX_REFERENCE_CHARACTERS} characters"
            raise InvalidReference(text[:60] + "…", problem, "use a shorter name")
        if not text.isascii() or not text.isprintable():
            raise InvalidReference(
                text, "the image reference holds a character other than printable ASCII", "remove it"
            )
        if text.startswith(_LAYOUT_SCHEME):
            return cls._parse_layout(text)
        return cls._parse_registry(text)

    @property
    def selector(self) -> str:
        """Return what picks the image at its location: the digest where there is one, else the tag."""
        return self.digest or self.tag or _DEFAULT_TAG

    @property
    def pinned(self) -> bool:
        """Tell whether this always means the same image; what a tag means may change."""
        return self.digest is not None

    def __str__(self) -> str:
        return self.text

    @classmethod
    def _parse_layout(cls, text: str) -> Self:
        rest = text.removeprefix(_LAYOUT_SCHEME)
        rest, digest = _split_digest(text, rest)
        path, tag = rest, None
        if digest is None:
            path, colon, tag = rest.rpartition(":")
            if not colon:
                raise InvalidReference(
                    text, "the layout reference has no tag", "write oci:PATH:TAG or oci:PATH@sha256:…"
                )
            _check_tag(text, tag)
        if not path:
            raise InvalidReference(text, "the layout reference has no path", "write oci:PATH:TAG or oci:PATH@sha256:…")
        return cls(text, LayoutLocation(path), tag, digest)

    @classmethod
    def _parse_registry(cls, text: str) -> Self:
        name, digest = _split_digest(text, text)
        tag: str | None = None
        before, colon, after = name.rpartition(":")
        if colon and "/" not in after:
            name, tag = before, after
            _check_tag(text, tag)
        host, slash, repository = name.partition("/")
        if not slash or not _names_host(host):
            host, repository = _DEFAULT_HOST, name
        if host in ("index.docker.io", "registry-1.docker.io"):
            host = _DEFAULT_HOST
        if host == _DEFAULT_HOST and "/" not in repository:
            repository = f"library/{repository}"
        if not is_host(host):
            raise InvalidReference(text, f'"{host}" is no host name', "write HOST or HOST:PORT before the first slash")
        if not _REPOSITORY.fullmatch(repository):
            lowered = repository.lower()
            remedy = (
                f'write "{lowered}"' if _REPOSITORY.fullmatch(lowered) else "use a-z, 0-9 and single . _ - / between"
            )
            raise InvalidReference(text, f'"{repository}" is no repository name', remedy)
        if tag is None and digest is None:
            tag = _DEFAULT_TAG
        return cls(text, RegistryLocation(host, repository), tag, digest)


def extension_id(index: int, image: str) -> str:
    """Return the id Talos gives the extension at `index`: `000.ghcr.io-talos-systems-gvisor-54b831d`."""
    return f"{index:03d}." + re.sub(r"[/:@]", "-", image)


def is_digest(text: str) -> bool:
    """Tell whether `text` is a sha256 or sha512 digest in its canonical spelling."""
    return _DIGEST.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Tell whether `text` may be a registry's host, with or without a port."""
    return _HOST.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether `text` may be a tag."""
    return _TAG.fullmatch(text) is not None


def _names_host(component: str) -> bool:
    return component == "localhost" or any(character in ".:" or character.isupper() for character in component)


def _split_digest(text: str, rest: str) -> tuple[str, str | None]:
    name, at, digest = rest.rpartition("@")
    if not at:
        return rest, None
    if is_digest(digest):
        return name, digest
    if text.startswith(_LAYOUT_SCHEME) and not digest.startswith(("sha256:", "sha512:")):
        return rest, None  # in a path an at sign is only a character
    raise InvalidReference(text, f'"{digest}" is no digest', "write @sha256: and 64 digits of 0-9 a-f")


def _check_tag(text: str, tag: str) -> None:
    if not is_tag(tag):
        problem = f'"{tag}" is no tag' if tag else "the tag is empty"
        raise InvalidReference(text, problem, "use at most 128 of A-Z a-z 0-9 _ . - and start with a letter or digit")
