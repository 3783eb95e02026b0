"""Which names an archive may use: relative, plain, bounded, and with links that stay in the root they will live in."""

from talos.extensions.tar_stream import TarFault

MAX_PATH_BYTES = 1024  # a quarter of Linux's PATH_MAX, which leaves room for the directory it is unpacked under
MAX_NAME_BYTES = 255
MAX_DEPTH_LEVELS = 48


def split(path: str) -> tuple[str, ...]:
    """Return the components of a member's path; none for the root itself. Raises TarFault."""
    if path.startswith("/"):
        raise TarFault("path-absolute", "the path is absolute", "make it relative to the image's root")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise TarFault("path-escapes", "the path holds ..", "write it without")
    _check_bounds(path, parts, "the name")
    return parts


def check_symlink(parts: tuple[str, ...], target: str, *, root: tuple[str, ...]) -> None:
    """Refuse a symbolic link at `parts` that leaves `root`, the directory that will be `/`. Raises TarFault.

    Inside the root an absolute target starts there, and a relative one may climb no higher. Links are judged by their
    text; following one on a running node starts at that same root, where `..` goes no higher either.
    """
    if not target:
        raise TarFault("link-escapes", "the link has no target", "give it one, or leave it out")
    inside = len(parts) > len(root) and parts[: len(root)] == root
    absolute = target.startswith("/")
    if absolute and not inside:
        raise TarFault("link-escapes", f"the link to {shown(target)} leaves the image", "link inside the image")
    components = tuple(target.split("/"))
    _check_bounds(target, components, "the link's target")
    level = len(parts) - 1 - (len(root) if inside else 0)
    for component in components:
        if component == "..":
            level -= 1
        elif component not in ("", "."):
            level += 1
        if level < 0 and not absolute:
            raise TarFault("link-escapes", f"the link to {shown(target)} climbs above its root", "link inside the root")


def check_hardlink(parts: tuple[str, ...], target: str, *, root: tuple[str, ...]) -> tuple[str, ...]:
    """Return the components of a hard link's target, refusing one that leaves `root`. Raises TarFault."""
    try:
        components = split(target)
    except TarFault as fault:
        raise TarFault("link-escapes", f"the hard link to {shown(target)}: {fault.problem}", fault.remedy) from None
    if parts[: len(root)] == root != components[: len(root)]:
        problem = f"the hard link to {shown(target)} leaves {'/'.join(root)}"
        raise TarFault("link-escapes", problem, f"link to a file inside {'/'.join(root)}")
    return components


def shown(text: str) -> str:
    """Return a name as messages show it: one line, quoted, cut short."""
    return repr(text if len(text) <= 200 else text[:200] + "…")


def _check_bounds(path: str, parts: tuple[str, ...], what: str) -> None:
    if not path.isprintable():
        raise TarFault("path-encoding", f"{what} holds a control character", "use printable characters")
    if len(path.encode()) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        problem = f"{what} is longer than {MAX_PATH_BYTES} bytes, or {MAX_NAME_BYTES} in one name"
        raise TarFault("path-too-long", problem, "use a shorter path")
    if len(parts) > MAX_DEPTH_LEVELS:
        raise TarFault("path-too-deep", f"{what} is deeper than {MAX_DEPTH_LEVELS} directories", "use a flatter tree")
