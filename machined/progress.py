"""Bytes on their way, as people like to look at them: one line with a bar, where somebody looks."""

from __future__ import annotations

import sys
from typing import TextIO

from talos.extensions.pull import Progress

BAR_CHARACTERS = 24
_MEGABYTE = 1_000_000
_REST_OF_LINE = "\x1b[K"


def bar(done: int, total: int) -> str:
    """Draw how much of something is done."""
    filled = round(BAR_CHARACTERS * done / total) if total else 0
    return f"{'█' * filled:░<{BAR_CHARACTERS}}"


class PullBar:
    """One line on a terminal for all pulls together; nothing anywhere else."""

    def __init__(self, images: int, stream: TextIO = sys.stderr) -> None:
        self._stream = stream if stream.isatty() else None
        self._images = images
        self._pulls: dict[str, Progress] = {}

    def show(self, image: str, progress: Progress) -> None:
        """Note how far a pull is, and draw the line anew."""
        self._pulls[image] = progress
        if self._stream is None:
            return
        done = sum(pull.done_bytes for pull in self._pulls.values())
        total = sum(pull.total_bytes for pull in self._pulls.values())
        size = f"{done / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB"
        begun = f"{len(self._pulls)} of {self._images} images"
        self._stream.write(f"\r{bar(done, total)} {size}, {begun}{_REST_OF_LINE}")
        self._stream.flush()

    def end(self) -> None:
        """Leave the terminal to others."""
        if self._stream is not None and self._pulls:
            self._stream.write(f"\r{_REST_OF_LINE}")
            self._stream.flush()
