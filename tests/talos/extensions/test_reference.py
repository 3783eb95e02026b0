"""References are read by Docker's rules, and become Talos's extension ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions.reference import (
    MAX_REFERENCE_CHARACTERS,
    InvalidReference,
    LayoutLocation,
    Reference,
    RegistryLocation,
    extension_id,
)

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("gvisor", "docker.io", "library/gvisor", "latest", None),
        ("siderolabs/gvisor", "docker.io", "siderolabs/gvisor", "latest", None),
        ("docker.io/gvisor:v1", "docker.io", "library/gvisor", "v1", None),
        ("index.docker.io/a/b", "docker.io", "a/b", "latest", None),
        ("ghcr.io/siderolabs/gvisor:20231214.0-v1.6.7", "ghcr.io", "siderolabs/gvisor", "20231214.0-v1.6.7", None),
        ("localhost/gvisor", "localhost", "gvisor", "latest", None),
        ("localhost:5000/gvisor", "localhost:5000", "gvisor", "latest", None),
        ("[::1]:5000/a/b:c", "[::1]:5000", "a/b", "c", None),
        (f"ghcr.io/a/b@{DIGEST}", "ghcr.io", "a/b", None, DIGEST),
        (f"ghcr.io/a/b:v1@{DIGEST}", "ghcr.io", "a/b", "v1", DIGEST),
    ],
)
def test_a_registry_reference_is_read_by_dockers_rules(
    text: str, host: str, repository: str, tag: str | None, digest: str | None
) -> None:
    reference = Reference.parse(text)

    assert reference == Reference(text, RegistryLocation(host, repository), tag, digest)


@pytest.mark.parametrize(
    ("text", "path", "tag", "digest"),
    [
        ("oci:images:v1", "images", "v1", None),
        ("oci:/srv/images:gvisor-20220117.0-v1.0.0", "/srv/images", "gvisor-20220117.0-v1.0.0", None),
        (f"oci:images@{DIGEST}", "images", None, DIGEST),
        ("oci:user@host/images:v1", "user@host/images", "v1", None),
        ("oci:with:colon:v1", "with:colon", "v1", None),
    ],
)
def test_an_oci_reference_names_a_directory(text: str, path: str, tag: str | None, digest: str | None) -> None:
    assert Reference.parse(text) == Reference(text, LayoutLocation(path), tag, digest)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("ghcr.io/Sidero/gvisor", 'write "sidero/gvisor"'),
        ("ghcr.io/a/b:", "the tag is empty"),
        ("ghcr.io/a/b:-x", "no tag"),
        ("ghcr.io/a/b@sha256:1234", "no digest"),
        ("ghcr.io/a/../b", "no repository name"),
        ("ghcr.io/", "no repository name"),
        ("-bad-.io/a", "no host name"),
        ("oci:images", "no tag"),
        ("oci::v1", "no path"),
        ("oci:images@sha256:12", "no digest"),
        ("a b", "no repository name"),
        ("a\nb", "printable ASCII"),
        ("a" * (MAX_REFERENCE_CHARACTERS + 1), "longer than"),
    ],
)
def test_what_is_no_reference_is_refused_with_a_reason(text: str, complaint: str) -> None:
    with pytest.raises(InvalidReference, match=complaint):
        Reference.parse(text)


def test_a_digest_outranks_a_tag() -> None:
    assert Reference.parse(f"ghcr.io/a/b:v1@{DIGEST}").selector == DIGEST


@pytest.mark.parametrize(
    ("index", "image", "expected"),
    [
        (0, "ghcr.io/talos-systems/gvisor:54b831d", "000.ghcr.io-talos-systems-gvisor-54b831d"),
        (12, "localhost:5000/a:b", "012.localhost-5000-a-b"),
        (1, f"a@{DIGEST}", "001.a-sha256-" + "ab" * 32),
    ],
)
def test_an_extension_id_is_what_talos_makes_of_it(index: int, image: str, expected: str) -> None:
    assert extension_id(index, image) == expected


@given(st.text(max_size=300))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return

    assert Reference.parse(reference.text) == reference
    assert len(extension_id(99, text) + ".sqsh") <= 255
    assert "/" not in extension_id(99, text)
