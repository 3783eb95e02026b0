"""`machined config`: what a config is refused for, what patches make of it, and what it looks like without secrets."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from talos import private_file
from talos.config import machine_config, patching, redaction
from talos.config.document import Document
from talos.config.faults import ConfigError
from talos.config.machine_config import MAX_CONFIG_BYTES

_STANDARD_INPUT: Final = "-"
_FROM_FILE: Final = "@"
_SPELT_ALIKE: Final = 0.9
"""How like a known kind another one must be to be taken for a mistake: Talos's own differ by more."""


def validate(file: Path) -> None:
    """Judge a config, and list its documents. Raises click.ClickException with every fault, OSError."""
    with _every_fault():
        config = machine_config.parse(_read(file), source=str(file))
    lines = (f"{file}: valid", *(_listed(document) for document in config.documents))
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def patch(file: Path, patches: Sequence[str], output: Path | None) -> None:
    """Print a config with patches applied, or write it. Raises click.ClickException with every fault, OSError."""
    text = _read(file)
    with _every_fault():
        loaded = [_load_patch(given, number) for number, given in enumerate(patches, start=1)]
        patched = patching.apply(text, loaded, source=str(file))
        machine_config.parse(patched, source="the patched config")
    if output is None:
        sys.stdout.buffer.write(patched)
    else:
        private_file.write(output, patched)


def redact(file: Path) -> None:
    """Print a config without its secrets. Raises click.ClickException, OSError."""
    with _every_fault():
        shown = redaction.redacted(_read(file), source=str(file))
    sys.stdout.buffer.write(shown)


@contextmanager
def _every_fault() -> Iterator[None]:
    """Turn what is wrong with a config or a patch into a line for each fault."""
    try:
        yield
    except ConfigError as error:
        count = "one fault" if len(error.faults) == 1 else f"{len(error.faults)} faults"
        lines = "".join(f"\n  {fault}" for fault in error.faults)
        raise click.ClickException(f"{error.source}: {count}{lines}") from None


def _load_patch(given: str, number: int) -> patching.Patch:
    if given.startswith(_FROM_FILE):
        file = Path(given.removeprefix(_FROM_FILE))
        return patching.load_patch(_read(file), source=str(file))
    return patching.load_patch(given.encode(), source=f"patch {number}")


def _read(file: Path) -> bytes:
    """Return what a file holds; of one that is too long a byte too many, so that whoever parses it says so."""
    if str(file) == _STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_CONFIG_BYTES + 1)
    with file.open("rb") as opened:
        return opened.read(MAX_CONFIG_BYTES + 1)


def _listed(document: Document) -> str:
    return (
        f"  line {document.line:<5} {document.label or document.kind}{'' if document.known else _remark(document.kind)}"
    )


def _remark(kind: str) -> str:
    """Return what to say of a kind that is not known: nobody else would tell that it is misspelt."""
    close = difflib.get_close_matches(kind, machine_config.KNOWN_KINDS, n=1, cutoff=_SPELT_ALIKE)
    return f"  (not known here, kept as it is{f'; did you mean {close[0]}?' if close else ''})"
