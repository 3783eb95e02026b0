"""Builds every extension in examples/extensions into the image layout examples/images: `python -m examples.build`."""

import argparse
import sys
from pathlib import Path

from talos.extensions.authoring import AuthoringError, build_image
from talos.extensions.manifest import parse_manifest
from talos.extensions.tree import MANIFEST

EXTENSIONS = Path(__file__).parent / "extensions"
IMAGES = Path(__file__).parent / "images"


def build_all(extensions: Path, layout: Path) -> dict[str, str]:
    """Build each extension as NAME-VERSION; return the digests by tag. Raises AuthoringError."""
    digests = {}
    for directory in sorted(path.parent for path in extensions.glob(f"*/{MANIFEST}")):
        manifest, faults = parse_manifest((directory / MANIFEST).read_bytes())
        if manifest is None:
            raise AuthoringError(directory / MANIFEST, faults[0].problem, faults[0].remedy)
        tag = f"{manifest.metadata.name}-{manifest.metadata.version}"
        digests[tag] = build_image(directory, layout, tag).digest
    return digests


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.build", description=__doc__)
    parser.add_argument("--layout", type=Path, default=IMAGES, metavar="DIRECTORY", help="where the images go")
    layout: Path = parser.parse_args().layout
    try:
        digests = build_all(EXTENSIONS, layout)
    except (AuthoringError, OSError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    for tag, digest in digests.items():
        print(f"{tag}  {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
