"""Header compression as RFC 7541 defines it: a complete decoder, and the plainest legal encoder.

Written here because the `hpack` package takes three times as long for a request of a Go client, cannot tell when its
table moved, and costs the command line twice the import.

The decoder keeps the dynamic table in step with the peer's encoder, so every block must pass through it, also blocks
of streams that nobody waits for. All it holds is bounded: the table by what we announced, a header list by
`max_list_bytes`. A list that is too large is still read to its end and only then refused, which costs one stream and
not the connection.

The encoder uses the static table and plain literals only. Requests are a few short headers, once per call; a dynamic
table would save bytes that nobody counts on a local socket.
"""

from collections import deque
from collections.abc import Iterable

from cosi.rpc.http2 import huffman
from cosi.rpc.http2.errors import ErrorCode, ProtocolError

Header = tuple[bytes, bytes]

DEFAULT_TABLE_BYTES = 4096  # what a peer may use before it has read our settings
MAX_LIST_BYTES = 64 * 1024  # grpcio's own limit is 16 KiB; error messages with details come near it
ENTRY_OVERHEAD_BYTES = 32  # RFC 7541, section 4.1: what an entry counts beyond its text
MAX_INTEGER_BYTES = 5  # continuation octets: enough for any length in a frame; the RFC has no limit


