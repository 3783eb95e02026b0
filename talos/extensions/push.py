"""Pushing copies an image from a layout to a registry: blobs first, manifests next, and last of all the tag.

So whoever asks for the tag gets all of the image. What the registry has already is not sent again. Source: OCI
distribution specification v1.1, with monolithic uploads.
"""

from http import HTTPStatus
from pathlib import Path

import httpx2

from talos.extensions import oci
from talos.extensions.blobs import digest_of
from talos.extensions.challenge import may_follow
from talos.extensions.credentials import Credentials
from talos.extensions.endpoints import origin_of
from talos.extensions.layout import LayoutSource
from talos.extensions.oci import Descriptor, Index
from talos.extensions.pull_errors import MalformedImage
from talos.extensions.reference import LayoutLocation, Reference, RegistryLocation
from talos.extensions.registries import Registries
from talos.extensions.registry import RegistrySource

_DEFAULT_TYPES = {
    True: "application/vnd.oci.image.index.v1+json",
    False: "application/vnd.oci.image.manifest.v1+json",
}


async def push(source: Reference, target: Reference, *, base_directory: Path, credentials: Credentials) -> str:
    """Copy the image `source`, in a layout, to `target`, on a registry, for all its platforms; return its digest.

    A relative layout path starts at `base_directory`. Raises PullError; the tag is then where it was.
    """
    assert isinstance(source.location, LayoutLocation)
    assert isinstance(target.location, RegistryLocation)
    layout = LayoutSource(base_directory / source.location.path, reference=source.text)
    connecting = RegistryTarget.connect(
        origin_of(target.location, Registries(), credentials),
        target.location.repository,
        registries=Registries(),
        reference=target.text,
        actions="pull,push",
    )
    async with connecting as registry:
        return await _push(layout, registry, source, source.selector, target.selector)


class RegistryTarget(RegistrySource):
    """A repository that is written to as well."""

    async def put_blob(self, descriptor: Descriptor, layout: LayoutSource) -> None:
        """Send a blob, unless the registry has it."""
        known = await self._session.ask(f"blobs/{descriptor.digest}", {}, method="HEAD")
        await known.aclose()
        if known.status_code == HTTPStatus.OK:
            return
        started = await self._session.ask("blobs/uploads/", {"Content-Length": "0"}, method="POST")
        await started.aclose()
        if started.status_code != HTTPStatus.ACCEPTED:
            self._refuse(started)
        url = self._upload_url(started.headers.get("Location", "")).copy_merge_params({"digest": descriptor.digest})
        headers = {"Content-Length": str(descriptor.size), "Content-Type": "application/octet-stream"}
        async with layout.blob(descriptor, offset=0) as stream:
            done = await self._session.send(url, headers, method="PUT", content=stream.chunks)
        await done.aclose()
        if done.status_code != HTTPStatus.CREATED:
            self._refuse(done)

    async def put_document(self, raw: bytes, media_type: str, selector: str) -> None:
        """Send an index or manifest under a tag or its digest."""
        url = self._session.url(f"manifests/{selector}")
        done = await self._session.send(url, {"Content-Type": media_type}, method="PUT", content=raw)
        await done.aclose()
        if done.status_code != HTTPStatus.CREATED:
            self._refuse(done)

    def _upload_url(self, location: str) -> httpx2.URL:
        try:
            url = self._session.base.join(location)
        except httpx2.InvalidURL as error:
            raise self._session.refused("wants the upload at something that is no address") from error
        if not may_follow(self._session.base, url):
            raise self._session.refused(
                f"wants the upload at {url.scheme}://{url.host}, where it may not send this machine"
            )
        return url

    def _refuse(self, response: httpx2.Response) -> None:
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._session.not_authorized()
        raise self._session.failed(response)


async def _push(
    layout: LayoutSource,
    registry: RegistryTarget,
    source: Reference,
    selector: str,
    place: str,
    *,
    inside: bool = False,
) -> str:
    """Copy one document and all it names, and put it at `place`."""
    raw = await layout.document(selector)
    try:
        document = oci.parse_document(raw)
    except oci.MalformedDocument as error:
        raise MalformedImage(source.text, str(error)) from error
    if isinstance(document, Index):
        if inside:
            raise MalformedImage(source.text, "an index points at another index")
        for manifest in document.manifests:
            await _push(layout, registry, source, manifest.digest, manifest.digest, inside=True)
    else:
        for blob in (document.config, *document.layers):
            await registry.put_blob(blob, layout)
    media_type = document.media_type or _DEFAULT_TYPES[isinstance(document, Index)]
    await registry.put_document(raw, media_type, place)
    return digest_of(raw)
