"""A registry is asked for documents and blobs over its /v2/ API. Source: OCI distribution specification v1.1."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Self

import httpx2

from talos.extensions import oci
from talos.extensions.endpoints import Endpoint
from talos.extensions.oci import Descriptor
from talos.extensions.pull_errors import ImageNotFound, MalformedImage
from talos.extensions.registries import Registries
from talos.extensions.session import Session, is_passing
from talos.extensions.source import BlobStream

_ACCEPT = ", ".join(sorted(oci.INDEX_TYPES | oci.MANIFEST_TYPES))
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-")


class RegistrySource:
    """The images of one repository at one endpoint; `reference` is what messages call the image wanted."""

    places = 1

    def __init__(self, session: Session, *, reference: str) -> None:
        self._session = session
        self._reference = reference

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        endpoint: Endpoint,
        repository: str,
        *,
        registries: Registries,
        reference: str,
        actions: str = "pull",
    ) -> AsyncIterator[Self]:
        """Open a source for the length of the scope; `actions` are what is asked leave for."""
        async with Session.open(endpoint, repository, registries, reference=reference, actions=actions) as session:
            yield cls(session, reference=reference)

    async def document(self, selector: str) -> bytes:
        """Return the index or manifest that a tag or digest names."""
        response = await self._session.ask(f"manifests/{selector}", {"Accept": _ACCEPT})
        try:
            self._check_status(response, selector)
            return await self._session.bounded(response, oci.MAX_MANIFEST_BYTES, f"the manifest {selector}")
        finally:
            await response.aclose()

    async def referrers(self, digest: str) -> bytes | None:
        """Return the first page of what refers to a digest; None where the registry keeps no such list."""
        response = await self._session.ask(f"referrers/{digest}", {"Accept": _ACCEPT})
        try:
            if is_passing(response):
                raise self._session.failed(response)
            if response.status_code != HTTPStatus.OK:
                return None
            return await self._session.bounded(response, oci.MAX_MANIFEST_BYTES, f"the list of referrers of {digest}")
        finally:
            await response.aclose()

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, *, offset: int) -> AsyncIterator[BlobStream]:
        """Open a blob, from `offset` on where the registry answers ranges."""
        path = f"blobs/{descriptor.digest}"
        response = await self._session.ask(path, {"Range": f"bytes={offset}-"} if offset else {})
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # What came before cannot be a part of this blob.
            await response.aclose()
            response = await self._session.ask(path, {})
        try:
            self._check_status(response, descriptor.digest)
            begins = _range_start(response) if response.status_code == HTTPStatus.PARTIAL_CONTENT else 0
            if begins not in (0, offset):
                problem = f"{self._session.place} answered another range than asked"
                raise MalformedImage(self._reference, problem)
            yield BlobStream(begins, self._session.chunks(response))
        finally:
            await response.aclose()

    def _check_status(self, response: httpx2.Response, wanted: str) -> None:
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._session.not_authorized()
        if status == HTTPStatus.NOT_FOUND:
            raise ImageNotFound(self._reference, self._session.place, wanted)
        raise self._session.failed(response)


def _range_start(response: httpx2.Response) -> int | None:
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
