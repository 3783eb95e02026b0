"""From header blocks to header lists: blocks that a peer repeats are not decoded again.

As long as the dynamic table stays as it is, the same block means the same headers. Servers begin and end most answers
in the same words, so most blocks cost one look into a dictionary.
"""

from collections.abc import Sequence

from cosi.rpc.http2.hpack import Header, HeaderDecoder

MAX_KNOWN_BLOCKS = 64  # a server has few ways to begin an answer and to end one; errors differ in their words
MAX_KNOWN_BYTES = 1024  # block and headers together


class BlockReader:
    """The header blocks of one connection, in the order they arrive; `read` raises as HeaderDecoder.decode does."""

    __slots__ = ("_decoder", "_known")

    def __init__(self) -> None:
        self._decoder = HeaderDecoder()
        self._known: dict[bytes, Sequence[Header]] = {}

    def read(self, block: bytes) -> Sequence[Header]:
        """Return what a block means."""
        return self._known.get(block) or self._decode(block)

    def _decode(self, block: bytes) -> Sequence[Header]:
        moves = self._decoder.moves
        try:
            headers = self._decoder.decode(block)
        finally:
            if moves != self._decoder.moves:
                self._known.clear()
        # Of what it means, not of the block: that may be a few references to long entries of the table.
        size_bytes = len(block) + sum(len(name) + len(value) for name, value in headers)
        if moves == self._decoder.moves and size_bytes <= MAX_KNOWN_BYTES and len(self._known) < MAX_KNOWN_BLOCKS:
            self._known[block] = headers
        return headers
