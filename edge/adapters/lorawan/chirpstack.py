"""ChirpStack v4: the events of its MQTT and HTTP integrations, in JSON.

The JSON is that of Protobuf: fields with the default value are left out, bytes are base64, what is unknown is
ignored. Version 3 wrote the same topics with other fields; it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.adapters.frame import FrameError
from edge.adapters.lorawan.uplink import Event, Uplink, data, dev_addr, dev_eui
from edge.adapters.message import flag, integer, number, part, parts, text, time_ms

SERVER = "chirpstack-v4"
EVENTS = ("up", "status", "join", "ack", "txack", "log", "location", "integration")
_MARKS = (
    ("up", ("fCnt", "fPort", "dr", "data", "rxInfo", "txInfo", "object")),
    ("ack", ("acknowledged", "queueItemId", "fCntDown")),
    ("txack", ("downlinkId", "gatewayId")),
    ("status", ("margin", "batteryLevel", "batteryLevelUnavailable", "externalPowerSource")),
    ("log", ("level", "code", "description")),
    ("location", ("location",)),
    ("integration", ("integrationName", "eventType")),
    ("join", ("devAddr",)),
)
"""Event -> fields of which it has at least one; asked where the topic does not tell."""


def read(topic: str, body: Mapping[str, Any]) -> Uplink | Event:
    """Return what a message says. Raises FrameError."""
    event = _event(topic, body)
    return _uplink(body) if event == "up" else Event(name=event)


def _event(topic: str, body: Mapping[str, Any]) -> str:
    levels = topic.split("/")
    if len(levels) > 1 and levels[-2] == "event" and levels[-1] in EVENTS:
        return levels[-1]
    for event, marks in _MARKS:
        if any(mark in body for mark in marks):
            return event
    raise FrameError("format", "none of ChirpStack's events")


def _uplink(body: Mapping[str, Any]) -> Uplink:
    device = part(body, "deviceInfo")
    identity = dev_eui(device, "devEui")
    address = dev_addr(body, "devAddr")
    stamp = text(body, "time")
    receivers = parts(body, "rxInfo")
    payload = data(body, "data")
    counter, port = integer(body, "fCnt") or 0, integer(body, "fPort") or 0
    sent = part(body, "txInfo")
    lora = part(part(sent, "modulation"), "lora")
    strengths = [number(receiver, "rssi") for receiver in receivers]
    return Uplink(
        said={
            "server": SERVER,
            "dev_eui": identity,
            "device_name": text(device, "deviceName"),
            "application_id": text(device, "applicationId"),
            "dev_addr": address,
            "time": stamp,
            "f_port": port,
            "f_cnt": counter,
            "confirmed": flag(body, "confirmed"),
            "data_hex": payload.hex().upper(),
            "object": body.get("object"),
            "gateways": len(receivers),
            "best_rssi": max((strength or 0 for strength in strengths), default=0),
            "frequency_hz": integer(sent, "frequency"),
            "spreading_factor": integer(lora, "spreadingFactor"),
            "dedup_key": text(body, "deduplicationId"),
        },
        dev_eui=identity,
        session=(address or "").lower(),
        counter=counter,
        port=port,
        time_ms=None if stamp is None else time_ms(stamp),
        data=payload,
        decoded=body.get("object"),
        rssi_dbm=max((strength for strength in strengths if strength is not None), default=None),
        snr_db=max((found for one in receivers if (found := number(one, "snr")) is not None), default=None),
        sealed=bool(part(body, "joinServerContext")),
    )
