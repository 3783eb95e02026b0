"""The connections of one conversation with a registry: each host is met with its own TLS settings, and no other's.

A registry sends us elsewhere for tokens and blobs. There its client certificate is not shown, and that its certificate
need not be verified says nothing of theirs; only the authorities it is trusted by are trusted there as well, as a
site's registry and its token server have the same. Hosts on this machine are reached past any proxy.
"""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Self

import httpx2
from anyio import to_thread

from talos.extensions.challenge import is_loopback, same_place
from talos.extensions.endpoints import Endpoint, tls_of
from talos.extensions.pull_errors import RegistryUnreachable, TooLarge
from talos.extensions.registries import Registries, Tls
from talos.extensions.source import CHUNK_BYTES
from talos.extensions.tls import context_for

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 30  # between two pieces of a body; a registry fetching from its own storage takes some seconds

_TIMEOUT = httpx2.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)


class Connections:
    """Sends requests on behalf of `endpoint`; `reference` is what messages call the image wanted."""

    def __init__(self, stack: AsyncExitStack, endpoint: Endpoint, registries: Registries, *, reference: str) -> None:
        self._stack = stack
        self._endpoint = endpoint
        self._registries = registries
        self._reference = reference
        self._clients: dict[tuple[str, str, int | None], httpx2.AsyncClient] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, endpoint: Endpoint, registries: Registries, *, reference: str) -> AsyncIterator[Self]:
        """Connect where requests go, and close all connections with the scope."""
        async with AsyncExitStack() as stack:
            yield cls(stack, endpoint, registries, reference=reference)

    async def send(
        self,
        method: str,
        url: httpx2.URL,
        headers: dict[str, str],
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        form: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """Send one request and follow nothing; whoever takes the response closes it.

        Bodies come raw, since a decoded Content-Encoding would change the digest.
        """
        client = await self._client(url)
        headers = {"Accept-Encoding": "identity", **headers}
        with self._translating():
            request = client.build_request(method, url, headers=headers, content=content, data=form)
            return await client.send(request, stream=True, auth=None, follow_redirects=False)

    async def chunks(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        """Yield the body in large pieces; where the connection breaks, first what came before it did."""
        pending = bytearray()
        broken: RegistryUnreachable | None = None
        try:
            with self._translating():
                async for piece in response.aiter_raw():
                    pending += piece
                    if len(pending) >= CHUNK_BYTES:
                        yield bytes(pending)
                        pending.clear()
        except RegistryUnreachable as error:
            broken = error
        if pending:
            yield bytes(pending)
        if broken is not None:
            raise broken

    async def bounded(self, response: httpx2.Response, max_bytes: int, what: str) -> bytes:
        """Return the whole body. Raises TooLarge naming `what` it is."""
        content = bytearray()
        async for chunk in self.chunks(response):
            content += chunk
            if len(content) > max_bytes:
                raise TooLarge(self._reference, f"the size of {what}", len(content), max_bytes)
        return bytes(content)

    async def _client(self, url: httpx2.URL) -> httpx2.AsyncClient:
        place = (url.scheme, url.host, url.port)
        if place not in self._clients:
            trust_environment = not is_loopback(url.host)
            context = await self._context(url, trust_environment)
            self._clients[place] = await self._stack.enter_async_context(
                httpx2.AsyncClient(timeout=_TIMEOUT, trust_env=trust_environment, verify=context)
            )
        return self._clients[place]

    async def _context(self, url: httpx2.URL, trust_environment: bool) -> ssl.SSLContext:
        if url.scheme == "http":
            # Reading the system's authorities takes longer than many an answer; this context trusts none.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls = self._tls(url) or Tls()
        return await to_thread.run_sync(lambda: context_for(tls, trust_environment=trust_environment))

    def _tls(self, url: httpx2.URL) -> Tls | None:
        if same_place(url, httpx2.URL(self._endpoint.url)):
            return self._endpoint.tls
        own = tls_of(url, self._registries)
        return own or (Tls(ca=self._endpoint.tls.ca) if self._endpoint.tls else None)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Turn the client's errors into ours. Their texts may hold signed addresses, so only their kinds are told."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise self._unreachable("did not answer in time") from error
        except httpx2.ConnectError as error:
            certificate = _certificate_error(error)
            if certificate is None:
                raise self._unreachable("no connection") from error
            name = self._endpoint.name
            problem = f"its certificate is not trusted ({certificate})"
            remedy = "install the authority that signed it"
            raise RegistryUnreachable(self._reference, name, problem, remedy=remedy, transient=False) from error
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise self._unreachable("the connection broke") from error

    def _unreachable(self, problem: str) -> RegistryUnreachable:
        return RegistryUnreachable(self._reference, self._endpoint.name, problem)


def _certificate_error(error: BaseException) -> str | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None
