"""Foreign devices' protocols: bytes in, readings and answers out, without a socket, a port or a clock.

A protocol is a module or package here with an ADAPTER, a line in PROTOCOLS, and vectors in tests/edge/adapters.
"""

from __future__ import annotations

import importlib

from edge.adapters.adapter import Adapter
from edge.model.errors import ConfigError

PROTOCOLS: dict[str, str] = {
    "cayenne-lpp": "edge.adapters.cayenne",
    "cjt188": "edge.adapters.cjt188",
    "dlt645": "edge.adapters.dlt645",
    "hj212": "edge.adapters.hj212",
    "json": "edge.adapters.plain",
    "lorawan-uplinks": "edge.adapters.lorawan",
    "modbus-devices": "edge.adapters.modbus",
    "senml": "edge.adapters.senml",
    "sl651": "edge.adapters.sl651",
    "sparkplug": "edge.adapters.sparkplug",
}
"""Name of a protocol -> module with its ADAPTER; imported when somebody asks for it."""


def adapter(name: str) -> Adapter:
    """Return the adapter of a protocol; ConfigError where there is none."""
    if name not in PROTOCOLS:
        raise ConfigError(f"no protocol {name!r}", remedy=f"one of {', '.join(sorted(PROTOCOLS))}")
    found = importlib.import_module(PROTOCOLS[name]).ADAPTER
    assert isinstance(found, Adapter)
    return found
