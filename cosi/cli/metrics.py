"""`cosi metrics`: what a server counts of its controllers."""

from __future__ import annotations

import click

from cosi._pb.v1alpha1 import runtime_pb2
from cosi.cli.asking import asking
from cosi.cli.remote import CALL_SECONDS, RUNTIME_SERVICE


def run(*, server: str | None) -> None:
    """Print the numbers. Raises click.ClickException."""
    with asking(server) as there:
        data = there.channel.unary(f"{RUNTIME_SERVICE}/Metrics", b"", timeout_seconds=CALL_SECONDS)
        click.echo(runtime_pb2.MetricsResponse.FromString(data).text, nl=False)
