"""Who looks through the booted tree at a time: a walk has directories open for as long as its client takes to read.

So they are counted, all of them and those of each login, lest who asks often and reads nothing leaves no file for
anybody else to open, or no walk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Refusal

WALKS: Final = 32
"""Each has two files open for a directory that it is in: a dozen in most trees, and 256 in the deepest."""

WALKS_OF_A_CLIENT: Final = 8


class Walks:
    """The walks under way on one start of the node."""

    def __init__(self) -> None:
        self._of_a_client: Counter[bytes | None] = Counter()

    @contextmanager
    def one(self, call: Call) -> Iterator[None]:
        """Count one walk more while the body runs. Raises Refusal if there are too many."""
        client = call.peer.certificate
        if self._of_a_client[client] >= WALKS_OF_A_CLIENT or self._of_a_client.total() >= WALKS:
            problem = "too many files and listings are on their way"
            raise Refusal(Code.RESOURCE_EXHAUSTED, f"{problem}: read them to the end, or end some, and ask again")
        self._of_a_client[client] += 1
        try:
            yield
        finally:
            self._of_a_client[client] -= 1
            if not self._of_a_client[client]:
                del self._of_a_client[client]
