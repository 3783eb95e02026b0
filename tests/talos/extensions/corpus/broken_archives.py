"""Archives that are damaged, ambiguous or larger than anything should be."""

import gzip

from talos.extensions.layer_stack import MAX_ENTRIES
from tests.talos.extensions.archives import MANIFEST
from tests.talos.extensions.corpus.kind import GOOD, Kind, extension, of_layers, of_members
from tests.talos.extensions.corpus.raw_tar import (
    END,
    base_256,
    directory,
    file,
    header,
    member,
    named,
    padded,
    pax,
    record,
)

_PLACE = "rootfs/usr/local/a"
_NO_ARCHIVE = "this is no tar archive, or a header in it is damaged; rebuild the image [layer-malformed]"
_BAD_PAX = "a pax header that cannot be read; rebuild the image [layer-malformed]"
_SPARSE = "a sparse file, whose data lies elsewhere than its header says; rebuild the image [layer-malformed]"
_AFTER_END = "there is data after the archive's end; rebuild the image [layer-malformed]"
_FLIPPED = bytes([GOOD[3] ^ 1])

CUT = (
    of_layers(
        "archive cut in a header",
        "the archive ends inside a header; rebuild the image [layer-truncated]",
        GOOD + file(_PLACE)[:100],
    ),
    of_layers(
        "archive cut in a file",
        "the archive ends inside a file; rebuild the image [layer-truncated]",
        GOOD + file(_PLACE, b"x" * 2000)[:1500],
    ),
    of_layers(
        "archive cut in a member's padding",
        "the archive ends inside a member's padding; rebuild the image [layer-truncated]",
        GOOD + file(_PLACE)[:600],
    ),
    of_layers(
        "archive cut in an extension header",
        "the archive ends inside an extension header; rebuild the image [layer-truncated]",
        GOOD + pax(record("path", b"x" * 2000))[:1500],
    ),
    of_layers(
        "archive cut in an extension header's padding",
        "the archive ends inside an extension header's padding; rebuild the image [layer-truncated]",
        GOOD + pax(record("path", b"x"))[:600],
    ),
    of_layers(
        "archive ends after an extension header",
        "the archive ends after an extension header; rebuild the image [layer-truncated]",
        extension(pax(record("path", b"x"))),
    ),
)

DAMAGED = (
    of_layers("wrong checksum", _NO_ARCHIVE, GOOD[:3] + _FLIPPED + GOOD[4:] + END),
    of_layers("text instead of an archive", _NO_ARCHIVE, b"just words, one after the other\n" * 50),
    of_layers("a zip file", _NO_ARCHIVE, b"PK\x03\x04" + bytes(1020)),
    of_members("data after the end", _AFTER_END, END, b"x"),
    of_members("an archive after the archive", _AFTER_END, END, file("rootfs/boot/hidden"), END),
    of_members(
        "size that is no number",
        "a header holds something that is no number; rebuild the image [layer-malformed]",
        header(b"a", b"0x000000010\0"),
    ),
    of_members(
        "negative size",
        "a header holds a negative number; rebuild the image [layer-malformed]",
        header(b"a", base_256(-512)),
    ),
    of_members(
        "directory with data",
        "'rootfs/usr/' is a directory with data; rebuild the image [layer-malformed]",
        member("rootfs/usr/", b"data", kind=b"5"),
    ),
    of_members(
        "more extension headers than anything needs",
        "more than 8 extension headers in a row; rebuild the image [layer-malformed]",
        pax() * 9,
    ),
    of_members("pax record longer than its header", _BAD_PAX, pax(b"999 path=x\n")),
    of_members("pax record shorter than its text", _BAD_PAX, pax(b"5 path=x\n")),
    of_members("pax record without a length", _BAD_PAX, pax(b"path=x\n")),
    of_members("pax record with a negative length", _BAD_PAX, pax(b"-9 path=x\n")),
    of_members("pax record without a value", _BAD_PAX, pax(b"8 path\n\n")),
    of_members(
        "pax size that is no number",
        "a pax record gives a size that is no number; rebuild the image [layer-malformed]",
        pax(record("size", b"-1024")),
        file(_PLACE),
    ),
    of_members(
        "pax size other than the data's",
        _NO_ARCHIVE,
        pax(record("size", b"0")),
        file(_PLACE),
    ),
    of_members(
        "pax header that gives all files one name",
        "rootfs/usr/local/a: the layer holds this path twice; keep one of the two [duplicate-entry]",
        pax(record("path", _PLACE.encode()), kind=b"g"),
        file("rootfs/usr/local/b"),
        file("rootfs/usr/local/c"),
    ),
    of_members("sparse file of old GNU tar", _SPARSE, header(_PLACE.encode(), kind=b"S")),
    of_members("sparse file in pax format 0.1", _SPARSE, pax(record("GNU.sparse.map", b"0,1")), file(_PLACE)),
    of_members("sparse file in pax format 1.0", _SPARSE, pax(record("GNU.sparse.major", b"1")), file(_PLACE)),
)

