"""The words in which readings are handed on. A format is a module here, a line in FORMATS, and a test."""

from __future__ import annotations

from collections.abc import Callable

from gateway.north.config import NorthConfig
from gateway.north.formats.format import Format
from gateway.north.formats.senml import SenmlFormat
from gateway.north.formats.sparkplug import SparkplugFormat

MakeFormat = Callable[[NorthConfig, str, int], Format]
"""Takes the [[north]] table, the gateway's id, and the number of the connection, from 0."""

FORMATS: dict[str, MakeFormat] = {
    "senml-json": SenmlFormat,
    "senml-cbor": SenmlFormat,
    "sparkplug": SparkplugFormat,
}
