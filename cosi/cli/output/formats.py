"""Which writer answers to which `--output`. Each is imported when it is asked for, because a command writes in one."""

from typing import TextIO

from cosi.cli.output.record import OutputError, Writer

__all__ = ["FORMATS", "JSONPATH_PREFIX", "writer_for"]

FORMATS = ("json", "table", "yaml", "jsonpath")  # in the order in which talosctl completes them
JSONPATH_PREFIX = "jsonpath="


def writer_for(format: str, stream: TextIO) -> Writer:
    """Return the writer for `table`, `yaml`, `json` or `jsonpath=<template>`; OutputError for anything else."""
    if format.startswith(JSONPATH_PREFIX):
        from cosi.cli.output.jsonpath import Template
        from cosi.cli.output.matches import Matches

        try:
            return Matches(stream, Template(format.removeprefix(JSONPATH_PREFIX)))
        except OutputError as exc:
            raise OutputError(f"error parsing jsonpath: {exc}") from exc
    if format == "table":
        from cosi.cli.output.table import Table

        return Table(stream)
    if format == "yaml":
        from cosi.cli.output.documents import Documents

        return Documents(stream)
    if format == "json":
        from cosi.cli.output.indented_json import IndentedJSON

        return IndentedJSON(stream)
    escaped = format.replace("\\", "\\\\").replace('"', '\\"')
    raise OutputError(f'output format "{escaped}" is not supported')
