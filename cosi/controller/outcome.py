"""What a reconcile may raise without having failed."""

from __future__ import annotations


class Skip(Exception):
    """Nothing can be done about this now, and a later change will come back to it: no failure, no retry.

    `raise Skip("waiting for the address")` says what is waited for; it is logged, and counted as a skip.
    """
