"""Pulling with the options that a test does not care about filled in."""

import json
from pathlib import Path

from talos.extensions.blobs import BlobStore
from talos.extensions.credentials import Credentials, Login
from talos.extensions.image import PulledImage
from talos.extensions.oci import Platform
from talos.extensions.pauses import Pauses
from talos.extensions.pull import DIRECTLY, Progress, pull
from talos.extensions.reference import Reference
from talos.extensions.registries import Registries
from talos.extensions.trust import TrustPolicy

AMD64 = Platform("linux", "amd64")


async def pulled(
    reference: str,
    store: BlobStore,
    *,
    base: Path = Path("/nonexistent"),
    platform: Platform = AMD64,
    credentials: Credentials | None = None,
    progress: list[Progress] | None = None,
    registries: Registries = DIRECTLY,
    pauses: Pauses | None = None,
    trust: TrustPolicy | None = None,
) -> PulledImage:
    """Pull, and note the progress where a list for it is given."""
    with store.holding() as held:
        return await pull(
            Reference.parse(reference),
            store,
            platform=platform,
            base_directory=base,
            credentials=credentials or Credentials(),
            progress=progress.append if progress is not None else lambda _: None,
            held=held,
            registries=registries,
            pauses=pauses,
            trust=trust,
        )


def login(host: str, username: str, password: str) -> Credentials:
    """Return credentials for one registry."""
    return Credentials({host: Login(username, password)})


def manifest_of(layout: Path, tag: str, architecture: str = "amd64") -> tuple[str, dict[str, object]]:
    """Return digest and content of an image's manifest in a layout."""
    index = json.loads((layout / "index.json").read_bytes())
    named = next(each for each in index["manifests"] if each["annotations"]["org.opencontainers.image.ref.name"] == tag)
    document = json.loads(blob(layout, named["digest"]).read_bytes())
    if "manifests" not in document:
        return named["digest"], document
    chosen = next(each for each in document["manifests"] if each["platform"]["architecture"] == architecture)
    return chosen["digest"], json.loads(blob(layout, chosen["digest"]).read_bytes())


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")
