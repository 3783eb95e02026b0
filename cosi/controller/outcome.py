"""What a reconcile may raise that is no bug of the controller's."""

from __future__ import annotations


class Skip(Exception):
    """Nothing can be done about this now, and a later change will come back to it: no failure, no retry.

    `raise Skip("waiting for the address")` says what is waited for; it is logged, and counted as a skip.
    """


class Retry(Exception):
    """It failed for a reason outside the controller: a registry that doesn't answer, a disk that is full.

    Treated as any failure, backoff included, but logged in one line: there is nothing to be learnt from a traceback.
    """
