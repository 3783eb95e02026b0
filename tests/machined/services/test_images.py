"""A pull shows how far each extension's image is, in talosctl's terms."""

import pytest

from machined.services.images import progress_of
from resources.extension_image import ExtensionImage, ExtensionImageSpec, FetchState
from talos._pb.machine.image_pb2 import ImageServicePullLayerProgress as LayerProgress


def image(state: FetchState, *, fetched: int = 0, size: int = 0) -> ExtensionImage:
    return ExtensionImage.new("000.x", ExtensionImageSpec(image="x", state=state, fetched=fetched, size=size))


@pytest.mark.parametrize(
    ("state", "begun", "status"),
    [
        (FetchState.FETCHING, False, LayerProgress.DOWNLOADING),
        (FetchState.FETCHING, True, LayerProgress.DOWNLOADING),
        (FetchState.READY, True, LayerProgress.EXTRACT_COMPLETE),
        (FetchState.READY, False, LayerProgress.ALREADY_EXISTS),
    ],
)
def test_bytes_are_shown_of_how_many(state: FetchState, begun: bool, status: LayerProgress.Status) -> None:
    fetched = 4 if state is FetchState.FETCHING else 10

    progress = progress_of(image(state, fetched=4, size=10), begun=begun)

    assert progress == LayerProgress(status=status, offset=fetched, total=10)


@pytest.mark.parametrize("state", [FetchState.FETCHING, FetchState.FAILED])
def test_as_long_as_no_size_is_known_nothing_is_shown(state: FetchState) -> None:
    assert progress_of(image(state), begun=False) is None
