"""TLS for one connection as a pure state machine: ciphertext in and plaintext out, and the other way around.

    the peer's bytes -> receive() -> plaintext      handshake, alerts -> data_to_send() -> to the peer
    plaintext        -> send()    -> to the peer    goodbye           -> close()        -> to the peer

OpenSSL does the work between two buffers in memory; no socket, no clock, no task. It is the server's side. The caller
sends what `data_to_send` returns after each `receive`, and gives up on handshakes that take too long.

Little is held: one unfinished record (16 KiB), and in front of the handshake's end a bounded number of bytes either
way. A connection that breaks off without a goodbye is not noticed here: HTTP/2 knows what was cut.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

from cosi.rpc import tls

MAX_HANDSHAKE_BYTES: Final = 64 * 1024
"""What a client may send before the handshake is over: some kilobytes, unless its chain of certificates is long."""

MAX_EARLY_BYTES: Final = 16 * 1024
"""Plaintext held until the handshake is over; a server has no more to say by then than its settings."""

STEP_BYTES: Final = 64 * 1024
"""More is taken in pieces: OpenSSL's buffers in memory stay as large as they ever were."""

_MAX_RECORD_BYTES: Final = 16 * 1024
_HANDSHAKE_RECORD: Final = 22


class TlsFailed(Exception):
    """The connection can't go on. What `data_to_send` returns tells the peer why, if it can be told."""


class TlsLayer:
    """What stands between a socket and HTTP/2.

    `established` once the peer is who it must be and both speak HTTP/2; `peer_certificate` is then what it proved to
    own (DER), None if the context did not ask. `ended` when it has said that nothing more will come; it may still be
    listening. After TlsFailed the layer is of no more use.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.established = False
        self.ended = False
        self.peer_certificate: bytes | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._connection = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._handshake_bytes = 0
        self._early = b""

    def receive(self, data: bytes) -> bytes:
        """Take what arrived and return the plaintext that it completed. Raises TlsFailed."""
        if not self.established:
            data = self._shake_hands(data)
        if not self.established or self.ended:
            return b""
        if len(data) <= STEP_BYTES:
            return _joined(self._decrypt(data))
        steps = range(0, len(data), STEP_BYTES)
        view = memoryview(data)
        return _joined([piece for start in steps for piece in self._decrypt(view[start : start + STEP_BYTES])])

    def send(self, data: bytes) -> bytes:
        """Return what is to be sent for some plaintext, which waits for the handshake to be over. Raises TlsFailed."""
        if self.established:
            return self._encrypt(data)
        if len(self._early) + len(data) > MAX_EARLY_BYTES:
            raise TlsFailed(f"more than {MAX_EARLY_BYTES} bytes were to be sent before the TLS handshake was over")
        self._early += data
        return self.data_to_send()

    def data_to_send(self) -> bytes:
        """Return what TLS itself has to say: the handshake, alerts, and plaintext that had to wait for it."""
        return self._outgoing.read()

    def close(self) -> bytes:
        """Return the goodbye, after which nothing can be sent; the peer's own may still come."""
        self._say_goodbye()
        return self.data_to_send()

    def _shake_hands(self, data: bytes) -> bytes:
        """Go on with the handshake, and return the bytes that it did not need."""
        room = MAX_HANDSHAKE_BYTES - self._handshake_bytes
        opening, rest = data[:room], data[room:]
        if not self._handshake_bytes and opening and opening[0] != _HANDSHAKE_RECORD:
            raise TlsFailed("the client does not speak TLS; does it take this for a plain text port?")
        self._incoming.write(opening)
        self._handshake_bytes += len(opening)
        try:
            self._connection.do_handshake()
        except ssl.SSLWantReadError:
            if rest:
                message = f"the client sent more than {MAX_HANDSHAKE_BYTES} bytes and the TLS handshake is not over"
                raise TlsFailed(message) from None
            return b""
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(f"the client's certificate is not accepted: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise TlsFailed(f"the TLS handshake failed: {tls.reason(error)}") from None
        self._establish()
        return rest

    def _establish(self) -> None:
        if self._connection.selected_alpn_protocol() != tls.ALPN_HTTP2:
            self._say_goodbye()
            raise TlsFailed(f"the client does not speak HTTP/2 (no ALPN {tls.ALPN_HTTP2})")
        self.peer_certificate = self._connection.getpeercert(binary_form=True)
        self.established = True
        early, self._early = self._early, b""
        self._outgoing.write(self._encrypt(early))

    def _say_goodbye(self) -> None:
        # It would wait for the peer's goodbye as well; or there is no connection to say goodbye on.
        with suppress(ssl.SSLError):
            self._connection.unwrap()

    def _decrypt(self, ciphertext: bytes | memoryview) -> list[bytes]:
        incoming, read = self._incoming, self._connection.read
        incoming.write(ciphertext)
        pieces = []
        try:
            # OpenSSL reads records one by one, so an empty buffer saves asking it for another in vain.
            while incoming.pending and not self.ended:
                piece = read(_MAX_RECORD_BYTES)
                if piece:
                    pieces.append(piece)
                else:
                    self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True  # as an empty piece says it, unless we have said goodbye before
        except ssl.SSLError as error:
            raise TlsFailed(f"the TLS connection broke: {tls.reason(error)}") from None
        return pieces

    def _encrypt(self, plaintext: bytes) -> bytes:
        pieces = []
        rest = memoryview(plaintext)
        try:
            while rest:
                rest = rest[self._connection.write(rest[:STEP_BYTES]) :]
                pieces.append(self._outgoing.read())
        except ssl.SSLError as error:
            raise TlsFailed(f"nothing can be sent: {tls.reason(error)}") from None
        return _joined(pieces)


def _joined(pieces: list[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
