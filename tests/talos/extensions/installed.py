"""Extensions that are in a store and ready to go into a boot image, made from members of an archive."""

import tarfile
from pathlib import Path

from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootLayer, Recipe
from talos.extensions.manifest import Compatibility, Constraint, Metadata
from talos.extensions.reference import extension_id
from talos.extensions.release import Release
from tests.talos.extensions.archives import extension, image
from tests.talos.extensions.puller import blob, manifest_of

RECIPE = Recipe(Release.parse("v1.11.0"))


def boot_layer(
    index: int, name: str, store: BlobStore, layout: Path, *members: tuple[tarfile.TarInfo, bytes]
) -> BootLayer:
    """Put an extension of these members into the store, without a pull."""
    described = image(layout, name, [extension(*members)])
    _, manifest = manifest_of(layout, name)
    wanted = [described.digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]  # type: ignore[index,attr-defined]
    for digest in wanted:
        store.put(blob(layout, digest).read_bytes(), digest)
    reference = f"oci:images:{name}"
    metadata = Metadata(
        name=name,
        version="v1.0.0",
        author="somebody",
        description="two\nlines\n",
        compatibility=Compatibility(talos=Constraint(version=">= v1.0.0")),
    )
    return BootLayer(extension_id(index, reference), reference, described.digest, metadata)
