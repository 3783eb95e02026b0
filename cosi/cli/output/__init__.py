"""Resources on a terminal, as talosctl prints them: a table, YAML, JSON, or what a JSONPath finds.

    writer = writer_for("table", sys.stdout)
    writer.header(definition, with_events=False)
    for record in records:
        writer.resource("172.20.0.2", record, "created")
    writer.flush()

Everything here takes and gives plain values, so that the command starts fast: nothing imports pydantic, protobuf, grpc,
anyio or structlog, and PyYAML only where text is parsed.
"""

from cosi.cli.output.formats import FORMATS, writer_for
from cosi.cli.output.record import Definition, Event, OutputError, Record, Writer

__all__ = ["FORMATS", "Definition", "Event", "OutputError", "Record", "Writer", "writer_for"]
