"""A registry on loopback that does what a test tells it: real connections, and whatever answer is wanted."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import msgspec
from anyio.streams.tls import TLSListener


class Asked(msgspec.Struct, frozen=True):
    """A request as it came."""

    path: str  # with its query
    headers: dict[str, str]  # names in lower case
    method: str = "GET"
    body: str = ""

    @property
    def name(self) -> str:
        """Return what is wanted: a tag, or a digest."""
        return self.path.partition("?")[0].rpartition("/")[2]


class _Secured(TLSListener):
    """A client that does not like the certificate is no concern of the server's."""

    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: anyio.abc.AnyByteStream) -> None:
        await anyio.aclose_forcefully(stream)


class Answer(msgspec.Struct, frozen=True):
    """What to send; with `cut_after` the connection ends after that many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    cut_after: int | None = None


class ScriptedRegistry:
    """Answers each request by a function, and remembers all of them."""

    def __init__(self, host: str, answer: Callable[[Asked], Answer]) -> None:
        self.host = host
        self.asked: list[Asked] = []
        self._answer = answer

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        async with stream:
            received = b""
            while True:
                while b"\r\n\r\n" not in received:
                    try:
                        received += await stream.receive()
                    except (anyio.EndOfStream, anyio.BrokenResourceError):
                        return
                head, _, received = received.partition(b"\r\n\r\n")
                request, *lines = head.decode().split("\r\n")
                headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
                length = int(headers.get("content-length", 0))
                while len(received) < length:
                    received += await stream.receive()
                body, received = received[:length].decode(), received[length:]
                method, path, _ = request.split(" ")
                asked = Asked(path, headers, method, body)
                self.asked.append(asked)
                answer = self._answer(asked)
                fields = {"Content-Length": str(len(answer.body)), **answer.headers}
                text = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
                await stream.send(f"HTTP/1.1 {answer.status} Scripted\r\n{text}\r\n".encode())
                await stream.send(answer.body[: answer.cut_after])
                if answer.cut_after is not None:
                    return


@asynccontextmanager
async def scripted_registry(
    answer: Callable[[Asked], Answer], *, context: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedRegistry]:
    """Serve on a free port until the scope ends, over TLS where a context is given."""
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = plain.extra(anyio.abc.SocketAttribute.local_port)
    server = ScriptedRegistry(f"127.0.0.1:{port}", answer)
    listener = plain if context is None else _Secured(plain, context, standard_compatible=False)
    async with plain, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()
