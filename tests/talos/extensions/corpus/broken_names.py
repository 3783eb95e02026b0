"""Names, links and whiteouts that lead out of the image, nowhere, or to two places at once."""

from talos.extensions.member_path import MAX_DEPTH_LEVELS
from tests.talos.extensions.archives import MANIFEST
from tests.talos.extensions.corpus.kind import GOOD, Kind, of_layers, of_members
from tests.talos.extensions.corpus.raw_tar import (
    END,
    directory,
    file,
    hardlink,
    header,
    member,
    named,
    pax,
    record,
    symlink,
)

_TOO_LONG = "is longer than 1024 bytes, or 255 in one name; use a shorter path [path-too-long]"
_CONTROL = "the name holds a control character; use printable characters [path-encoding]"
_TWICE = "the layer holds this path twice; keep one of the two [duplicate-entry]"
_NOT_A_DIRECTORY = "not a directory; put the file where the link points [parent-not-directory]"
_NO_FILE = "leads to no file before it; put the file first, or make a copy [hardlink-target]"
_IN_ROOT = "link inside the root [link-escapes]"
_IN_ROOTFS = "link to a file inside rootfs [link-escapes]"
_NOT_BELOW = "a whiteout has something below it; leave it out [whiteout-malformed]"
_WHITEOUT_OF_NOTHING = "the whiteout names nothing; leave it out [whiteout-malformed]"
_LONG_NAME = "n" * 256
_LONG_PATH = "/".join(["n" * 100] * 11)
_DEEP = "d/" * MAX_DEPTH_LEVELS + "f"

NAMES = (
    of_members(
        "absolute path",
        "/etc/passwd: the path is absolute; make it relative to the image's root [path-absolute]",
        file("/etc/passwd"),
    ),
    of_members(
        "path that climbs out",
        "rootfs/../../x: the path holds ..; write it without [path-escapes]",
        file("rootfs/../../x"),
    ),
    of_members(
        "path that climbs and returns",
        "rootfs/usr/../usr/local/a: the path holds ..; write it without [path-escapes]",
        file("rootfs/usr/../usr/local/a"),
    ),
    of_members("file without a name", "the entry has no name; give it one [path-empty]", file("")),
    of_members("link without a name", "./: the entry has no name; give it one [path-empty]", symlink("./", "rootfs")),
    of_members(
        "name that is not UTF-8",
        r"the name b'rootfs/\xff' is not UTF-8; rebuild the image [path-encoding]",
        member(b"rootfs/\xff"),
    ),
    of_members(
        "link to a name that is not UTF-8",
        r"the name b'\xff' is not UTF-8; rebuild the image [path-encoding]",
        header(b"rootfs/usr/local/a", kind=b"2", link=b"\xff"),
    ),
    of_members(
        "long name that is not UTF-8",
        r"the name b'rootfs/\xc3(' is not UTF-8; rebuild the image [path-encoding]",
        named(b"rootfs/\xc3(", file("a")),
    ),
    of_members("name with a NUL in it", rf"rootfs/a\x00b: {_CONTROL}", named(b"rootfs/a\0b", file("a"))),
    of_members("name that moves the cursor", rf"rootfs/\x1b[2J: {_CONTROL}", file("rootfs/\x1b[2J")),
    of_members("name with a line break", rf"rootfs/a\nb: {_CONTROL}", file("rootfs/a\nb")),
    of_members("name that turns the text around", rf"rootfs/a\u202eb: {_CONTROL}", file("rootfs/a\u202eb")),
    of_members("name of 256 bytes", f"{'n' * 200}…: the name {_TOO_LONG}", named(_LONG_NAME.encode(), file("a"))),
    of_members(
        "path of 1110 bytes", f"{_LONG_PATH[:200]}…: the name {_TOO_LONG}", named(_LONG_PATH.encode(), file("a"))
    ),
    of_members(
        "path of 49 levels",
        f"{_DEEP}: the name is deeper than {MAX_DEPTH_LEVELS} directories; use a flatter tree [path-too-deep]",
        file(_DEEP),
    ),
    of_members("file twice", f"rootfs/usr/local/a: {_TWICE}", file("rootfs/usr/local/a"), file("rootfs/usr/local/a")),
    of_members(
        "file under two spellings",
        f"rootfs//usr/./local/a: {_TWICE}",
        file("rootfs/usr/local/a"),
        file("rootfs//usr/./local/a"),
    ),
    of_members(
        "directory that becomes a link",
        f"rootfs/usr/local: {_TWICE}",
        file("rootfs/usr/local/a"),
        symlink("rootfs/usr/local", "/etc"),
    ),
    of_members(
        "link that becomes a directory",
        f"rootfs/usr/local/d/: {_TWICE}",
        symlink("rootfs/usr/local/d", "e"),
        directory("rootfs/usr/local/d/"),
    ),
    of_members(
        "file below a link",
        f"rootfs/usr/local/a/b: its parent 'rootfs/usr/local/a' is a symlink, {_NOT_A_DIRECTORY}",
        symlink("rootfs/usr/local/a", "/etc"),
        file("rootfs/usr/local/a/b"),
    ),
    of_members(
        "file below a file",
        "rootfs/usr/local/a/b: its parent 'rootfs/usr/local/a' is a file, not a directory; "
        "keep one of the two [parent-not-directory]",
        file("rootfs/usr/local/a"),
        file("rootfs/usr/local/a/b"),
    ),
)

