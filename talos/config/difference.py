"""What a new machine config changes, as Talos's dry run shows it: a unified diff of the two, both written alike.

Both are written without comments and in one layout first, the v1alpha1 document before the others, so that only what
they say is compared. Secrets are shown: whoever may try a config may see it. The form is that of Talos's
pkg/machinery/textdiff, whose ranges always name their length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from talos import yaml_document, yaml_writer
from talos.config.edit_script import Edit, edits
from talos.config.machine_config import MAX_CONFIG_BYTES

CONTEXT_LINES: Final = 3
MAX_LINES: Final = 75_000
"""Of both configs together, as in Talos: a longer diff is of no use to who reads it."""


def config_diff(before: bytes, after: bytes) -> str:
    """Return the diff, empty where both say the same; `before` is empty where there was no config."""
    return text_diff(_written(before), _written(after))


def text_diff(before: str, after: str) -> str:
    """Return the unified diff of two texts, empty where they are equal."""
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    if len(old) + len(new) > MAX_LINES:
        return f"@@ -1,{len(old)} +1,{len(new)} @@ diff too large to display\n"
    return "".join(f"{line}\n" for line in ("--- a", "+++ b", *_hunks(edits(old, new))))


def _hunks(script: Sequence[Edit]) -> Iterator[str]:
    old = new = place = 0  # lines of each, and edits, before the hunk
    for start, end in _changed(script):
        skipped = start - place
        old, new = old + skipped, new + skipped
        hunk = script[start:end]
        gone, come = sum(kind != "+" for kind, _ in hunk), sum(kind != "-" for kind, _ in hunk)
        yield f"@@ -{_range(old, gone)} +{_range(new, come)} @@"
        yield from (f"{kind}{line}" for kind, line in hunk)
        old, new, place = old + gone, new + come, end


def _changed(script: Sequence[Edit]) -> Iterator[tuple[int, int]]:
    """Yield where hunks start and end: changes with their context, joined where the contexts touch."""
    start = end = None
    for index, (kind, _) in enumerate(script):
        if kind == " ":
            continue
        if start is not None and end is not None and index - CONTEXT_LINES > end:
            yield start, end
            start = None
        start = max(index - CONTEXT_LINES, 0) if start is None else start
        end = min(index + 1 + CONTEXT_LINES, len(script))
    if start is not None and end is not None:
        yield start, end


def _range(before: int, length: int) -> str:
    """Return a range of lines that has so many before it; one without lines is named by the line before it."""
    return f"{before + 1 if length else before},{length}"


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _written(config: bytes) -> str:
    """Return a config in the one layout; as it is where it can't be read."""
    stream = yaml_document.read(config, max_bytes=MAX_CONFIG_BYTES)
    if stream.faults:
        return config.decode(errors="replace")
    documents = [document for document in stream.documents if document.kind != "null"]
    return yaml_writer.write_all(sorted(documents, key=lambda document: "kind" in document.fields))
