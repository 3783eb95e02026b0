"""Whatever a parser is given, it reads it or refuses it as it says it does, in time and memory that are bounded."""

import gzip
import io
import json
import lzma
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx2
import pytest

from talos.config import machine_config
from talos.config.faults import ConfigError
from talos.extensions import extensions_file, initramfs, oci
from talos.extensions.challenge import Challenge, token_of
from talos.extensions.cpio import CpioFault, CpioReader, CpioWriter
from talos.extensions.credentials import Credentials, InvalidCredentials
from talos.extensions.extensions_file import ListedExtension
from talos.extensions.faults import MAX_FAULTS
from talos.extensions.initramfs import InitramfsError
from talos.extensions.layers import read_tree
from talos.extensions.manifest import Metadata, parse_manifest
from talos.extensions.oci import MalformedDocument
from talos.extensions.reference import InvalidReference, Reference
from talos.extensions.tree import Layer, Tree
from talos.extensions.trust import InvalidPolicy, parse_policy
from talos.extensions.versions import InvalidVersion, Range, parse_version
from tests.talos.extensions.archives import MANIFEST, compress_zstd
from tests.talos.extensions.corpus.broken_indexes import entry, indexed
from tests.talos.extensions.corpus.kind import extension, write_image
from tests.talos.extensions.corpus.raw_tar import directory, file, hardlink, named, symlink
from tests.talos.extensions.mutation import mutations, resealed

MAX_PEAK_BYTES = 16 * 1024**2  # what the inputs here, of some kilobytes, may make of themselves

ARCHIVE = extension(
    directory("rootfs/usr/"),
    file("rootfs/usr/local/bin/a", b"#!/bin/sh\n", mode=0o755),
    symlink("rootfs/usr/local/bin/b", "../bin/a"),
    hardlink("rootfs/usr/local/bin/c", "rootfs/usr/local/bin/a"),
    named(("rootfs/usr/local/" + "é" * 100).encode(), file("a")),
    file("rootfs/usr/local/.wh.gone", b""),
    file("rootfs/usr/local/.wh..wh..opq", b""),
)
REFERENCES = (b"ghcr.io/siderolabs/gvisor:v1.0.0@sha256:" + b"0" * 64, b"localhost:5000/a/b", b"oci:images/a:v1")
CONFIG = b"""\
version: v1alpha1
machine:
  install:
    extensions: &all
      - image: ghcr.io/siderolabs/gvisor:v1.0.0
      - image: oci:images:v1
  again: *all
---
apiVersion: v1alpha1
kind: Other
"""
LISTED = extensions_file.dump(
    [ListedExtension("000.a.sqsh", Metadata(name="a", version="v1", description="two\nlines\n"))] * 2
)


def cpio() -> bytes:
    target = io.BytesIO()
    writer = CpioWriter(target)
    writer.directory("usr")
    writer.file("usr/program", 5, [b"hello"], mode=0o755)
    writer.symlink("usr/link", "program")
    writer.end()
    return target.getvalue()


def fuzz(
    read: Callable[[bytes], object], seeds: Sequence[bytes], count: int, *, refused: tuple[type[Exception], ...] = ()
) -> None:
    """Give a parser `count` inputs; an exception that is not among `refused` fails, and so does memory without end."""
    inputs = list(mutations(seeds, count))
    accepted = 0
    tracemalloc.start()
    try:
        for content in (*seeds, *inputs):
            try:
                read(content)
                accepted += 1
            except refused:
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MAX_PEAK_BYTES
    assert accepted >= len(seeds), "the seeds are good ones"


