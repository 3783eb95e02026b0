"""What taking an address to serve on asks for, whatever transport then serves there.

A unix socket is for its user alone: mode 0600, in a directory where nobody else can put another one in its place. TCP
carries plain text on loopback addresses only.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cosi.rpc.address import LOCALHOST_ADDRESSES, Address, is_loopback

MAX_WAITING_CONNECTIONS: Final = 1024
"""Connections the kernel keeps until the server accepts them; more are refused, or come again."""

_NOT_HERE: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""Why one of the addresses of a host name may be missing: this machine has no IPv6, for one."""


def prepare(wanted: Address, *, tls: bool) -> None:
    """Make an address ready to be bound: a socket's directory is made, and what a crash left behind is removed.

    Raises ValueError if it is plain text that could leave this machine, OSError if the socket can't be there.
    """
    if wanted.path:
        _prepare_path(Path(wanted.path))
    elif not (tls or is_loopback(wanted.host)):
        raise ValueError(
            f"will not serve plain text on {wanted}: it is not a loopback address; use 127.0.0.1, a unix socket, or TLS"
        )


def sockets(wanted: Address, *, tls: bool) -> list[socket.socket]:
    """Return sockets that listen on an address, non-blocking; a host name may stand for several.

    Raises ValueError, OSError, as `prepare` does, and OSError if the address is taken.
    """
    prepare(wanted, tls=tls)
    if wanted.path:
        return [_unix_socket(wanted)]
    try:
        return _tcp_sockets(wanted)
    except (OSError, UnicodeError):
        raise taken(wanted) from None


def bound(wanted: Address, listening: Sequence[socket.socket]) -> Address:
    """Return the address with the port that its sockets were given."""
    return wanted if wanted.path else wanted._replace(port=listening[0].getsockname()[1])


def release(addresses: Sequence[Address]) -> None:
    """Remove the unix sockets from where they were found."""
    for each in addresses:
        if each.path:
            Path(each.path).unlink(missing_ok=True)


@contextmanager
def for_this_user_alone() -> Iterator[None]:
    """Have files that the body makes be of mode 0600."""
    mask = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(mask)


def taken(wanted: Address) -> OSError:
    """Return the error of a TCP address that can't be bound."""
    return OSError(f"can't listen on {wanted}: the port is taken, or the address is not this machine's")


def _prepare_path(path: Path) -> None:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
    directory = path.parent.stat()
    replaceable = directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not directory.st_mode & stat.S_ISVTX
    if directory.st_uid not in (os.getuid(), 0) or replaceable:
        raise PermissionError(f"will not listen on {path}: others could replace it; use a directory of your own")
    if not path.exists():
        return
    # A file answers a connection just as a dead socket does, and it is not ours to remove.
    if not path.is_socket():
        raise FileExistsError(f"can't listen on {path}: it is there already, and it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a server that is alive but busy would keep the probe waiting
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            raise _in_use(path) from None
        else:
            raise _in_use(path)


def _in_use(path: Path) -> OSError:
    return FileExistsError(f"can't listen on {path}: another server is running there")


def _unix_socket(wanted: Address) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with for_this_user_alone():
            listening.bind(wanted.path)
        return _listening(listening)
    except OSError as error:
        listening.close()
        raise OSError(f"can't listen on {wanted}: {error}") from None


def _tcp_sockets(wanted: Address) -> list[socket.socket]:
    """Return a socket for each address of a host, all with the same port. Raises OSError, UnicodeError."""
    hosts = LOCALHOST_ADDRESSES if wanted.host == "localhost" else (wanted.host,)
    found = dict.fromkeys(
        (family, str(where[0]))
        for host in hosts
        for family, _, _, _, where in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    )
    missing: OSError | None = None
    port = wanted.port
    with ExitStack() as opened:
        listening: list[socket.socket] = []
        for family, host in found:
            try:
                candidate = _tcp_socket(family, host, port)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                continue
            listening.append(opened.enter_context(candidate))
            port = candidate.getsockname()[1]
        if not listening and missing is not None:
            raise missing
        opened.pop_all()
        return listening


def _tcp_socket(family: int, host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's delay off only for sockets that say what they are.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # The wildcard takes IPv4 as well, as everywhere; other addresses of a name each have their own socket.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        listening.bind((host, port))
        return _listening(listening)
    except BaseException:
        listening.close()
        raise


def _listening(bound_socket: socket.socket) -> socket.socket:
    bound_socket.listen(MAX_WAITING_CONNECTIONS)
    bound_socket.setblocking(False)
    return bound_socket
