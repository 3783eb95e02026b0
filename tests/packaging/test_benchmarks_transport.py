"""The benchmark of the transports measures calls that went well, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.transport import requests, server
from benchmarks.transport.heads import Heads
from benchmarks.transport.server import Column, Server
from benchmarks.transport.wire import Failed
from cosi.rpc.http2.hpack import HeaderDecoder


@pytest.fixture(params=Column)
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    server.make_certificate(tmp_path)
    with server.started(request.param, tmp_path, unix=True, deadlines=True) as started:
        yield started


def test_a_call_that_fails_fails_the_benchmark(running: Server) -> None:
    with running.connect() as wire, pytest.raises(Failed, match="status 5: "):
        wire.call(requests.GET, requests.get("nobody"))


def test_blocks_with_deadlines_mean_what_they_should_however_often_the_table_turns_over() -> None:
    heads, decoder = Heads(deadlines=True), HeaderDecoder()
    paths = ("/a.A/One", "/a.A/Other")

    decoded = [dict(decoder.decode(heads.block(paths[call % 2]))) for call in range(300)]

    assert [headers[b":path"].decode() for headers in decoded] == [paths[call % 2] for call in range(300)]
    assert [headers[b"grpc-timeout"] for headers in decoded] == [b"%du" % (29_999_999 - call) for call in range(300)]


def test_a_run_reports_each_transport_and_their_ratio() -> None:
    command = [sys.executable, "-m", "benchmarks.transport", "--only", "get_1$", "--rounds", "1", "--seconds", "0.01"]

    report = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    assert set(report["get_1"]["server CPU µs"]) == {"native", "native/grpcio", "grpcio"}
