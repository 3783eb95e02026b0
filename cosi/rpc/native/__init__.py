"""Services on a transport of our own: HTTP/2 from `cosi.rpc.http2` on asyncio's sockets, with Python's TLS."""
