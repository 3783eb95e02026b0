"""A node in maintenance mode has no logins yet: it is asked itself, over TLS, and at best known by its fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cosi.cli.nodes import TALOS, Site, get, nobody, problems, serving


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path, in_maintenance=True) as site:
        yield site


def test_the_node_is_the_endpoint_and_is_not_told_its_name(site: Site) -> None:
    result = get("paths", "one", "--insecure", "--nodes", site.endpoint)

    assert result.stdout.splitlines()[1].split() == [site.endpoint, "default", "Path", "one", "1", "one"]
    assert site.node.asked == [(method, [TALOS]) for method in ("Version", "List", "Get")]


def test_every_node_is_asked_itself(site: Site) -> None:
    also = site.endpoint.replace("127.0.0.1", "localhost")

    result = get("paths", "one", "-i", "-n", f"{site.endpoint},{also}")

    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [site.endpoint, also]


def test_a_node_that_cannot_be_reached_is_named(site: Site) -> None:
    with nobody() as silent:
        result = get("paths", "-i", "-n", silent, "-n", site.endpoint)

    (problem,) = problems(result)
    assert problem.startswith(f"{silent}: error getting server version: nobody listens on {silent}")


def test_a_fingerprint_that_is_another_s_is_refused(site: Site) -> None:
    result = get("paths", "-i", "-n", site.endpoint, "--cert-fingerprint", "A" * 43 + "=")

    (problem,) = problems(result)
    assert "is not accepted: its fingerprint is" in problem
