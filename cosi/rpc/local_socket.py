"""Connects a socket to a server on this machine, or says in plain words why that cannot be.

Plain text never leaves the machine: a TCP host is `localhost` or a loopback address, and names are not looked up. That
is also faster: the resolver's first step in Python is to import the IDNA tables.
"""

import os
import socket
from stat import S_ISSOCK

from cosi.rpc import address
from cosi.rpc.http2.status import Code, RpcError


def connect(target: str, *, timeout_seconds: float) -> socket.socket:
    """Connect to `unix:PATH`, a path with a slash in it, or `HOST:PORT`.

    Raises RpcError: INVALID_ARGUMENT if the target is none of these, UNAVAILABLE if nobody answers there.
    """
    try:
        where = address.parse(target)
        if not where.path and not where.port:
            raise ValueError(f"{target!r} is not an address: write unix:PATH or HOST:PORT")
    except ValueError as error:
        raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None
    if where.path:
        return _connect_unix(where.path, timeout_seconds)
    if not address.is_loopback(where.host):
        why = "this connection is not encrypted, so only localhost and loopback addresses are allowed"
        raise RpcError(Code.INVALID_ARGUMENT, f"{target!r} is another machine: {why}")
    return _connect_tcp(where, timeout_seconds)


def explain(where: address.Address, timeout_seconds: float, error: OSError) -> str:
    """Say in plain words why nobody could be reached, and what to do about it."""
    if where.path:
        return _explain_unix(where.path, timeout_seconds, error)
    return _explain_tcp(str(where), timeout_seconds, error)


def _connect_unix(path: str, timeout_seconds: float) -> socket.socket:
    try:
        return _connect(socket.AF_UNIX, path, timeout_seconds)
    except OSError as error:
        raise RpcError(Code.UNAVAILABLE, _explain_unix(path, timeout_seconds, error)) from None


def _connect_tcp(where: address.Address, timeout_seconds: float) -> socket.socket:
    hosts = address.LOCALHOST_ADDRESSES if where.host == "localhost" else (where.host,)
    failure: OSError | None = None
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            connected = _connect(family, (host, where.port), timeout_seconds)
        except OSError as error:
            failure = failure or error
            continue
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected
    raise RpcError(Code.UNAVAILABLE, _explain_tcp(str(where), timeout_seconds, failure))


def _connect(family: socket.AddressFamily, peer: str | tuple[str, int], timeout_seconds: float) -> socket.socket:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(timeout_seconds)
        connecting.connect(peer)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _explain_unix(path: str, timeout_seconds: float, error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return f"there is no socket {path}: is the node running? Start it, or give the address of one that runs"
        case PermissionError():
            return f"this user may not open the socket {path}: run as its owner, or as root"
        case ConnectionRefusedError() if not _is_socket(path):
            return f"{path} is not a socket: give the path of the one that the node listens on"
        case ConnectionRefusedError():
            return f"nobody listens on the socket {path}: the node that made it is gone; start it again"
        case BlockingIOError():
            return f"too many connections wait for the node behind {path}: it is busy or stuck"
        case TimeoutError():
            return f"the node behind {path} did not answer within {timeout_seconds:g} s: it is busy or stuck"
        case _:
            return f"cannot connect to the socket {path}: {error.strerror or error}"


def _explain_tcp(target: str, timeout_seconds: float, error: OSError | None) -> str:
    match error:
        case ConnectionRefusedError():
            return f"nobody listens on {target}: is the node running? Start it, or give the address of one that runs"
        case TimeoutError():
            return f"{target} did not answer within {timeout_seconds:g} s: it is busy or stuck"
        case _:
            return f"cannot connect to {target}: {(error and error.strerror) or error}"


def _is_socket(path: str) -> bool:
    try:
        return S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
