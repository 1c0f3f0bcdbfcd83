"""LoRaWAN devices by way of their network server: ChirpStack v4 and The Things Stack v3, over MQTT or HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge.adapters import cayenne
from edge.adapters.adapter import Adapter, Case, Clock, Decode, Hear, Ids
from edge.adapters.frame import FrameError
from edge.adapters.lorawan import chirpstack, things_stack
from edge.adapters.lorawan.session import Sessions
from edge.adapters.lorawan.uplink import Event, Uplink
from edge.adapters.message import flat, read_object
from edge.adapters.report import Report, Value, Word


@dataclass(frozen=True, kw_only=True, slots=True)
class LorawanOptions:
    """What must be known of a device.

    `payload` tells where its values are: in the `object` that the server's codec made (`decoded_payload`), in
    its bytes as `cayenne-lpp`, or `none`. `f_port` is the only port whose payloads are values; 0 for any.
    `counter` false: its counter restarts without a join and the server lets it; readings are numbered by time.
    """

    payload: Literal["object", "cayenne-lpp", "none"] = "object"
    f_port: int = 0
    counter: bool = True


def read(topic: str, payload: bytes) -> Uplink | Event:
    """Return what a server's message says. Raises FrameError: json, format, base64."""
    body = read_object(payload)
    if "deviceInfo" in body:
        return chirpstack.read(topic, body)
    if "end_device_ids" in body:
        return things_stack.read(topic, body)
    if "hardware_serial" in body or "payload_raw" in body:
        raise FrameError("format", "The Things Network v2, which is gone")
    if "devEUI" in body or "applicationID" in body:
        raise FrameError("format", "ChirpStack v3: it has no deviceInfo")
    raise FrameError("format", "neither deviceInfo (ChirpStack v4) nor end_device_ids (The Things Stack v3)")


def values(uplink: Uplink, options: LorawanOptions) -> list[Value]:
    """Return the values of an uplink: the device's own, then how well it was heard. Raises FrameError."""
    found: list[Value] = []
    if not uplink.sealed and uplink.port != 0 and options.f_port in (0, uplink.port):
        if options.payload == "cayenne-lpp":
            found = cayenne.values(cayenne.parse(uplink.data))
        elif options.payload == "object" and uplink.decoded is not None:
            found = list(flat(uplink.decoded))
    if uplink.rssi_dbm is not None:
        found.append(Value("rssi_dbm", uplink.rssi_dbm))
    if uplink.snr_db is not None:
        found.append(Value("snr_db", uplink.snr_db))
    return found


def hear(options: Mapping[str, Any], clock: Clock) -> Hear:
    """Return the reader of a server's messages. Every uplink is a reading, also without values: it counts."""
    sessions = Sessions()
    default = LorawanOptions()
    names = {name.lower(): name for name in options}

    def heard(topic: str, payload: bytes) -> Sequence[Report]:
        message = read(topic, payload)
        if isinstance(message, Event) or message.simulated:
            return ()
        device = names.get(message.dev_eui, message.dev_eui)
        chosen = options.get(device, default)
        found = tuple(values(message, chosen))
        if not chosen.counter:
            return (Report(device=device, values=found, time_ms=message.time_ms),)
        at_ms = clock() if message.time_ms is None else message.time_ms
        session = sessions.of(message.dev_eui, message.session, message.counter, at_ms)
        return (
            Report(
                device=device,
                values=found,
                time_ms=message.time_ms,
                number=message.counter,
                session=session,
            ),
        )

    return heard


def _decode(case: Case) -> dict[str, Any]:
    message = read(case.topic, case.raw)
    if isinstance(message, Event):
        return {"event": message.name, "telemetry": False}
    return {"event": "up", "telemetry": False} if message.simulated else dict(message.said)


def decoder() -> Decode:
    """Return the decoder of `cityneuron decode lorawan-uplinks`."""
    return _decode


ADAPTER = Adapter(
    decoder=decoder,
    words={**cayenne.WORDS, "rssi_dbm": Word("rssi_dbm"), "snr_db": Word("snr_db")},
    options=LorawanOptions,
    hear=hear,
    ids=Ids(r"[0-9A-Fa-f]{16}", "its DevEUI, sixteen hex digits: 70b3d57ed0000007"),
    series=frozenset(),
)
