"""Extensions whose archive is sound, and whose manifest.yaml or files break Talos's rules."""

from talos.extensions.rules import ALLOWED_PATHS
from tests.talos.extensions.archives import MANIFEST
from tests.talos.extensions.corpus.kind import NODE, Kind, of_layers, of_members
from tests.talos.extensions.corpus.raw_tar import END, directory, file, hardlink, symlink

_SYNTAX = "correct the syntax at this line [manifest-malformed]"
_CONSTRAINT = "write a range such as '>= v1.0.0' [constraint-malformed]"
_ELSEWHERE = (
    "an extension image holds manifest.yaml and rootfs/ only: remove it, or move it below rootfs/ "
    "[unexpected-top-level]"
)
_NO_MAPPING = "this is not one mapping; start it with `version: v1alpha1` [manifest-malformed]"
_MOVE = f"an extension may not put a file there; move it to one of {', '.join(ALLOWED_PATHS)} [path-not-allowed]"
_BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b", ".join([b"*%c" % (letter - 1)] * 9))
    for letter in range(ord("b"), ord("j"))
)


def of_manifest(name: str, message: str, text: bytes) -> Kind:
    """Return a kind whose only flaw is in manifest.yaml."""
    lines = "\n".join(f"manifest.yaml: {line}" for line in message.split("\n"))
    return of_layers(name, lines, file("manifest.yaml", text) + directory("rootfs") + END)


def changed(old: bytes, new: bytes) -> bytes:
    """Return the good manifest with one part changed."""
    assert old in MANIFEST
    return MANIFEST.replace(old, new)


def constrained(constraint: str) -> bytes:
    """Return a manifest that wants these versions of Talos."""
    return changed(b'">= v1.0.0"', f'"{constraint}"'.encode())


MANIFESTS = (
    of_manifest("manifest of nothing", f"line 1: {_NO_MAPPING}", b""),
    of_manifest("manifest that is a list", f"line 1: {_NO_MAPPING}", b"- version: v1alpha1\n"),
    of_manifest("manifest of two documents", f"line 1: {_NO_MAPPING}", MANIFEST + b"---\n" + MANIFEST),
    of_manifest(
        "manifest with an open bracket",
        f"line 1: not YAML: did not find expected ',' or ']'; {_SYNTAX}",
        b"version: [v1alpha1",
    ),
    of_manifest(
        "manifest indented with tabs",
        f"line 3: not YAML: found character that cannot start any token; {_SYNTAX}",
        b"version: v1alpha1\nmetadata:\n\tname: sample\n",
    ),
    of_manifest(
        "manifest that is not UTF-8",
        "line 3: the text is not UTF-8; save the file in UTF-8 [manifest-malformed]",
        changed(b"sample", b"\xff\xfe"),
    ),
    of_manifest(
        "manifest with a control character",
        "line 1: not YAML: it holds a control character; remove characters that cannot be printed [manifest-malformed]",
        changed(b"sample", b"\x07"),
    ),
    of_manifest(
        "manifest of a million values in 300 bytes",
        "line 6: f[3]: more than 200000 values; remove aliases that multiply each other [manifest-malformed]",
        _BOMB,
    ),
    of_manifest(
        "manifest nested too deep",
        f"line 1: a{'[0]' * 63}: nested deeper than 64 levels; flatten the document [manifest-malformed]",
        b"a: " + b"[" * 100 + b"]" * 100,
    ),
    of_manifest(
        "manifest with a tag that makes objects",
        "line 3: metadata.name: this tag is not understood; "
        "remove the tag, or write quotes around a text that starts with ! [manifest-malformed]",
        changed(b"sample", b"!!python/object/apply:os.system [id]"),
    ),
    of_manifest(
        "manifest with a key twice",
        'line 4: metadata.name: the key "name" is given twice, first on line 3; '
        "remove one of the two [manifest-malformed]",
        changed(b"name: sample", b"name: sample\n  name: other"),
    ),
    of_manifest(
        "manifest of a later version",
        'line 1: version: "v1beta1" is not supported; write `version: v1alpha1` [manifest-version]',
        changed(b"v1alpha1", b"v1beta1"),
    ),
    of_manifest(
        "manifest without a version",
        "line 1: version: missing; write `version: v1alpha1` [manifest-version]",
        changed(b"version: v1alpha1\n", b""),
    ),
    of_manifest(
        "manifest without metadata",
        "line 1: metadata.name: missing; add `name: …` [manifest-malformed]\n"
        "line 1: metadata.version: missing; add `version: …` [manifest-malformed]",
        b"version: v1alpha1\n",
    ),
    of_manifest(
        "manifest whose metadata is text",
        "line 2: metadata: this is a single value, not a mapping; write a mapping here [manifest-malformed]",
        b"version: v1alpha1\nmetadata: sample\n",
    ),
    of_manifest(
        "manifest without a name",
        "line 3: metadata.name: missing; add `name: …` [manifest-malformed]",
        changed(b"  name: sample\n", b""),
    ),
    of_manifest(
        "manifest whose name is a list",
        "line 3: metadata.name: this is a list; write text here [manifest-malformed]",
        changed(b"sample", b"[sample]"),
    ),
    of_manifest(
        "manifest whose name is a novel",
        "line 3: metadata.name: longer than 256 characters, or not in one line; shorten it [manifest-malformed]",
        changed(b"sample", b"x" * 300),
    ),
    of_manifest(
        "manifest of 65537 bytes",
        "the file is 65537 bytes long, at most 65536 are read; shorten it [manifest-malformed]",
        b"#" * 65537,
    ),
    of_manifest(
        "constraint that is no range",
        """compatibility.talos.version: 'newest': "newest" has no version; """
        f"write an operator and MAJOR.MINOR.PATCH, such as >=1.2.3; {_CONSTRAINT}",
        constrained("newest"),
    ),
    of_manifest(
        "constraint with an unknown operator",
        """compatibility.talos.version: '=>1.0.0': "=>" is no operator; known are = == ! != > >= < <=; """
        f"{_CONSTRAINT}",
        constrained("=>1.0.0"),
    ),
    of_manifest(
        "constraint of 300 characters",
        f"compatibility.talos.version: '{'>1.0.0 ' * 8}>1.0…': a range has at most 256 characters; {_CONSTRAINT}",
        constrained(">1.0.0 " * 43),
    ),
    of_manifest(
        "constraint that this node does not meet",
        f"made for Talos >= v1.12.0, this node runs {NODE}; "
        "use an extension built for this version [talos-incompatible]",
        constrained(">= v1.12.0"),
    ),
)

