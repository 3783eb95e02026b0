"""The option that says whose signatures images need, wherever images are taken."""

from __future__ import annotations

from pathlib import Path

import click

TRUST = click.option(
    "--trust-policy", "trust", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Take images only with the signatures that this policy asks for.",
)  # fmt: skip
