"""From the word somebody typed to a resource type, as talosctl does it: by id or any alias, whatever the case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Registered(NamedTuple):
    """A registered resource type, as its ResourceDefinition announces it."""

    id: str
    type: str
    display_type: str
    default_namespace: str
    all_aliases: Sequence[str]
    columns: Sequence[tuple[str, str]]


def resolve(word: str, registered: Sequence[Registered]) -> Registered:
    """Return the one type that a word means. Raises LookupError if there is none, or more than one."""
    wanted = word.casefold()
    matches = [
        each
        for each in registered
        if each.id.casefold() == wanted or any(alias.casefold() == wanted for alias in each.all_aliases)
    ]
    if not matches:
        raise LookupError(f'resource "{word}" is not registered (`cosi get rd` lists all types and their aliases)')
    if len(matches) > 1:
        names = " ".join(match.id for match in matches)
        raise LookupError(f'resource type "{word}" is ambiguous: [{names}]')
    return matches[0]
