"""`machine.install.extensions` becomes the images of a node's extensions in order, or a fault for each bad entry.

Nothing unknown passes in an entry: a misspelt `image` would be an extension that silently never comes.
"""

from __future__ import annotations

from typing import Final

from talos.config.cursor import Cursor
from talos.extensions.reference import InvalidReference, Reference

MAX_EXTENSIONS: Final = 100
"""The order of an extension is three digits in its id; a node with a dozen is a full one."""

_ENTRY_FIELDS: Final = ("image",)
_ENTRY: Final = "write `- image: REFERENCE`"
_REMEDY: Final = "write `image: REFERENCE`, such as `image: ghcr.io/siderolabs/gvisor:v1.0.0`"


def read(extensions: Cursor) -> tuple[str, ...]:
    """Return the images; what is wrong with the list is noted."""
    if not extensions.expect("sequence", "a list of `- image: …` entries"):
        return ()
    if len(extensions.node.items) > MAX_EXTENSIONS:
        problem = f"{len(extensions.node.items)} extensions, at most {MAX_EXTENSIONS} are allowed"
        extensions.fault(problem, "remove some")
        return ()
    first_use: dict[str, str] = {}
    for entry in extensions.items(most=MAX_EXTENSIONS):
        image = _image(entry)
        if image is None:
            continue
        if image.node.text in first_use:
            problem = f"{image.node.text} is listed twice, first as {first_use[image.node.text]}"
            image.fault(problem, "remove one of the two")
        first_use.setdefault(image.node.text, entry.path)
    return tuple(first_use)


def _image(entry: Cursor) -> Cursor | None:
    """Return the image of one entry, or None after noting why it has none."""
    if entry.node.kind != "mapping":
        entry.fault(f"this is {entry.node.kind_in_words}, not a mapping", _ENTRY)
        return None
    entry.only(_ENTRY_FIELDS)
    if "image" not in entry.node.fields:
        # A misspelt `image` explains its absence: one fault for one mistake.
        if not entry.node.fields:
            entry.missing("image", _REMEDY)
        return None
    image = entry.child("image")
    if image is None or (image.node.kind == "scalar" and not image.node.text.strip()):
        entry.missing("image", _REMEDY, problem="empty")
        return None
    if image.node.kind != "scalar":
        image.fault(f"this is {image.node.kind_in_words}, not an image reference", _REMEDY)
        return None
    try:
        Reference.parse(image.node.text)
    except InvalidReference as error:
        image.fault(error.problem, error.remedy)
        return None
    return image