LINKS = (
    of_members(
        "link that climbs out",
        f"rootfs/usr/local/a: the link to '../../../../etc' climbs above its root; {_IN_ROOT}",
        symlink("rootfs/usr/local/a", "../../../../etc"),
    ),
    of_members(
        "link that climbs out and returns",
        f"rootfs/usr/local/a: the link to '../../../../rootfs/x' climbs above its root; {_IN_ROOT}",
        symlink("rootfs/usr/local/a", "../../../../rootfs/x"),
    ),
    of_members(
        "link of the image to the system",
        "a: the link to '/etc' leaves the image; link inside the image [link-escapes]",
        symlink("a", "/etc"),
    ),
    of_layers(
        "rootfs that is a link out of the image",
        "rootfs: the link to '../x' climbs above its root; link inside the root [link-escapes]\n"
        "rootfs: missing; put the extension's files below rootfs/ [rootfs-missing]",
        file("manifest.yaml", MANIFEST) + symlink("rootfs", "../x") + END,
    ),
    of_members(
        "link to nothing",
        "rootfs/usr/local/a: the link has no target; give it one, or leave it out [link-escapes]",
        symlink("rootfs/usr/local/a", ""),
    ),
    of_members(
        "link with a control character",
        "rootfs/usr/local/a: the link's target holds a control character; use printable characters [path-encoding]",
        symlink("rootfs/usr/local/a", "b\x07"),
    ),
    of_members(
        "link to a name of 256 bytes",
        f"rootfs/usr/local/a: the link's target {_TOO_LONG}",
        pax(record("linkpath", _LONG_NAME.encode())),
        symlink("rootfs/usr/local/a", ""),
    ),
    of_members(
        "link to itself",
        "/usr/local/a: the link leads to itself; link to a file [link-cycle]",
        symlink("rootfs/usr/local/a", "a"),
    ),
    of_members(
        "links in a circle",
        "/usr/local/a: the link leads to itself by way of /usr/local/b; link to a file [link-cycle]",
        symlink("rootfs/usr/local/a", "/usr/local/b"),
        symlink("rootfs/usr/local/b", "../local/a"),
    ),
    of_members(
        "link into itself",
        "/usr/local/a: the link leads to itself; link to a file [link-cycle]",
        symlink("rootfs/usr/local/a", "a/b"),
    ),
    of_members(
        "hard link to nothing",
        f"rootfs/usr/local/a: the hard link to 'rootfs/usr/local/b' {_NO_FILE}",
        hardlink("rootfs/usr/local/a", "rootfs/usr/local/b"),
    ),
    of_members(
        "hard link to what comes later",
        f"rootfs/usr/local/a: the hard link to 'rootfs/usr/local/b' {_NO_FILE}",
        hardlink("rootfs/usr/local/a", "rootfs/usr/local/b"),
        file("rootfs/usr/local/b"),
    ),
    of_members(
        "hard links in a circle",
        f"rootfs/usr/local/a: the hard link to 'rootfs/usr/local/b' {_NO_FILE}\n"
        f"rootfs/usr/local/b: the hard link to 'rootfs/usr/local/a' {_NO_FILE}",
        hardlink("rootfs/usr/local/a", "rootfs/usr/local/b"),
        hardlink("rootfs/usr/local/b", "rootfs/usr/local/a"),
    ),
    of_members(
        "hard link to a directory",
        f"rootfs/usr/local/a: the hard link to 'rootfs' {_NO_FILE}",
        hardlink("rootfs/usr/local/a", "rootfs"),
    ),
    of_members(
        "hard link to a link",
        f"rootfs/usr/local/a: the hard link to 'rootfs/usr/local/b' {_NO_FILE}",
        symlink("rootfs/usr/local/b", "/etc"),
        hardlink("rootfs/usr/local/a", "rootfs/usr/local/b"),
    ),
    of_members(
        "hard link to the system",
        "rootfs/usr/local/a: the hard link to '/etc/shadow': the path is absolute; "
        "make it relative to the image's root [link-escapes]",
        hardlink("rootfs/usr/local/a", "/etc/shadow"),
    ),
    of_members(
        "hard link that leaves rootfs",
        f"rootfs/usr/local/a: the hard link to 'manifest.yaml' leaves rootfs; {_IN_ROOTFS}",
        hardlink("rootfs/usr/local/a", "manifest.yaml"),
    ),
)

WHITEOUTS = (
    of_members("whiteout of no name", f"rootfs/.wh.: {_WHITEOUT_OF_NOTHING}", file("rootfs/.wh.", b"")),
    of_members("whiteout of the directory itself", f"rootfs/.wh..: {_WHITEOUT_OF_NOTHING}", file("rootfs/.wh..", b"")),
    of_members("whiteout of the parent", f"rootfs/.wh...: {_WHITEOUT_OF_NOTHING}", file("rootfs/.wh...", b"")),
    of_members("file below a whiteout", f"rootfs/.wh.a/b: {_NOT_BELOW}", file("rootfs/.wh.a/b")),
    of_members(
        "file below an opaque whiteout",
        f"rootfs/.wh..wh..opq/b: {_NOT_BELOW}",
        file("rootfs/.wh..wh..opq/b"),
    ),
    of_layers(
        "whiteout of rootfs",
        "rootfs: missing; put the extension's files below rootfs/ [rootfs-missing]",
        GOOD + END,
        file(".wh.rootfs", b"") + END,
    ),
    of_layers(
        "opaque whiteout of the whole image",
        "rootfs: missing; put the extension's files below rootfs/ [rootfs-missing]\n"
        "manifest.yaml: missing; put a manifest.yaml at the top of the image [manifest-missing]",
        GOOD + END,
        file(".wh..wh..opq", b"") + END,
    ),
)

KINDS: tuple[Kind, ...] = (*NAMES, *LINKS, *WHITEOUTS)