TOO_LARGE = (
    of_members(
        "file of 8 exabytes",
        "the files of the image are more than 4294967296 bytes; split the extension [layer-bomb]",
        header(b"a", base_256(2**63)),
    ),
    of_members(
        "pax record that gives a file 10 terabytes",
        "the files of the image are more than 4294967296 bytes; split the extension [layer-bomb]",
        pax(record("size", b"10000000000000")),
        file(_PLACE),
    ),
    of_members(
        "hard links that multiply a file",
        "the files of the image are more than 4294967296 bytes; split the extension [layer-bomb]",
        file(_PLACE, bytes(2**20)),
        *(member(f"rootfs/usr/local/{number}", kind=b"1", link=_PLACE) for number in range(4096)),
    ),
    of_members(
        "GNU long name of 65537 bytes",
        "an extension header of 65537 bytes, at most 65536 are read; rebuild the image [layer-bomb]",
        header(b"././@LongLink", 65537, kind=b"L"),
    ),
    of_members(
        "pax header of a terabyte",
        "an extension header of 1099511627776 bytes, at most 65536 are read; rebuild the image [layer-bomb]",
        header(b"PaxHeader", base_256(2**40), kind=b"x"),
    ),
    of_layers(
        "more entries than any extension has",
        f"the image has more than {MAX_ENTRIES} entries; split the extension [layer-bomb]",
        lambda: gzip.compress(GOOD + directory("rootfs/usr") * MAX_ENTRIES + END, 1, mtime=0),
    ),
    of_layers(
        "zeros without end after the archive",
        "more than 1048576 bytes after the archive's end; rebuild the image [layer-bomb]",
        lambda: gzip.compress(extension(bytes(2**22)), mtime=0),
    ),
)

SPECIAL = tuple(
    of_members(
        name,
        f"{_PLACE}: devices, fifos and sockets have no place in an extension; leave it out [special-file]",
        member(_PLACE, kind=flag),
    )
    for name, flag in (("character device", b"3"), ("block device", b"4"), ("fifo", b"6"))
) + tuple(
    of_members(
        name,
        f"{_PLACE}: this is of a type that is not known; use files, directories and links [special-file]",
        member(_PLACE, kind=flag),
    )
    for name, flag in (("type that nobody knows", b"Z"), ("part of a GNU archive in volumes", b"M"))
)

KINDS: tuple[Kind, ...] = (
    *CUT,
    *DAMAGED,
    *TOO_LARGE,
    *SPECIAL,
    of_layers(
        "layer of nothing",
        "rootfs: missing; put the extension's files below rootfs/ [rootfs-missing]\n"
        "manifest.yaml: missing; put a manifest.yaml at the top of the image [manifest-missing]",
        b"",
    ),
    of_layers(
        "manifest under two names in one archive",
        "./manifest.yaml: the layer holds this path twice; keep one of the two [duplicate-entry]",
        GOOD + named(b"./manifest.yaml", header(b"a", len(MANIFEST)) + padded(MANIFEST)) + END,
    ),
)
