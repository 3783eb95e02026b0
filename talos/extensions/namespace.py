"""A process that mounts an overlay where only it may, in a user namespace, and keeps it for as long as it is needed.

    python -m talos.extensions.namespace DIRECTORY TREE EXTENSIONS_FILE LAYER LAYER…

It says `mounted` on its output, and ends when its input does: with whoever started it, however that ended. The kernel
then takes the mounts away. Until then /proc/PID/root leads to them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from talos.extensions.mounts import bind, mount_overlay, own_namespace

MOUNTED = "mounted"


def main(arguments: Sequence[str]) -> str | None:
    """Mount, and stay; return what went wrong."""
    directory, tree, extensions_file, *layers = arguments
    try:
        own_namespace()
        mount_overlay(Path(directory), layers, Path(tree))
        bind(Path(extensions_file), Path(tree) / "etc/extensions.yaml")
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    sys.stdout.write(f"{MOUNTED}\n")
    sys.stdout.flush()
    sys.stdin.read()
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
