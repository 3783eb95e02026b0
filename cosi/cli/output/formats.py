"""Which writer answers to which `--output`."""

from typing import TextIO

from cosi.cli.output.documents import Documents
from cosi.cli.output.indented_json import IndentedJSON
from cosi.cli.output.jsonpath import Template
from cosi.cli.output.matches import Matches
from cosi.cli.output.record import OutputError, Writer
from cosi.cli.output.table import Table

__all__ = ["FORMATS", "JSONPATH_PREFIX", "writer_for"]

FORMATS = ("json", "table", "yaml", "jsonpath")  # in the order in which talosctl completes them
JSONPATH_PREFIX = "jsonpath="


def writer_for(format: str, stream: TextIO) -> Writer:
    """Return the writer for `table`, `yaml`, `json` or `jsonpath=<template>`; OutputError for anything else."""
    if format.startswith(JSONPATH_PREFIX):
        try:
            return Matches(stream, Template(format.removeprefix(JSONPATH_PREFIX)))
        except OutputError as exc:
            raise OutputError(f"error parsing jsonpath: {exc}") from exc
    if format == "table":
        return Table(stream)
    if format == "yaml":
        return Documents(stream)
    if format == "json":
        return IndentedJSON(stream)
    escaped = format.replace("\\", "\\\\").replace('"', '\\"')
    raise OutputError(f'output format "{escaped}" is not supported')
