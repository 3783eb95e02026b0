"""`machine.ca` and `machine.acceptedCAs`: the authority a node is to have, and those whose clients it lets in besides.

A config with the key of its authority, as those of control planes have it, makes it the node's own. Without the key (on
Talos a worker asks the control plane for its certificates, which no node of ours does) its clients are let in only.
Shape and fields as in Talos's v1alpha1 reference; a certificate and a key are the base64 of a PEM text.
"""

from __future__ import annotations

from typing import Final

import msgspec

from talos.access.certificates import Authority, Pair, authorities_in, with_known_label
from talos.config.cursor import Cursor

MAX_PEM_BYTES: Final = 64 * 1024
"""Of one certificate or key: those of Talos have less than one."""
MAX_ACCEPTED: Final = 20
"""There are two while an authority is being replaced."""


class ConfigAuthority(msgspec.Struct, frozen=True):
    """The node's authority, None where the config brings none; and others that clients may be certified by, PEM."""

    own: Pair | None = None
    accepted: bytes = b""


def read(machine: Cursor) -> ConfigAuthority:
    """Return what `machine` says of authorities; what is wrong with it is noted."""
    own, accepted = None, []
    if (ca := machine.child("ca")) is not None and ca.expect("mapping", "a mapping"):
        ca.only(("crt", "key"))
        certificate = _certificate(ca)
        key = with_known_label(ca.packed("key", most=MAX_PEM_BYTES))
        if key and certificate:
            own = _own(ca, Pair(certificate, key))
        accepted.append(certificate)
    if (listed := machine.child("acceptedCAs")) is not None:
        items = listed.items(most=MAX_ACCEPTED)
        accepted += [_certificate(each) for each in items if each.expect("mapping", "a mapping")]
    return ConfigAuthority(own, b"".join(accepted))


def _certificate(place: Cursor) -> bytes:
    """Return the certificates under `crt`, one like the other."""
    certificate = place.packed("crt", most=MAX_PEM_BYTES)
    try:
        return authorities_in(certificate) if certificate else b""
    except ValueError as error:
        found = place.child("crt")
        assert found is not None
        found.fault(str(error), "write the base64 of its PEM text")
        return b""


def _own(ca: Cursor, pair: Pair) -> Pair | None:
    try:
        Authority(pair)
    except (ValueError, TypeError):  # whose text may show what is secret
        problem = "this is no authority and its Ed25519 key"
        ca.fault(problem, "write `crt` and `key` as `talosctl gen config` does")
        return None
    return pair