class HeaderListTooLarge(Exception):
    """The block was well-formed and the table is in step, but its headers exceed what we agreed to hold."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"the peer sent {size_bytes} bytes of headers; at most {limit_bytes} are accepted")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class HeaderDecoder:
    """One direction of one connection: the blocks in the order they arrive, and the table they build."""

    def __init__(self, *, max_table_bytes: int = DEFAULT_TABLE_BYTES, max_list_bytes: int = MAX_LIST_BYTES) -> None:
        self._max_table_bytes = max_table_bytes
        self._max_list_bytes = max_list_bytes
        self._table: deque[Header] = deque()  # newest first, as the wire counts
        self._table_bytes = 0
        self._table_limit_bytes = max_table_bytes
        self.moves = 0
        """Grows whenever the table changes; until then the same block means the same headers."""

    @property
    def table(self) -> tuple[Header, ...]:
        """The dynamic table, newest entry first."""
        return tuple(self._table)

    def decode(self, block: bytes) -> list[Header]:
        """Decode one whole header block.

        Raises ProtocolError (COMPRESSION_ERROR) for a block that is not HPACK, after which the decoder must not be used
        again, and HeaderListTooLarge, after which it may.
        """
        headers: list[Header] = []
        list_bytes = 0
        position, size = self._read_size_updates(block), len(block)
        while position < size:
            first = block[position]
            if 0x80 < first < 0xFF:
                # Most headers are one byte, the index of an entry; a call would cost more than reading it does.
                index = first - 0x80
                header = STATIC_TABLE[index - 1] if index <= _STATIC_ENTRIES else self._entry(index)
                position += 1
            else:
                header, position = self._read_header(block, position)
            list_bytes += len(header[0]) + len(header[1]) + ENTRY_OVERHEAD_BYTES
            if list_bytes <= self._max_list_bytes:
                headers.append(header)
        if list_bytes > self._max_list_bytes:
            raise HeaderListTooLarge(list_bytes, self._max_list_bytes)
        return headers

    def _read_size_updates(self, block: bytes) -> int:
        position = 0
        while position < len(block) and block[position] & 0xE0 == 0x20:
            limit_bytes, position = _read_integer(block, position, prefix_bits=5)
            if limit_bytes > self._max_table_bytes:
                raise _broken(f"asks for a table of {limit_bytes} bytes; {self._max_table_bytes} were agreed")
            if limit_bytes != self._table_limit_bytes:
                self._table_limit_bytes = limit_bytes
                self.moves += 1
            self._evict()
        return position

    def _read_header(self, block: bytes, position: int) -> tuple[Header, int]:
        first = block[position]
        if first & 0x80:
            index, position = _read_integer(block, position, prefix_bits=7)
            return self._entry(index), position
        if first & 0x40:
            header, position = self._read_literal(block, position, prefix_bits=6)
            self._add(header)
            return header, position
        if first & 0x20:
            raise _broken("resizes the table after its first header")
        return self._read_literal(block, position, prefix_bits=4)

    def _read_literal(self, block: bytes, position: int, *, prefix_bits: int) -> tuple[Header, int]:
        index, position = _read_integer(block, position, prefix_bits=prefix_bits)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _read_string(block, position)
        value, position = _read_string(block, position)
        return (name, value), position

    def _entry(self, index: int) -> Header:
        if 0 < index <= len(STATIC_TABLE):
            return STATIC_TABLE[index - 1]
        dynamic_index = index - len(STATIC_TABLE) - 1
        if not 0 <= dynamic_index < len(self._table):
            raise _broken(f"names entry {index} of a table with {len(STATIC_TABLE) + len(self._table)} entries")
        return self._table[dynamic_index]

    def _add(self, header: Header) -> None:
        # An entry larger than the table empties it and is not kept: eviction below does exactly that.
        self._table.appendleft(header)
        self.moves += 1
        self._table_bytes += _entry_bytes(header)
        self._evict()

    def _evict(self) -> None:
        while self._table_bytes > self._table_limit_bytes:
            self._table_bytes -= _entry_bytes(self._table.pop())


class HeaderEncoder:
    """The other direction: static indexes and plain literals, nothing to keep in step."""

    def __init__(self) -> None:
        # The first block sets the table to nothing. Zero is below any limit that the peer may ever announce,
        # so its later settings never have to be confirmed.
        self._prelude = b"\x20"

    def encode(self, headers: Iterable[Header]) -> bytes:
        """Encode one header block; names must be lower case already."""
        prelude, self._prelude = self._prelude, b""
        return prelude + encode_block(headers)


def encode_block(headers: Iterable[Header]) -> bytes:
    """Encode a header block that any decoder understands at any time; names must be lower case already."""
    block = bytearray()
    for name, value in headers:
        whole = _STATIC_INDEX.get((name, value))
        if whole is not None:
            block += _write_integer(whole, prefix_bits=7, pattern=0x80)
            continue
        index = _STATIC_NAME_INDEX.get(name, 0)
        block += _write_integer(index, prefix_bits=4, pattern=0x00)
        if not index:
            block += _write_string(name)
        block += _write_string(value)
    return bytes(block)


def _entry_bytes(header: Header) -> int:
    return len(header[0]) + len(header[1]) + ENTRY_OVERHEAD_BYTES


def _read_integer(block: bytes, position: int, *, prefix_bits: int) -> tuple[int, int]:
    mask = (1 << prefix_bits) - 1
    value = block[position] & mask
    position += 1
    if value < mask:
        return value, position
    for octet in range(MAX_INTEGER_BYTES):
        if position >= len(block):
            raise _broken("ends inside a number")
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << 7 * octet
        if not byte & 0x80:
            return value, position
    raise _broken(f"has a number of more than {MAX_INTEGER_BYTES} octets")


def _read_string(block: bytes, position: int) -> tuple[bytes, int]:
    if position >= len(block):
        raise _broken("ends where a string should begin")
    compressed = block[position] & 0x80
    length, start = _read_integer(block, position, prefix_bits=7)
    end = start + length
    if end > len(block):
        raise _broken(f"ends inside a string of {length} bytes")
    text = block[start:end]
    return (huffman.decode(text) if compressed else text), end


def _write_integer(value: int, *, prefix_bits: int, pattern: int) -> bytes:
    mask = (1 << prefix_bits) - 1
    if value < mask:
        return bytes((pattern | value,))
    octets = bytearray((pattern | mask,))
    value -= mask
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _write_string(text: bytes) -> bytes:
    return _write_integer(len(text), prefix_bits=7, pattern=0x00) + text


def _broken(what: str) -> ProtocolError:
    return ProtocolError(ErrorCode.COMPRESSION_ERROR, f"a header block {what}")


def _static_table() -> tuple[Header, ...]:
    """Return appendix A of RFC 7541, whose entries count from 1: the few with values, then the bare names."""
    with_values = (
        ":authority= :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https "
        ":status=200 :status=204 :status=206 :status=304 :status=400 :status=404 :status=500 "
        "accept-charset= accept-encoding=gzip,~deflate"
    )
    bare = (
        "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control "
        "content-disposition content-encoding content-language content-length content-location content-range "
        "content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range "
        "if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range "
        "referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary "
        "via www-authenticate"
    )
    entries: list[Header] = []
    for entry in with_values.split():
        name, _, value = entry.replace("~", " ").encode().partition(b"=")
        entries.append((name, value))
    entries.extend((name.encode(), b"") for name in bare.split())
    return tuple(entries)


STATIC_TABLE = _static_table()
_STATIC_ENTRIES = len(STATIC_TABLE)
_STATIC_INDEX = {entry: index for index, entry in reversed(tuple(enumerate(STATIC_TABLE, start=1)))}
_STATIC_NAME_INDEX = {entry[0]: index for index, entry in reversed(tuple(enumerate(STATIC_TABLE, start=1)))}
