"""Request headers as most clients encode them: what was said once is a reference from then on.

gRPC in Go, C and Java keeps headers in HPACK's dynamic table, deadlines included. Those differ from call to call, so
with them every block is another one, and moves the table: a server has to read each.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Final

from cosi.rpc.http2.grpc_request import request_headers
from cosi.rpc.http2.hpack import DEFAULT_TABLE_BYTES, ENTRY_OVERHEAD_BYTES, STATIC_TABLE, Header
from cosi.rpc.http2.huffman import symbols_by_code

LONGEST_TIMEOUT_MICROSECONDS: Final = 29_999_999
"""What is left of a deadline in half a minute, in eight digits."""

_WHOLE: Final = {header: index for index, header in enumerate(STATIC_TABLE, start=1)}
_NAMES: Final = {name: index for index, (name, _) in enumerate(STATIC_TABLE, start=1)}
_HUFFMAN: Final = {symbol: bin(code)[3:] for code, symbol in symbols_by_code().items()}


class Heads:
    """The header blocks of one connection's calls. With `deadlines` each call has one of its own."""

    def __init__(self, *, deadlines: bool = False) -> None:
        self._deadlines = deadlines
        self._serials = count()
        self._known: dict[str, bytes] = {}
        self._fields: dict[str, list[Header]] = {}
        self._table: deque[Header] = deque()  # oldest first
        self._numbers: dict[Header, int] = {}
        self._added = 0
        self._table_bytes = 0

    def block(self, path: str) -> bytes:
        """Return the header block of the next call of a method."""
        if (known := self._known.get(path)) is not None:
            return known
        if path not in self._fields:
            self._fields[path] = request_headers(path=path, authority="localhost")
        headers, added = self._fields[path], self._added
        if self._deadlines:
            headers = [*headers, (b"grpc-timeout", b"%du" % (LONGEST_TIMEOUT_MICROSECONDS - next(self._serials)))]
        block = b"".join([self._field(header) for header in headers])
        if added == self._added:
            self._known[path] = block
        return block

    def _field(self, header: Header) -> bytes:
        if whole := _WHOLE.get(header):
            return _integer(whole, 7, 0x80)
        number = self._numbers.get(header)
        if number is not None:
            return _integer(self._index(number), 7, 0x80)
        return self._new_field(*header)

    def _new_field(self, name: bytes, value: bytes) -> bytes:
        index = _NAMES.get(name, 0)
        if not index:
            same_name = (number for (known, _), number in reversed(self._numbers.items()) if known == name)
            index = next((self._index(number) for number in same_name), 0)
        field = _integer(index, 6, 0x40) + (b"" if index else _string(name)) + _string(value)
        self._add((name, value))
        return field

    def _index(self, number: int) -> int:
        return len(STATIC_TABLE) + self._added - number

    def _add(self, header: Header) -> None:
        self._known.clear()
        self._table.append(header)
        self._numbers[header] = self._added
        self._added += 1
        self._table_bytes += _entry_bytes(header)
        while self._table_bytes > DEFAULT_TABLE_BYTES:
            oldest = self._table.popleft()
            del self._numbers[oldest]
            self._table_bytes -= _entry_bytes(oldest)


def _entry_bytes(header: Header) -> int:
    return len(header[0]) + len(header[1]) + ENTRY_OVERHEAD_BYTES


def _integer(value: int, prefix_bits: int, pattern: int) -> bytes:
    mask = (1 << prefix_bits) - 1
    if value < mask:
        return bytes((pattern | value,))
    return bytes((pattern | mask, value - mask))  # which is less than 128: no table here has so many entries


def _string(text: bytes) -> bytes:
    bits = "".join([_HUFFMAN[symbol] for symbol in text])
    size_bytes = -(-len(bits) // 8)
    padded = bits.ljust(size_bytes * 8, "1")
    return _integer(size_bytes, 7, 0x80) + int(padded, 2).to_bytes(size_bytes)
