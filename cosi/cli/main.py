"""The `cosi` command: look at the resources of any COSI server, or be one.

Every command imports what it needs when it runs: starting up is most of what a short command does.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

EXIT_FAILURE = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cosi-runtime", prog_name="cosi")
def cli() -> None:
    """Look at the resources of a COSI server, or run one."""


@cli.command()
@click.argument("type", metavar="TYPE")
@click.argument("id", metavar="[ID]", required=False)
@click.option("--namespace", default="", help="Look in this namespace instead of the type's default one.")
@click.option("-o", "--output", default="table", help="table (default), yaml, json or jsonpath=TEMPLATE.")
@click.option("-w", "--watch", is_flag=True, help="Show changes as they happen, until Ctrl-C.")
@click.option("-s", "--server", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told.")
def get(type: str, id: str | None, namespace: str, output: str, watch: bool, server: str | None) -> None:
    """Show the resources of a type, or one of them.

    TYPE is a resource type or any of its aliases; `cosi get rd` lists them all.
    """
    from cosi.cli import get as command

    command.run(type, id, namespace=namespace, output=output, watch=watch, server=server)


@cli.command()
@click.option("--socket", metavar="PATH", help="Listen on this unix socket; $COSI_SOCKET or a default one unless told.")
@click.option("--listen", metavar="HOST:PORT", help="Listen on this loopback address as well, in plain text.")
@click.option(
    "--transport", type=click.Choice(["native", "grpcio"]), default="native", show_default=True,
    help="What carries the calls: this project's own HTTP/2, or grpcio's.",
)  # fmt: skip
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
def serve(socket: str | None, listen: str | None, transport: str, log_format: str) -> None:
    """Host a plain runtime: an empty state in memory that anybody on this machine may fill."""
    from cosi.cli import serve as command

    command.run(socket, listen, transport=transport, log_format=log_format)


def main() -> None:
    """Run the command line."""
    run(cli, "cosi")


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command line and exit: errors in one line on standard error, Ctrl-C and a closed pipe without a sound."""
    try:
        command.main(prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as exit:
        sys.exit(exit.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        print(f"{name}: {error.format_message()}", file=sys.stderr)  # noqa: T201 - a command line's errors
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(0)
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.errno and error.filename else error
        print(f"{name}: {reason}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_FAILURE)
    sys.exit(0)
