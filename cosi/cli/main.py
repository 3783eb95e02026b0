"""The `cosi` command: look at the resources of any COSI server, or be one.

Every command imports what it needs when it runs: starting up is most of what a short command does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
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
@click.option("--talosconfig", metavar="FILE", help="Log in to nodes on the network as this file says.")
@click.option("--context", metavar="NAME", help="Log in with this context of the file.")
@click.option("-e", "--endpoints", metavar="HOST[:PORT],...", multiple=True, help="Reach the nodes there instead.")
@click.option("-n", "--nodes", metavar="HOST,...", multiple=True, help="Ask these nodes instead of the context's.")
@click.option("-c", "--cluster", metavar="NAME", help="The cluster, where an endpoint is a proxy to several.")
@click.option("-i", "--insecure", is_flag=True, help="Ask nodes in maintenance mode, without a login.")
@click.option("--cert-fingerprint", "fingerprints", metavar="HASH,...", multiple=True,
              help="With --insecure, believe only servers with such a key (SHA-256 in base64).")  # fmt: skip
def get(
    type: str,
    id: str | None,
    namespace: str,
    output: str,
    watch: bool,
    server: str | None,
    talosconfig: str | None,
    context: str | None,
    endpoints: tuple[str, ...],
    nodes: tuple[str, ...],
    cluster: str | None,
    insecure: bool,
    fingerprints: tuple[str, ...],
) -> None:
    """Show the resources of a type, or one of them.

    TYPE is a resource type or any of its aliases; `cosi get rd` lists them all.

    The server is the one on this machine. talosctl's options, --talosconfig to --cert-fingerprint, lead to nodes on
    the network, and so does $TALOSCONFIG where there is no $COSI_SOCKET. Their login is in the file of --talosconfig,
    of $TALOSCONFIG, or ~/.talos/config.
    """
    from cosi.cli import get as command

    network = None
    if talosconfig or context or endpoints or nodes or cluster or insecure or fingerprints or _logged_in(server):
        from cosi.cli.network import Network

        if server:
            raise click.UsageError("--server is on this machine: leave it out, or the options for the network")
        network = Network(
            talosconfig or "", context or "", cluster or "", _split(endpoints), _split(nodes),
            insecure, _split(fingerprints),
        )  # fmt: skip
    command.run(type, id, namespace=namespace, output=output, watch=watch, server=server, network=network)


def _logged_in(server: str | None) -> bool:
    """Tell whether the environment leads to the network; a server that is named, by $COSI_SOCKET too, goes first."""
    return not server and not os.environ.get("COSI_SOCKET") and bool(os.environ.get("TALOSCONFIG"))


def _split(values: tuple[str, ...]) -> list[str]:
    return [each for value in values for each in value.split(",") if each]


@cli.command()
@click.option("--socket", metavar="PATH", help="Listen on this unix socket; $COSI_SOCKET or a default one unless told.")
@click.option("--listen", metavar="HOST:PORT", help="Listen on this loopback address as well, in plain text.")
@click.option(
    "--transport", type=click.Choice(["native", "grpcio"]), default="native", show_default=True,
    help="What carries the calls: this project's own HTTP/2, or grpcio's.",
)  # fmt: skip
@click.option(
    "--controller", "references", metavar="MODULE:CLASS", multiple=True, help="Run this controller; may be repeated."
)
@click.option(
    "--plugins", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Run the controllers in the .py files of this directory.",
)  # fmt: skip
@click.option("--no-entry-points", is_flag=True, help="Leave out controllers that installed packages bring.")
@click.option("--metrics", metavar="HOST:PORT", help="Tell Prometheus of the controllers, at http://HOST:PORT/metrics.")
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
def serve(
    socket: str | None,
    listen: str | None,
    references: tuple[str, ...],
    plugins: Path | None,
    no_entry_points: bool,
    metrics: str | None,
    transport: str,
    log_format: str,
) -> None:
    """Host a plain runtime: an empty state in memory that anybody on this machine may fill, and controllers on it."""
    from cosi.cli import serve as command
    from cosi.plugins.sources import Sources

    sources = Sources(references, plugins, entry_points=not no_entry_points)
    command.run(socket, listen, sources=sources, metrics=metrics, transport=transport, log_format=log_format)


@cli.command("run")
@click.argument("references", metavar="MODULE:CLASS...", nargs=-1, required=True)
@click.option(
    "-s", "--server", "--socket", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told."
)
@click.option("--no-cache", is_flag=True, help="Read inputs from the server each time.")
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
def run_controllers(references: tuple[str, ...], server: str | None, no_cache: bool, log_format: str) -> None:
    """Run controllers in a process of their own, on the state of a server."""
    from cosi.cli import run as command

    command.run(references, server, cached=not no_cache, log_format=log_format)


@cli.command()
@click.argument("type", metavar="TYPE")
@click.argument("id", metavar="ID")
@click.option("--namespace", default="", help="Look in this namespace instead of the type's default one.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-s", "--server", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told.")
def explain(type: str, id: str, namespace: str, output: str, server: str | None) -> None:
    """Tell why a resource is as it is: who wrote it, what had woken them, and so on back to the start."""
    from cosi.cli import explain as command

    command.run(type, id, namespace=namespace, output=output, server=server)


@cli.command()
@click.option("-o", "--output", type=click.Choice(["text", "dot", "svg", "json"]), default="text", show_default=True)
@click.option("-s", "--server", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told.")
def graph(output: str, server: str | None) -> None:
    """Show which controllers read and write what."""
    from cosi.cli import graph as command

    command.run(output=output, server=server)


@cli.command()
@click.option("-s", "--server", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told.")
def metrics(server: str | None) -> None:
    """Print what the server counts of its controllers, in the form that Prometheus reads."""
    from cosi.cli import metrics as command

    command.run(server=server)


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
