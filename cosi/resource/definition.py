"""What a resource type declares of itself, once: its name, aliases, namespace and the columns a table shows.

A definition is what `cosi get TYPE` and `talosctl get TYPE` resolve a word by, so the rules for what follows from the
type's name (display name, automatic aliases) are those of the Go runtime's ResourceDefinition.
"""

from __future__ import annotations

import functools
import re
from typing import Final, NamedTuple

import msgspec

_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9-]+")
_SUFFIX: Final = re.compile(r"[a-z][a-z0-9-]+(\.[a-z][a-z0-9-]+)*")


class PrintColumn(NamedTuple):
    """One more column of the table, found by a JSONPath template in the spec's YAML."""

    name: str
    json_path: str


class Definition(msgspec.Struct, frozen=True):
    """The definition of a resource type.

    `type` is `PluralCamelCase.suffix.of.the.domain`, for instance `ExtensionStatuses.runtime.talos.dev`.
    """

    type: str
    default_namespace: str
    aliases: tuple[str, ...] = ()
    columns: tuple[PrintColumn, ...] = ()
    sensitive: bool = False
    automatic_aliases: bool = True

    @property
    def id(self) -> str:
        """The id of the ResourceDefinition that describes this type."""
        return self.type.lower()

    def names(self) -> Names:
        """Return the names that follow from the type. Raises ValueError if the type is not well-formed."""
        return _names(self.type, self.aliases, self.automatic_aliases)


class Names(NamedTuple):
    """How people may call a type: its singular, the aliases shown, and all that are understood."""

    display_type: str
    aliases: tuple[str, ...]
    all_aliases: tuple[str, ...]


@functools.lru_cache(maxsize=1024)
def _names(type: str, aliases: tuple[str, ...], automatic: bool) -> Names:
    # Imported late: the word lists are large, and only a process that registers types needs them.
    from pluralizer import Pluralizer

    words = Pluralizer()  # type: ignore[no-untyped-call]
    name, _, suffix = type.partition(".")
    problem = None
    if not suffix:
        problem = "has no suffix"
    elif name.lower() == name or not _NAME.fullmatch(name):
        problem = f"should have a CamelCase name of letters and digits, not {name!r}"
    elif not _SUFFIX.fullmatch(suffix):
        problem = f"should have a suffix of lower-case words joined by dots, not {suffix!r}"
    elif not words.is_plural(name):
        problem = f"should have a plural name, not {name!r}"
    if problem:
        raise ValueError(f"resource type {type!r} {problem} (like 'Greetings.example.dev')")

    display_type: str = words.singular(name)
    shown, understood = list(aliases), []
    if automatic:
        shown.append(display_type.lower())
        understood.append(name.lower())
        elements = suffix.split(".")
        understood += [".".join([name.lower(), *elements[:count]]) for count in range(1, len(elements))]
        capitals = "".join(letter for letter in name if letter.isupper())
        if len(capitals) > 1:
            shown.append(capitals.lower())
            if not capitals.endswith("S"):
                shown.append(capitals.lower() + "s")
    return Names(display_type, tuple(shown), (*understood, *shown))