def in_words(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Return a parser of text as one of bytes, of which none is lost."""
    return lambda content: read(content.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("reseal", [False, True], ids=["as it is", "with right checksums"])
def test_a_damaged_archive_is_a_tree_and_faults(tmp_path: Path, *, reseal: bool) -> None:
    layer = tmp_path / "layer"

    def read(content: bytes) -> None:
        layer.write_bytes(resealed(content) if reseal else content)
        assert_sound(*read_tree([Layer("layer", layer)]))

    fuzz(read, [ARCHIVE], 1000)
    assert list(tmp_path.iterdir()) == [layer]


@pytest.mark.parametrize("pack", [lambda raw: gzip.compress(raw, mtime=0), compress_zstd], ids=["gzip", "zstd"])
def test_a_damaged_packing_is_a_tree_and_faults(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    layer = tmp_path / "layer"

    def read(content: bytes) -> None:
        layer.write_bytes(content)
        assert_sound(*read_tree([Layer("layer", layer)]))

    fuzz(read, [pack(ARCHIVE), pack(ARCHIVE) + pack(b"more")], 1000)
    assert list(tmp_path.iterdir()) == [layer]


def assert_sound(tree: Tree, faults: Sequence[object]) -> None:
    assert len(faults) <= MAX_FAULTS + 1
    for path in tree.entries:
        assert not {"", ".", ".."} & set(path.split("/"))
    assert all(str(fault).isprintable() for fault in faults)


INDEX = json.dumps(indexed(entry(), entry(architecture="arm64"))).encode()
IMAGE_CONFIG = b'{"os":"linux","architecture":"arm","variant":"v7","history":[{"created_by":"a"}]}'


@pytest.mark.parametrize(
    ("parse", "seed"),
    [
        (oci.parse_document, INDEX),
        (oci.parse_index, INDEX),
        (oci.parse_config, IMAGE_CONFIG),
        (oci.parse_marker, b'{"imageLayoutVersion":"1.0.0"}'),
    ],
)
def test_a_damaged_document_of_an_image_is_read_or_refused(parse: Callable[[bytes], object], seed: bytes) -> None:
    fuzz(parse, [seed], 1000, refused=(MalformedDocument,))


def test_a_damaged_image_manifest_is_read_or_refused(tmp_path: Path) -> None:
    manifest = json.dumps(write_image(tmp_path)).encode()

    fuzz(oci.parse_document, [manifest, INDEX], 1000, refused=(MalformedDocument,))


def test_a_damaged_extension_manifest_is_read_or_has_faults() -> None:
    def read(content: bytes) -> None:
        manifest, faults = parse_manifest(content)
        assert (manifest is None) == bool(faults)
        assert all(fault.problem and fault.remedy for fault in faults)

    fuzz(read, [MANIFEST], 1000)


def test_a_damaged_list_of_extensions_is_read_or_is_none() -> None:
    fuzz(extensions_file.parse, [LISTED], 1000)


def test_a_damaged_machine_config_is_read_or_has_faults() -> None:
    def read(content: bytes) -> None:
        assert machine_config.parse(content, source="machine.yaml").raw == content

    fuzz(read, [CONFIG], 1000, refused=(ConfigError,))


def test_a_damaged_reference_is_read_or_refused() -> None:
    def read(text: str) -> None:
        reference = Reference.parse(text)
        assert reference.text == text
        assert reference.selector

    fuzz(in_words(read), REFERENCES, 2000, refused=(InvalidReference,))


def test_a_damaged_range_or_version_is_read_or_refused() -> None:
    ranges = (b">=1.0.0 <2.0.0 || 3.x", b"!1.2.x", b">= v1.10.0-alpha.1+build")
    fuzz(in_words(Range.parse), ranges, 2000, refused=(InvalidVersion,))
    fuzz(in_words(parse_version), (b"v1.10.0", b"1.10", b"v1.11.0-alpha.2+x"), 2000, refused=(InvalidVersion,))


def test_a_damaged_cpio_archive_is_read_or_refused() -> None:
    def read(content: bytes) -> None:
        reader = CpioReader(io.BytesIO(content))
        assert sum(len(piece) for _ in reader for piece in reader.data()) <= len(content)

    fuzz(read, [cpio()], 2000, refused=(CpioFault,))


@pytest.mark.parametrize("pack", [bytes, lambda raw: gzip.compress(raw, mtime=0), lzma.compress, compress_zstd])
def test_a_damaged_initramfs_is_read_or_refused(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path, copy = tmp_path / "initramfs", tmp_path / "copy"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        copy.unlink(missing_ok=True)
        initramfs.extract(path, "usr/program", copy)

    fuzz(read, [pack(cpio())], 500, refused=(InitramfsError,))


def test_damaged_logins_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        Credentials.from_docker_config(path)

    fuzz(read, [b'{"auths":{"https://ghcr.io/v2/":{"auth":"YTpi"},"a":{"username":"a"}}}'], 2000,
         refused=(InvalidCredentials,))  # fmt: skip


def test_damaged_trust_policies_are_read_or_refused() -> None:
    page = (Path(__file__).parents[3] / "docs/trust.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]

    def read(content: bytes) -> None:
        parse_policy(content, source="policy.yaml")

    fuzz(read, [example.encode()], 500, refused=(InvalidPolicy,))


def test_what_a_registry_answers_is_read_or_passed_over() -> None:
    def read(content: bytes) -> None:
        challenge = Challenge.parse(content.decode("latin-1"))  # as HTTP has it
        if challenge is not None:
            challenge.token_server(registry=httpx2.URL("https://a"))
            challenge.parameters(scope="c")

    fuzz(read, [b'Bearer realm="https://a/token",service="b",scope="repository:c:pull"'], 2000)
    fuzz(token_of, [b'{"token":"abc"}', b'{"access_token":"abc"}'], 2000)
