"""Reading an image's layers gives a tree of what they hold together, and a fault for all that has no place in one.

Nothing is unpacked: an archive is streamed, its members' data is passed over, and what remains is some hundred bytes
for each entry. Whoever wants the files' bytes streams the layers again, with `contents`, in the order in which they
lie there. Layers are hostile until proven otherwise; a fault is data, never an exception.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from talos.extensions import member_path
from talos.extensions.decompression import decompressed
from talos.extensions.faults import MAX_FAULTS, Fault
from talos.extensions.layer_stack import LayerStack
from talos.extensions.manifest import MAX_MANIFEST_BYTES
from talos.extensions.tar_stream import Member, TarFault, TarReader
from talos.extensions.tree import MANIFEST, ROOTFS, Content, Entry, Layer, Tree, in_order


def read_tree(layers: Sequence[Layer], *, root: tuple[str, ...] = (ROOTFS,)) -> tuple[Tree, tuple[Fault, ...]]:
    """Lay the archives over each other, the lowest first; links in `root` take it for `/`.

    The tree lacks what is at fault; it is whole only where there are no faults. A layer that cannot be read to its
    end ends the reading. Raises OSError where an archive's file cannot be read, and nothing for what is inside.
    """
    stack = LayerStack(root)
    faults: list[Fault] = []
    manifests: dict[Content, bytes] = {}
    for index, layer in enumerate(layers):
        stack.next_layer()
        member: Member | None = None
        try:
            with layer.path.open("rb") as file, decompressed(file) as stream:
                reader = TarReader(stream)
                for number, member in enumerate(reader):
                    stack.account(member)
                    try:
                        stack.apply(member, number)
                    except TarFault as fault:
                        faults.append(_fault(fault, member, layer))
                        if len(faults) >= MAX_FAULTS:
                            raise TarFault("too-many-faults", f"{MAX_FAULTS} faults, the rest is not read") from None
                    if member.size <= MAX_MANIFEST_BYTES and member.path.removeprefix("./") == MANIFEST:
                        manifests[Content(index, number)] = b"".join(reader.data())
        except TarFault as fault:
            faults.append(_fault(fault, None, layer))
            break
    entries = in_order(dict(stack.entries()))
    manifest = entries.get(MANIFEST)
    content = manifest.content if manifest is not None else None
    tree = Tree(entries, tuple(layers), manifests.get(content) if content is not None else None)
    return tree, tuple(faults)


def contents(layers: Sequence[Layer], wanted: Iterable[Content]) -> Iterator[tuple[Content, Iterator[bytes]]]:
    """Yield the bytes of each wanted content, in pieces, in the order of the archives.

    Read the pieces before taking the next item. Raises TarFault where an archive is no longer what it was when its
    tree was read, and OSError where its file cannot be read.
    """
    remaining = set(wanted)
    for index, layer in enumerate(layers):
        last = max((content.member for content in remaining if content.layer == index), default=-1)
        if last < 0:
            continue
        with layer.path.open("rb") as file, decompressed(file) as stream:
            reader = TarReader(stream)
            for number, _ in enumerate(reader):
                content = Content(index, number)
                if content in remaining:
                    remaining.discard(content)
                    yield content, reader.data()
                if number == last:
                    break
    if remaining:
        raise TarFault("layer-truncated", "a layer has fewer files than when it was first read", "pull the image again")


def shared_contents(tree: Tree, entries: Mapping[str, Entry]) -> Iterator[tuple[list[str], Iterator[bytes]]]:
    """Yield the bytes of those of a tree's entries that have any, with all paths that share them. As `contents`."""
    paths: dict[Content, list[str]] = {}
    for path, entry in entries.items():
        if entry.content is not None and entry.size:
            paths.setdefault(entry.content, []).append(path)
    for content, pieces in contents(tree.layers, paths):
        yield paths[content], pieces


def _fault(fault: TarFault, member: Member | None, layer: Layer) -> Fault:
    path = member_path.shown(member.path)[1:-1] if member is not None else ""
    return Fault(fault.rule, path, fault.problem, fault.remedy, layer.name)
