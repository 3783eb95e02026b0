"""What an extension may be and where its files may lie: Talos's rules, each with a name, and every breach reported.

An image holds `manifest.yaml` and `rootfs/`, nothing else. Its files go where the node expects additions; anywhere
else they could replace a part of the system. As in Talos a place is a prefix of the text: `/etc/ld.so.conf` admits
`/etc/ld.so.conf.d/a.conf` too. Source: pkg/machinery/extensions of siderolabs/talos.
"""

from semver import Version

from talos.extensions.faults import MAX_FAULTS, Fault
from talos.extensions.link_cycles import link_cycles
from talos.extensions.manifest import MAX_MANIFEST_BYTES, ExtensionManifest, parse_manifest
from talos.extensions.release import Release
from talos.extensions.tar_stream import Kind
from talos.extensions.tree import MANIFEST, ROOTFS, Entry, Tree
from talos.extensions.verdict import Verdict
from talos.extensions.versions import InvalidVersion, Range, parse_version

ALLOWED_PATHS = (
    "/etc/cri/conf.d",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/vulkan",
    "/usr/bin/ldconfig",
    "/usr/bin/nvidia-cdi-hook",
    "/usr/bin/nvidia-ctk",
    "/usr/bin/nvidia-modprobe",
    "/usr/bin/nvidia-pcc",
    "/usr/bin/nvidia-smi",
    "/usr/bin/nvme",
    "/usr/lib/firmware",
    "/usr/lib/ld-linux-aarch64.so.1",
    "/usr/lib/ld-linux-x86-64.so.2",
    "/usr/lib/modules",
    "/usr/lib/udev/rules.d",
    "/usr/local",
    "/usr/share/egl",
    "/usr/share/glvnd",
)
ALLOWED_PATHS_BEFORE_USR_MERGE = (
    "/bin/ldconfig",
    "/lib/firmware",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/modules",
    "/lib64/ld-linux-x86-64.so.2",
    "/sbin/ldconfig",
    "/usr/etc/udev/rules.d",
)

_WORLD_WRITABLE = 0o002


def validate(tree: Tree, *, talos_version: str) -> Verdict:
    """Judge an image's files for a node of `talos_version`. Raises InvalidVersion where that is no version."""
    node_version = parse_version(talos_version)
    faults: list[Fault] = []
    _check_top_level(tree, faults)
    manifest = _check_manifest(tree, faults)
    if manifest is not None:
        _check_compatibility(manifest, talos_version, faults)
    allowed = allowed_paths(node_version)
    root = tree.below(ROOTFS)
    for path, entry in root.entries.items():
        _check_file(f"/{path}", entry, allowed, faults)
    faults.extend(_cycle(links) for links in link_cycles(root))
    return Verdict(manifest, tuple(faults[:MAX_FAULTS]))


def allowed_paths(node_version: Version) -> tuple[str, ...]:
    """Return the places a node of this version takes files for."""
    if Release(node_version.finalize_version()).usr_merged:
        return ALLOWED_PATHS
    return ALLOWED_PATHS + ALLOWED_PATHS_BEFORE_USR_MERGE


def _check_top_level(tree: Tree, faults: list[Fault]) -> None:
    names = dict(tree.top_level())
    remedy = f"an extension image holds {MANIFEST} and {ROOTFS}/ only: remove it, or move it below {ROOTFS}/"
    faults.extend(
        Fault("unexpected-top-level", name, "this does not belong into an extension", remedy)
        for name in names
        if name not in (MANIFEST, ROOTFS)
    )
    if ROOTFS not in names:
        faults.append(Fault("rootfs-missing", ROOTFS, "missing", f"put the extension's files below {ROOTFS}/"))
    elif names[ROOTFS].kind is not Kind.DIRECTORY:
        problem = f"this is a {names[ROOTFS].kind.value}, not a directory"
        faults.append(Fault("rootfs-missing", ROOTFS, problem, "make it a directory"))


def _check_manifest(tree: Tree, faults: list[Fault]) -> ExtensionManifest | None:
    if tree.manifest is None:
        faults.append(_no_manifest(tree.entries.get(MANIFEST)))
        return None
    manifest, found = parse_manifest(tree.manifest)
    faults.extend(found)
    return manifest


def _no_manifest(present: Entry | None) -> Fault:
    """Tell why an image's manifest was not read."""
    if present is not None and present.size > MAX_MANIFEST_BYTES:
        problem = f"the file is {present.size} bytes long, at most {MAX_MANIFEST_BYTES} are read"
        return Fault("manifest-malformed", MANIFEST, problem, "shorten it")
    if present is None:
        problem = "missing"
    elif present.kind is Kind.FILE:
        problem = "this is a hard link, not a file of its own"
    else:
        problem = f"this is a {present.kind.value}, not a regular file"
    return Fault("manifest-missing", MANIFEST, problem, f"put a {MANIFEST} at the top of the image")


def _check_compatibility(manifest: ExtensionManifest, talos_version: str, faults: list[Fault]) -> None:
    constraint = manifest.metadata.compatibility.talos.version
    if not constraint:
        return
    try:
        wanted = Range.parse(constraint)
    except InvalidVersion as error:
        remedy = "write a range such as '>= v1.0.0'"
        faults.append(Fault("constraint-malformed", MANIFEST, f"compatibility.talos.version: {error}", remedy))
        return
    if not wanted.admits(talos_version):
        problem = f"made for Talos {constraint}, this node runs {talos_version}"
        faults.append(Fault("talos-incompatible", MANIFEST, problem, "use an extension built for this version"))


def _check_file(path: str, entry: Entry, allowed: tuple[str, ...], faults: list[Fault]) -> None:
    if entry.kind is not Kind.SYMLINK and entry.mode & _WORLD_WRITABLE:
        problem = f"everyone may write to it (mode {entry.mode:04o})"
        faults.append(Fault("world-writable", path, problem, f"chmod o-w, such as {entry.mode & ~_WORLD_WRITABLE:04o}"))
    if entry.kind is not Kind.DIRECTORY and not path.startswith(allowed):
        remedy = f"move it to one of {', '.join(allowed)}"
        faults.append(Fault("path-not-allowed", path, "an extension may not put a file there", remedy))


def _cycle(links: tuple[str, ...]) -> Fault:
    way = f" by way of /{links[1]}" if len(links) > 1 else ""
    return Fault("link-cycle", f"/{links[0]}", f"the link leads to itself{way}", "link to a file")
