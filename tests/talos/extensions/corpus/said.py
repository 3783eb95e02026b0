"""What an operator reads about a broken image, written as the corpus writes it.

As a program it does so for the images of the directories given, with little memory, and answers with a JSON list.
"""

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from talos.extensions.blobs import BlobStore
from talos.extensions.faults import Fault
from talos.extensions.inspection import examine
from talos.extensions.pull_errors import PullError
from tests.talos.extensions.corpus.kind import NODE, TAG, as_promised
from tests.talos.extensions.puller import pulled

LAYOUT = "layout"
MEMORY_BYTES = 256 * 1024**2
"""What all images need beyond Python itself; half of it is the largest window that a zstd layer may ask for."""


async def said_of(directory: Path) -> str:
    """Pull the image of the layout in a directory, to a store beside it, and examine it."""
    store = BlobStore(directory / "store")
    reference = f"oci:{LAYOUT}:{TAG}"
    try:
        image = await pulled(reference, store, base=directory)
    except PullError as error:
        message = f"{error} [{type(error).__name__}]".removeprefix(f"{reference}: ")
    else:
        _, verdict = examine(image, store, talos_version=NODE)
        message = "\n".join(map(_line, verdict.faults))
    return as_promised(message, directory / LAYOUT)


def _line(fault: Fault) -> str:
    return str(fault).replace(f" (in layer {fault.layer})", "")


async def _said_of_all(directories: Sequence[str]) -> list[str]:
    return [await said_of(Path(directory)) for directory in directories]


def _used_bytes() -> int:
    """Return how much private memory this process has."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    limit = _used_bytes() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    sys.stdout.write(json.dumps(anyio.run(_said_of_all, sys.argv[1:])))
