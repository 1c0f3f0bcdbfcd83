"""What a LoRaWAN server says of one uplink, whichever server it is."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.adapters.frame import FrameError
from edge.adapters.message import text

_EUI = re.compile(r"[0-9a-fA-F]{16}")
_ADDRESS = re.compile(r"[0-9a-fA-F]{8}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Uplink:
    """One frame of a device, as its server heard it with one or more receivers.

    `said` is what the server says for people, in the keys of `cityneuron decode`. `session` names what the
    counter belongs to: it changes when the device joins anew. `time_ms` is the moment of reception. `rssi_dbm`
    and `snr_db` are of the best receiver, None where none tells. A `simulated` uplink nobody sent; `sealed`
    payloads are encrypted with a key that the server does not have.
    """

    said: Mapping[str, Any]
    dev_eui: str
    session: str
    counter: int
    port: int
    time_ms: int | None
    data: bytes
    decoded: Any = None
    rssi_dbm: float | None = None
    snr_db: float | None = None
    simulated: bool = False
    sealed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A message that is no uplink: join, status, ack, downlink..."""

    name: str


def dev_eui(body: Mapping[str, Any], key: str) -> str:
    """Return the identity of a device, in lower case. Raises FrameError `format`."""
    found = text(body, key)
    if found is None or not _EUI.fullmatch(found):
        raise FrameError("format", f"{key} is {str(found)[:40]!r}, not 16 digits of hex")
    return found.lower()


def dev_addr(body: Mapping[str, Any], key: str) -> str | None:
    """Return the address of a device in its session, as the server writes it. Raises FrameError `format`."""
    found = text(body, key) or None
    if found is not None and not _ADDRESS.fullmatch(found):
        raise FrameError("format", f"{key} is {found[:40]!r}, not 8 digits of hex")
    return found


def data(body: Mapping[str, Any], key: str) -> bytes:
    """Return the payload, empty where it is left out. Raises FrameError `base64` and `format`."""
    found = text(body, key) or ""
    try:
        return base64.b64decode(found, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FrameError("base64", f"{key}: {error}") from None
