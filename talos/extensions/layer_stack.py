"""Layers are laid over each other, the lowest first: an upper entry replaces a lower one, a whiteout removes it.

    .wh.NAME       removes NAME, as the layers below have it
    .wh..wh..opq   removes everything the layers below have in this directory

A whiteout never touches what its own layer brings, before or after it. What two readers could read differently is
refused: a path given twice by one layer, or a file whose parent is a link or a file. Source: OCI image specification,
layer.md.
"""

from collections.abc import Callable, Iterator

from talos.extensions import member_path
from talos.extensions.tar_stream import Kind, Member, TarFault
from talos.extensions.tree import Content, Entry

MAX_ENTRIES = 65_536  # the whole of linux-firmware is some 5,000 files
MAX_FILE_BYTES = 4 * 1024**3  # of all files together, as their headers declare them

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_IMPLIED_MODE = 0o755


class _Node:
    """A mutable entry. `layer` brought it; `touched` is the last layer that put something into or below it."""

    def __init__(self, entry: Entry, layer: int) -> None:
        self.entry = entry
        self.layer = layer
        self.touched = layer
        self.children: dict[str, _Node] = {}


class LayerStack:
    """The merged files of the layers applied so far; `root` is the directory in them that will be `/`."""

    def __init__(self, root: tuple[str, ...]) -> None:
        self._root_parts = root
        self._root = _Node(Entry(Kind.DIRECTORY, _IMPLIED_MODE), 0)
        self._layer = -1
        self._whiteouts: set[tuple[str, ...]] = set()
        self._entry_count = 0
        self._file_bytes = 0

    def next_layer(self) -> None:
        """Start a new layer on top."""
        self._layer += 1
        self._whiteouts.clear()

    def apply(self, member: Member, number: int) -> None:
        """Take one member of the current layer. Raises TarFault, which concerns this member alone."""
        parts = member_path.split(member.path)
        if not parts:
            if member.kind is not Kind.DIRECTORY:
                raise TarFault("path-empty", "the entry has no name", "give it one")
            return
        name = parts[-1]
        if any(part.startswith(_WHITEOUT) for part in parts[:-1]):
            raise TarFault("whiteout-malformed", "a whiteout has something below it", "leave it out")
        if name == _OPAQUE:
            self._once(parts, lambda: self._clear(parts[:-1]))
        elif name.startswith(_WHITEOUT):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in ("", ".", ".."):
                raise TarFault("whiteout-malformed", "the whiteout names nothing", "leave it out")
            if not hidden.startswith(_WHITEOUT):  # aufs keeps records of its own under .wh..wh.
                self._once(parts, lambda: self._remove(parts[:-1], hidden))
        else:
            self._place(parts, self._entry(parts, member, number))

    def account(self, member: Member) -> None:
        """Count a member against the bounds of the whole image. Raises TarFault, after which nothing may follow."""
        self._entry_count += 1
        self._file_bytes += member.size
        if self._entry_count > MAX_ENTRIES:
            raise TarFault("layer-bomb", f"the image has more than {MAX_ENTRIES} entries", "split the extension")
        if self._file_bytes > MAX_FILE_BYTES:
            problem = f"the files of the image are more than {MAX_FILE_BYTES} bytes"
            raise TarFault("layer-bomb", problem, "split the extension")

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield every entry with its path, in no particular order."""
        pending = [("", self._root)]
        while pending:
            prefix, node = pending.pop()
            for name, child in node.children.items():
                path = f"{prefix}{name}"
                yield path, child.entry
                pending.append((f"{path}/", child))

    def _entry(self, parts: tuple[str, ...], member: Member, number: int) -> Entry:
        match member.kind:
            case Kind.FILE:
                return Entry(Kind.FILE, member.mode, member.size, content=Content(self._layer, number))
            case Kind.DIRECTORY:
                return Entry(Kind.DIRECTORY, member.mode)
            case Kind.SYMLINK:
                member_path.check_symlink(parts, member.link, root=self._root_parts)
                return Entry(Kind.SYMLINK, 0o777, link=member.link)
            case Kind.HARDLINK:
                target = self._find(member_path.check_hardlink(parts, member.link, root=self._root_parts))
                if target is None or target.entry.kind is not Kind.FILE:
                    problem = f"the hard link to {member_path.shown(member.link)} leads to no file before it"
                    raise TarFault("hardlink-target", problem, "put the file first, or make a copy")
                self._file_bytes += target.entry.size
                return target.entry
            case Kind.SPECIAL:
                problem = "devices, fifos and sockets have no place in an extension"
                raise TarFault("special-file", problem, "leave it out")
            case Kind.UNKNOWN:
                problem = "this is of a type that is not known"
                raise TarFault("special-file", problem, "use files, directories and links")

    def _place(self, parts: tuple[str, ...], entry: Entry) -> None:
        parent = self._parent(parts)
        existing = parent.children.get(parts[-1])
        if existing is not None and existing.entry.kind is Kind.DIRECTORY is entry.kind:
            existing.entry = entry
            existing.layer = self._layer
            return
        if existing is not None and existing.touched == self._layer:
            problem = "the layer holds this path twice"
            raise TarFault("duplicate-entry", problem, "keep one of the two")
        parent.children[parts[-1]] = _Node(entry, self._layer)

    def _parent(self, parts: tuple[str, ...]) -> _Node:
        """Return the directory that is to hold the last of `parts`, making those that the archive leaves out."""
        node = self._root
        for depth, name in enumerate(parts[:-1], start=1):
            child = node.children.get(name)
            if child is None:
                self._entry_count += 1
                child = node.children[name] = _Node(Entry(Kind.DIRECTORY, _IMPLIED_MODE), self._layer)
            if child.entry.kind is not Kind.DIRECTORY:
                place = "/".join(parts[:depth])
                problem = f"its parent {member_path.shown(place)} is a {child.entry.kind.value}, not a directory"
                linked = child.entry.kind is Kind.SYMLINK
                remedy = "put the file where the link points" if linked else "keep one of the two"
                raise TarFault("parent-not-directory", problem, remedy)
            node = child
            node.touched = self._layer
        return node

    def _find(self, parts: tuple[str, ...]) -> _Node | None:
        node: _Node | None = self._root
        for name in parts:
            node = node.children.get(name) if node is not None else None
        return node

    def _clear(self, directory: tuple[str, ...]) -> None:
        node = self._find(directory)
        for name in list(node.children) if node is not None else ():
            self._remove(directory, name)

    def _remove(self, directory: tuple[str, ...], name: str) -> None:
        """Take away what the layers below have under `name`, and leave what this layer put there."""
        parent = self._find(directory)
        node = parent.children.get(name) if parent is not None else None
        if parent is None or node is None:
            return
        if node.touched < self._layer:
            del parent.children[name]
            return
        for child in list(node.children):
            self._remove((*directory, name), child)

    def _once(self, parts: tuple[str, ...], remove: Callable[[], None]) -> None:
        """Do a whiteout's work the first time only: repeated ones would walk a large directory again and again."""
        if parts not in self._whiteouts:
            self._whiteouts.add(parts)
            remove()
