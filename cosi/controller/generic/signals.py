"""What a transform may raise beside Skip."""

from __future__ import annotations


class DestroyOutput(Exception):
    """This input shall have no output now: if there is one, it is torn down and destroyed."""
