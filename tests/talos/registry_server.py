"""Debian's docker-registry as a process on a free port of this machine, and a small client that pushes to it."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.programs import needed

PROGRAM = "docker-registry"
USER, PASSWORD = "node", "correct horse"
# bcrypt of PASSWORD, as `htpasswd -nbB` prints it.
HTPASSWD = f"{USER}:$2y$05$4Um4sHfLBvM2dnyGa/h6XeVj4Ya0nSXoS5.0SgABwbwd9kgn7J4hG\n"
START_SECONDS = 20


class RegistryServer(msgspec.Struct, frozen=True):
    """A running registry; `storage` is where it keeps its blobs."""

    host: str
    storage: Path
    login: tuple[str, str] | None = None

    def blob(self, digest: str) -> Path:
        """Return where the registry keeps a blob's bytes."""
        algorithm, _, name = digest.partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / name[:2] / name / "data"

    def push(self, layout: Path, tag: str, repository: str, *, as_tag: str | None = None) -> str:
        """Push an image of a layout with all it names, as `skopeo copy --all` would; return its digest."""
        with httpx2.Client(base_url=f"http://{self.host}", auth=self.login, trust_env=False) as client:
            index = json.loads((layout / "index.json").read_bytes())
            named = next(
                each
                for each in index["manifests"]
                if each.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag
            )
            _push_manifest(client, layout, repository, named["digest"], named["mediaType"], as_tag or tag)
        return str(named["digest"])


@contextmanager
def running_registry(directory: Path, *, htpasswd: str | None = None) -> Iterator[RegistryServer]:
    """Run a registry; skip the test where there is none, but fail where CI promised one."""
    program = needed(PROGRAM)
    port = _free_port()
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(directory / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "a secret shared by no other registry"},
    }
    if htpasswd is not None:
        (directory / "htpasswd").write_text(htpasswd)
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(directory / "htpasswd")}}
    (directory / "config.yml").write_text(json.dumps(config))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", directory / "config.yml"], stdout=log, stderr=log)
    try:
        _wait_until_open(port, process, directory / "log")
        login = (USER, PASSWORD) if htpasswd is not None else None
        yield RegistryServer(f"127.0.0.1:{port}", directory / "storage", login)
    finally:
        process.terminate()
        process.wait()


def _push_manifest(
    client: httpx2.Client, layout: Path, repository: str, digest: str, media_type: str, name: str
) -> None:
    raw = _blob(layout, digest).read_bytes()
    document = json.loads(raw)
    for each in document.get("manifests", []):
        _push_manifest(client, layout, repository, each["digest"], each["mediaType"], each["digest"])
    for each in [document["config"], *document["layers"]] if "layers" in document else []:
        upload = client.post(f"/v2/{repository}/blobs/uploads/").raise_for_status()
        place = httpx2.URL(upload.headers["Location"]).copy_merge_params({"digest": each["digest"]})
        client.put(place, content=_blob(layout, each["digest"]).read_bytes()).raise_for_status()
    headers = {"Content-Type": media_type}
    client.put(f"/v2/{repository}/manifests/{name}", content=raw, headers=headers).raise_for_status()


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_until_open(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    client = httpx2.Client(trust_env=False, transport=httpx2.HTTPTransport(retries=START_SECONDS))
    with client:
        while process.poll() is None:
            try:
                client.get(f"http://127.0.0.1:{port}/")
            except httpx2.ConnectError:
                continue
            return
    pytest.fail(f"{PROGRAM} ended at once: {log.read_text()}")
