"""A symbolic link that leads back to itself is no way to any file: whoever opens it gets an error of the system.

Of each link only the first other link on its way is looked at, since nobody gets past that one without following it
too. So every link has at most one successor, and all circles are found in one pass over them.
"""

from collections.abc import Iterator

from talos.extensions.tar_stream import Kind
from talos.extensions.tree import Tree


def link_cycles(tree: Tree) -> Iterator[tuple[str, ...]]:
    """Yield the links of each circle, from one of them on; absolute targets start at the tree's root."""
    settled: set[str] = set()
    for path, entry in tree.entries.items():
        trail: dict[str, None] = {}
        link = path if entry.kind is Kind.SYMLINK else None
        while link is not None and link not in settled and link not in trail:
            trail[link] = None
            link = _first_link(tree, link)
        if link in trail:
            passed = tuple(trail)
            yield passed[passed.index(link) :]
        settled.update(trail)


def _first_link(tree: Tree, path: str) -> str | None:
    """Return the first link that has to be followed to get where the link at `path` points."""
    target = tree.entries[path].link
    place = [] if target.startswith("/") else path.split("/")[:-1]
    for component in target.split("/"):
        if component == "..":
            del place[-1:]
        elif component not in ("", "."):
            place.append(component)
            reached = "/".join(place)
            found = tree.entries.get(reached)
            if found is None:
                return None
            if found.kind is Kind.SYMLINK:
                return reached
    return None