PLACES = (
    of_layers(
        "no manifest",
        "manifest.yaml: missing; put a manifest.yaml at the top of the image [manifest-missing]",
        directory("rootfs") + END,
    ),
    of_layers(
        "manifest that is a directory",
        "manifest.yaml: this is a directory, not a regular file; "
        "put a manifest.yaml at the top of the image [manifest-missing]",
        directory("manifest.yaml") + directory("rootfs") + END,
    ),
    of_layers(
        "manifest that is a link",
        "manifest.yaml: this is a symlink, not a regular file; "
        "put a manifest.yaml at the top of the image [manifest-missing]",
        directory("rootfs") + symlink("manifest.yaml", "rootfs/usr/local/manifest.yaml") + END,
    ),
    of_layers(
        "manifest that is a hard link",
        "manifest.yaml: this is a hard link, not a file of its own; "
        "put a manifest.yaml at the top of the image [manifest-missing]",
        file("rootfs/usr/local/a", MANIFEST) + hardlink("manifest.yaml", "rootfs/usr/local/a") + END,
    ),
    of_layers(
        "no rootfs",
        "rootfs: missing; put the extension's files below rootfs/ [rootfs-missing]",
        file("manifest.yaml", MANIFEST) + END,
    ),
    of_layers(
        "rootfs that is a file",
        "rootfs: this is a file, not a directory; make it a directory [rootfs-missing]",
        file("manifest.yaml", MANIFEST) + file("rootfs") + END,
    ),
    of_layers(
        "rootfs that is a link",
        "rootfs: this is a symlink, not a directory; make it a directory [rootfs-missing]",
        file("manifest.yaml", MANIFEST) + symlink("rootfs", "manifest.yaml") + END,
    ),
    of_members(
        "file beside rootfs",
        f"README.md: this does not belong into an extension; {_ELSEWHERE}",
        file("README.md"),
    ),
    of_members("file where the system's lie", f"/boot/vmlinuz: {_MOVE}", file("rootfs/boot/vmlinuz")),
    of_members("link where the system's lie", f"/usr/bin/sh: {_MOVE}", symlink("rootfs/usr/bin/sh", "/usr/local/sh")),
    of_members(
        "file that everyone may write to",
        "/usr/local/a: everyone may write to it (mode 0666); chmod o-w, such as 0664 [world-writable]",
        file("rootfs/usr/local/a", mode=0o666),
    ),
    of_members(
        "directory that everyone may write to",
        "/usr/local: everyone may write to it (mode 1777); chmod o-w, such as 1775 [world-writable]",
        directory("rootfs/usr/local", mode=0o1777),
    ),
)
KINDS: tuple[Kind, ...] = (*MANIFESTS, *PLACES)
