"""Programs that know HTTP/2 but nothing of us are served: curl, nghttp, h2load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource.metadata import Pointer
from cosi.rpc import service
from cosi.rpc.address import Address
from cosi.rpc.seam import frame, messages
from cosi.rpc.tls import Identity, ServerTls
from cosi.testing.resources import PathResource
from tests.cosi.rpc.certificates import ED25519, Authority
from tests.cosi.rpc.peers.server import HELD, Peers, run, serving_peers

GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")
GET = f"{service.NAME}/Get"
CLIENTS, STREAMS, REQUESTS = 4, 50, 2000


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving_peers(Peers(), Address(host="127.0.0.1")) as where:
        yield f"http://{where}"


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A framed GetRequest in a file."""
    file: Path = tmp_path_factory.mktemp("body") / "request"
    file.write_bytes(get_request(HELD.pointer))
    return file


def get_request(pointer: Pointer) -> bytes:
    request = state_pb2.GetRequest(namespace=pointer.namespace, type=pointer.type, id=pointer.id)
    return frame(request.SerializeToString())


def curl(*arguments: str, version: str = "--http2-prior-knowledge") -> str:
    return run("curl", "--silent", "--show-error", "--include", "--max-time", "10", version, *arguments)


# --- curl ---


def test_curl_makes_a_call(url: str, body: Path, tmp_path: Path) -> None:
    answered = tmp_path / "answer"
    said = curl(
        *GRPC, "--data-binary", f"@{body}", "--output", str(answered), "--no-include", "-D", "-", f"{url}/{GET}"
    )

    (answer,) = messages(answered.read_bytes())
    assert state_pb2.GetResponse.FromString(answer).resource.metadata.id == "held"
    assert said.startswith("HTTP/2 200")
    assert "grpc-status: 0" in said


def test_curl_makes_a_call_on_a_unix_socket(body: Path, tmp_path: Path) -> None:
    with serving_peers(Peers(), Address(path=str(tmp_path / "socket"))) as where:
        said = curl(*GRPC, "--data-binary", f"@{body}", "--unix-socket", where.path, f"http://localhost/{GET}")

    assert "grpc-status: 0" in said


@pytest.mark.parametrize("version", ["--tlsv1.3", "--tlsv1.2"])
def test_curl_makes_a_call_over_tls_with_ed25519(body: Path, tmp_path: Path, version: str) -> None:
    authority = Authority(tmp_path, kind=ED25519)
    tls = ServerTls(Identity(*authority.issue("server", ED25519)), authority.certificate)
    authority.issue("client", ED25519)
    files = {"--cacert": "authority.pem", "--cert": "client.pem", "--key": "client.key"}
    options = [part for option, name in files.items() for part in (option, str(tmp_path / name))]
    with serving_peers(Peers(), Address(host="127.0.0.1"), tls) as where:
        said = curl(*GRPC, *options, version, "--data-binary", f"@{body}", f"https://{where}/{GET}", version="--http2")

    assert said.startswith("HTTP/2 200")
    assert "grpc-status: 0" in said


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), "405", "gRPC calls are POST requests"),
        (("--head",), "405", ""),
        (("--json", "{}"), "415", "the content-type must be application/grpc"),
        (("--data-binary", "x" * 50_000), "415", "the content-type must be application/grpc"),
    ],
    ids=["GET", "HEAD", "JSON", "a form"],
)
def test_curl_is_told_what_this_server_speaks(url: str, arguments: tuple[str, ...], status: str, words: str) -> None:
    said = curl(*arguments, url)

    assert said.startswith(f"HTTP/2 {status}")
    assert words in said


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0", "--http2"])
def test_curl_without_http2_is_told_so(url: str, version: str) -> None:
    said = curl(url, version=version)

    assert said.startswith("HTTP/1.1 505")
    assert "needs HTTP/2" in said


def test_a_call_that_fails_says_so_in_its_headers(url: str, tmp_path: Path) -> None:
    missing = PathResource.pointer_to("missing")
    (tmp_path / "request").write_bytes(get_request(missing))

    said = curl(*GRPC, "--data-binary", f"@{tmp_path / 'request'}", f"{url}/{GET}")

    assert "grpc-status: 5" in said
    assert f"grpc-message: resource {missing} doesn't exist" in said


# --- nghttp ---


def test_nghttp_makes_a_call(url: str, body: Path) -> None:
    said = run("nghttp", "--verbose", "--data", str(body), *GRPC, f"{url}/{GET}")

    assert ":status: 200" in said
    assert "grpc-status: 0" in said
    assert "held" in said


def test_nghttp_makes_calls_at_the_same_time_within_small_windows(url: str, body: Path) -> None:
    small = ("--window-bits", "10", "--connection-window-bits", "12")
    said = run("nghttp", "--verbose", *small, "--multiply", "20", "--data", str(body), *GRPC, f"{url}/{GET}")

    assert said.count("grpc-status: 0") == 20


# --- h2load ---


@pytest.mark.parametrize("windows", [(), ("-w", "12", "-W", "16")], ids=["large windows", "small windows"])
def test_h2load_gets_an_answer_to_every_call(url: str, body: Path, windows: tuple[str, ...]) -> None:
    load = ("-n", str(REQUESTS), "-c", str(CLIENTS), "-m", str(STREAMS), "-d", str(body))
    said = run("h2load", *load, *windows, *GRPC, f"{url}/{GET}")

    (requests,) = re.findall("^requests: .*", said, re.MULTILINE)
    assert requests == (
        f"requests: {REQUESTS} total, {REQUESTS} started, {REQUESTS} done, "
        f"{REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout"
    )
    assert f"status codes: {REQUESTS} 2xx" in said
