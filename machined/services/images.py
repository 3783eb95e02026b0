"""machine.ImageService, as far as it concerns extensions: pull what the machine config asks for, and list it.

`talosctl upgrade` pulls an installer's image first. This node has no use for one, so Pull brings the images of the
extensions instead, one bar for each, and answers with the name it was asked for. Where tags point by then is asked
once more by the upgrade that follows.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.state.core import WatchKindOptions
from cosi.state.event import EventType
from cosi.state.state import State
from machined import upgrading
from resources import pull_request
from resources.extension_image import ExtensionImage, FetchState
from resources.extension_spec import ExtensionSpec
from resources.pull_request import PullRequest, PullRequestSpec
from talos._pb.machine import image_pb2
from talos._pb.machine.image_pb2 import ImageServicePullLayerProgress as LayerProgress

NAME: Final = image_pb2.DESCRIPTOR.services_by_name["ImageService"].full_name

_NANOSECONDS: Final = 1_000_000_000


class ImagesService:
    """The methods on bytes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.service = Service(NAME, server_streaming={"List": self._list, "Pull": self._pull})

    async def _list(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Answer with ImageServiceListResponses: the images that are here, whichever namespace is asked for."""
        parse(image_pb2.ImageServiceListRequest, request)
        for image in await self._state.list(ExtensionImage):
            if image.spec.state is FetchState.READY:
                seconds, nanos = divmod(image.metadata.created, _NANOSECONDS)
                answer = image_pb2.ImageServiceListResponse(
                    name=image.spec.image,
                    digest=image.spec.digest,
                    size=image.spec.size,
                    created_at=Timestamp(seconds=seconds, nanos=nanos),
                )
                yield frame(answer.SerializeToString())

    async def _pull(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Answer with ImageServicePullResponses: progress, and in the end the name that was asked for."""
        wanted = parse(image_pb2.ImageServicePullRequest, request).image_ref
        if not wanted:
            raise Refusal(Code.INVALID_ARGUMENT, "the name of an image is required")
        await upgrading.check_config(self._state)
        begun = time.monotonic()
        said: dict[str, LayerProgress] = {}
        all_known = False
        failures = {image.id: image.spec.attempts for image in await self._state.list(ExtensionImage)}
        asked = PullRequestSpec(request=secrets.token_hex(8))
        await self._state.modify(PullRequest.new(pull_request.ID, asked))
        options = WatchKindOptions(bootstrap_contents=True)
        async with self._state.watch_kind(ExtensionImage.kind(), options) as watch:
            async for event in watch:
                if event.error is not None:
                    raise event.error
                image = event.resource
                if isinstance(image, ExtensionImage):
                    progress = progress_of(image, begun=image.id in said)
                    if progress is not None and progress != said.get(image.id):
                        said[image.id] = progress
                        yield _progress(image.id, progress, time.monotonic() - begun)
                all_known = all_known or event.type is EventType.BOOTSTRAPPED
                if all_known and await self._done(failures):
                    break
        yield frame(image_pb2.ImageServicePullResponse(name=wanted).SerializeToString())

    async def _done(self, failures: Mapping[str, int]) -> bool:
        """Tell whether all that is wanted is here; how often each had failed before does not count. Raises Refusal."""
        known = {image.id: image.spec for image in await self._state.list(ExtensionImage)}
        wanted = [item.id for item in await self._state.list(ExtensionSpec) if not item.metadata.tearing_down]
        for id in wanted:
            image = known.get(id)
            if image is not None and image.failed and image.attempts > failures.get(id, 0):
                raise Refusal(Code.FAILED_PRECONDITION, f"error pulling image: {image.image}: {image.why}")
        return all(id in known and known[id].state is FetchState.READY for id in wanted)


def progress_of(image: ExtensionImage, *, begun: bool) -> LayerProgress | None:
    """Return how far an image is; None while there is nothing to say. `begun` if it was not here from the start."""
    spec = image.spec
    match spec.state:
        case FetchState.FETCHING if spec.size:
            return LayerProgress(status=LayerProgress.DOWNLOADING, offset=spec.fetched, total=spec.size)
        case FetchState.READY:
            status = LayerProgress.EXTRACT_COMPLETE if begun else LayerProgress.ALREADY_EXISTS
            return LayerProgress(status=status, offset=spec.size, total=spec.size)
        case _:
            return None


def _progress(id: str, progress: LayerProgress, elapsed: float) -> Frames:
    timed = LayerProgress()
    timed.CopyFrom(progress)
    seconds = int(elapsed)
    timed.elapsed.CopyFrom(Duration(seconds=seconds, nanos=int((elapsed - seconds) * _NANOSECONDS)))
    pulled = image_pb2.ImageServicePullProgress(layer_id=id, progress=timed)
    return frame(image_pb2.ImageServicePullResponse(pull_progress=pulled).SerializeToString())
