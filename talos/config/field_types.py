"""The kinds of values that fields of a config have, as Go reads them into its types."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator

from talos.config.schema import misfit
from talos.yaml_node import Node

_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION: Final = re.compile(rf"[-+]?(?:0|(?:{_SPAN.pattern})+)")
_HOST_AND_PORT: Final = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:]*):([0-9]{1,5})")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_PORT: Final = 65535


def _text(value: object) -> object:
    if not isinstance(value, Node):
        if isinstance(value, str):
            return value  # the key of a mapping
        raise misfit(f"this is {'a mapping' if isinstance(value, dict) else 'a list'}, not a text", "write a text here")
    return "" if value.value is None else value.text


def _flag(value: object) -> object:
    found = value.boolean if isinstance(value, Node) else None
    if found is None:
        raise misfit("this is neither true nor false", "write true or false")
    return found


def _duration(text: str) -> float:
    """Return the seconds of a duration as Go writes it."""
    if not _DURATION.fullmatch(text):
        raise misfit("this is no duration", "write one such as 2m or 1m30s")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))
    return -seconds if text.startswith("-") else seconds


def _url(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise misfit("this is no address", "write SCHEME://HOST") from None
    if not url.scheme or not url.hostname:
        raise misfit("the address lacks its scheme or its host", "write SCHEME://HOST")
    return url


def _host_and_port(text: str) -> str:
    found = _HOST_AND_PORT.fullmatch(text)
    if not found or not 0 < int(found[1]) <= _MAX_PORT:
        raise misfit("this is no host and port", "write HOST:PORT, an IPv6 address in brackets")
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise misfit("this is no name of an environment variable", "use letters, digits and _, no digit first")
    return text


def _present(text: str) -> str:
    if not text:
        raise misfit("empty", "write something here")
    return text


Text = Annotated[str, BeforeValidator(_text)]
"""A text as it was written: numbers and booleans are texts as well, where Go expects one."""
Texts = dict[Text, Text]
Name = Annotated[Text, AfterValidator(_present)]
"""A text that is not empty."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Duration = Annotated[float, BeforeValidator(lambda value: _duration(str(_text(value))))]
"""Seconds."""
Url = Annotated[SplitResult, BeforeValidator(lambda value: _url(str(_text(value))))]
HostAndPort = Annotated[Text, AfterValidator(_host_and_port)]
Variable = Annotated[Text, AfterValidator(_variable)]
"""The name of an environment variable."""


def choice(*words: str, or_nothing: bool = False) -> AfterValidator:
    """Return what refuses every text but these; `or_nothing` lets an empty one pass."""

    def chosen(text: str) -> str:
        if text not in words and not (or_nothing and not text):
            raise misfit("this is no value that the field knows", f"write one of {', '.join(words)}")
        return text

    return AfterValidator(chosen)
