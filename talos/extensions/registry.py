"""A registry is asked over its /v2/ API, politely and with suspicion.

Plain http is spoken to loopback hosts only, and those are reached past any proxy. Redirects are followed by hand:
the Authorization header stays with the registry, and `may_follow` has the last word on where we are sent. Bodies are
read raw, since a decoded Content-Encoding would change the digest. Source: OCI distribution specification v1.1.
"""

import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Self

import httpx2

from talos.extensions import oci
from talos.extensions.challenge import MAX_TOKEN_BYTES, Challenge, base_url, is_loopback, may_follow, token_of
from talos.extensions.credentials import Credentials
from talos.extensions.oci import Descriptor
from talos.extensions.pull_errors import ImageNotFound, MalformedImage, NotAuthorized, RegistryUnreachable, TooLarge
from talos.extensions.reference import RegistryLocation
from talos.extensions.source import CHUNK_BYTES, BlobStream

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 30  # between two pieces of a body; a registry fetching from its own storage takes some seconds
MAX_REDIRECTS = 5

_ACCEPT = ", ".join(sorted(oci.INDEX_TYPES | oci.MANIFEST_TYPES))
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-")


class RegistrySource:
    """The images of one repository; `reference` is what messages call the image wanted."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        location: RegistryLocation,
        *,
        reference: str,
        credentials: Credentials,
        actions: str = "pull",
    ) -> None:
        self._client = client
        self._location = location
        self._reference = reference
        self._login = credentials.for_host(location.host)
        self._base = base_url(location.host)
        self._actions = actions
        self._authorization: str | None = None

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, location: RegistryLocation, *, reference: str, credentials: Credentials, actions: str = "pull"
    ) -> AsyncIterator[Self]:
        """Open the connections of one pull, and close them with the scope; `actions` are what is asked leave for."""
        timeout = httpx2.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
        trust_environment = not is_loopback(base_url(location.host).host)
        async with httpx2.AsyncClient(timeout=timeout, trust_env=trust_environment) as client:
            yield cls(client, location, reference=reference, credentials=credentials, actions=actions)

    async def document(self, selector: str) -> bytes:
        """Return the index or manifest that a tag or digest names."""
        async with aclosing(await self._get(f"manifests/{selector}", {"Accept": _ACCEPT})) as response:
            self._check_status(response, selector)
            return await self._bounded(response, oci.MAX_MANIFEST_BYTES, f"the manifest {selector}")

    async def referrers(self, digest: str) -> bytes | None:
        """Return the first page of what refers to a digest; None where the registry keeps no such list."""
        async with aclosing(await self._get(f"referrers/{digest}", {"Accept": _ACCEPT})) as response:
            if response.status_code in _PASSING:
                raise self._failed(response, "answered")
            if response.status_code != HTTPStatus.OK:
                return None
            return await self._bounded(response, oci.MAX_MANIFEST_BYTES, f"the list of referrers of {digest}")

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, *, offset: int) -> AsyncIterator[BlobStream]:
        """Open a blob, from `offset` on where the registry answers ranges."""
        path = f"blobs/{descriptor.digest}"
        response = await self._get(path, {"Range": f"bytes={offset}-"} if offset else {})
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # What came before cannot be a part of this blob.
            await response.aclose()
            response = await self._get(path, {})
        try:
            self._check_status(response, descriptor.digest)
            begins = _range_start(response) if response.status_code == HTTPStatus.PARTIAL_CONTENT else 0
            if begins not in (0, offset):
                problem = f"registry {self._location.host} answered another range than asked"
                raise MalformedImage(self._reference, problem)
            yield BlobStream(begins, self._chunks(response))
        finally:
            await response.aclose()

    async def _chunks(self, response: httpx2.Response) -> AsyncIterator[bytes]:
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

    async def _get(self, path: str, headers: dict[str, str], *, method: str = "GET") -> httpx2.Response:
        """Send a request and answer one challenge; whoever takes the response closes it."""
        url = self._base.copy_with(path=f"/v2/{self._location.repository}/{path}")
        response = await self._send(url, headers, method=method)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        await response.aclose()
        self._authorization = await self._answer(response)
        return await self._send(url, headers, method=method)

    async def _send(
        self,
        url: httpx2.URL,
        headers: dict[str, str],
        *,
        method: str = "GET",
        content: bytes | AsyncIterator[bytes] | None = None,
    ) -> httpx2.Response:
        """Send a request; follow redirects unless it has content. Only the registry sees the Authorization header."""
        for _ in range(MAX_REDIRECTS + 1):
            own = (url.scheme, url.host, url.port) == (self._base.scheme, self._base.host, self._base.port)
            extra = {"Authorization": self._authorization} if own and self._authorization else {}
            with self._translating():
                request = self._client.build_request(
                    method, url, headers={"Accept-Encoding": "identity", **headers, **extra}, content=content
                )
                response = await self._client.send(request, stream=True, auth=None, follow_redirects=False)
            if response.status_code == HTTPStatus.UNAUTHORIZED and not own:
                await response.aclose()
                raise self._refused(f"redirected to {url.host}, which wants credentials of its own")
            if response.status_code not in _REDIRECTS or content is not None:
                return response
            await response.aclose()
            try:
                target = url.join(response.headers.get("Location", ""))
            except httpx2.InvalidURL as error:
                raise self._refused("redirected to something that is no address") from error
            if not may_follow(self._base, target):
                raise self._refused(f"redirected to {target.scheme}://{target.host}, where it may not send this node")
            url = target
        raise self._refused(f"redirected more than {MAX_REDIRECTS} times")

    async def _answer(self, response: httpx2.Response) -> str:
        """Return the Authorization header that a 401 asks for."""
        challenge = Challenge.parse(response.headers.get("WWW-Authenticate", ""))
        if challenge is not None and challenge.scheme == "basic" and self._login is not None:
            return self._login.basic
        if challenge is None or challenge.scheme != "bearer":
            raise self._not_authorized()
        url = challenge.token_url(registry=self._base, scope=f"repository:{self._location.repository}:{self._actions}")
        if url is None:
            raise self._refused("named a token server that is neither https nor on this machine with it")
        headers = {"Authorization": self._login.basic} if self._login is not None else {}
        with self._translating():
            request = self._client.build_request("GET", url, headers={"Accept-Encoding": "identity", **headers})
            answer = await self._client.send(request, stream=True, auth=None, follow_redirects=False)
        try:
            if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise self._not_authorized()
            if answer.status_code != HTTPStatus.OK:
                raise self._failed(answer, f"its token server {url.host} answered")
            token = token_of(await self._bounded(answer, MAX_TOKEN_BYTES, "the answer of the token server"))
        finally:
            await answer.aclose()
        if token is None:
            raise self._refused(f"its token server {url.host} answered without a token")
        return f"Bearer {token}"

    async def _bounded(self, response: httpx2.Response, max_bytes: int, what: str) -> bytes:
        content = bytearray()
        async for chunk in self._chunks(response):
            content += chunk
            if len(content) > max_bytes:
                raise TooLarge(self._reference, f"the size of {what}", len(content), max_bytes)
        return bytes(content)

    def _check_status(self, response: httpx2.Response, wanted: str) -> None:
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._not_authorized()
        if status == HTTPStatus.NOT_FOUND:
            raise ImageNotFound(self._reference, f"{self._location.host}/{self._location.repository}", wanted)
        raise self._failed(response, "answered")

    def _not_authorized(self) -> NotAuthorized:
        return NotAuthorized(self._reference, self._location.host, with_credentials=self._login is not None)

    def _failed(self, response: httpx2.Response, who: str) -> RegistryUnreachable:
        problem = f"{who} {response.status_code} {response.reason_phrase[:60]}".rstrip()
        passing = response.status_code in _PASSING
        remedy = "" if passing else "ask the registry's operator"
        return RegistryUnreachable(self._reference, self._location.host, problem, remedy=remedy, transient=passing)

    def _refused(self, problem: str) -> RegistryUnreachable:
        remedy = "ask the registry's operator"
        return RegistryUnreachable(self._reference, self._location.host, problem, remedy=remedy, transient=False)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Turn the client's errors into ours. Their texts may hold signed addresses, so only their kinds are told."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise RegistryUnreachable(self._reference, self._location.host, "did not answer in time") from error
        except httpx2.ConnectError as error:
            certificate = _certificate_error(error)
            if certificate is not None:
                problem = f"its certificate is not trusted ({certificate})"
                remedy = "install the authority that signed it"
                host = self._location.host
                raise RegistryUnreachable(self._reference, host, problem, remedy=remedy, transient=False) from error
            raise RegistryUnreachable(self._reference, self._location.host, "no connection") from error
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise RegistryUnreachable(self._reference, self._location.host, "the connection broke") from error


def _range_start(response: httpx2.Response) -> int | None:
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _certificate_error(error: BaseException) -> str | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None
