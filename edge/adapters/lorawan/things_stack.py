"""The Things Stack v3 (The Things Network): messages of its MQTT server and its webhooks, in JSON.

Fields that are empty, 0 or false are left out. Version 2 wrote other fields; it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.adapters.frame import FrameError
from edge.adapters.lorawan.uplink import Event, Uplink, data, dev_addr, dev_eui
from edge.adapters.message import flag, integer, number, part, parts, text, time_ms

SERVER = "ttn-v3"
_EVENTS: Mapping[str, str] = {
    "join_accept": "join",
    "downlink_queued": "down/queued",
    "downlink_sent": "down/sent",
    "downlink_ack": "down/ack",
    "downlink_nack": "down/nack",
    "downlink_failed": "down/failed",
    "downlink_queue_invalidated": "down/invalidated",
    "service_data": "service/data",
    "location_solved": "location/solved",
    "uplink_normalized": "up/normalized",
}
"""What a message holds -> the end of its topic. A normalized uplink repeats one that came as it was."""


def read(topic: str, body: Mapping[str, Any]) -> Uplink | Event:
    """Return what a message says. Raises FrameError."""
    if "uplink_message" in body:
        return _uplink(body)
    for mark, event in _EVENTS.items():
        if mark in body:
            return Event(name=event)
    _, _, event = topic.partition("/devices/")
    if event.partition("/")[2] in _EVENTS.values():
        return Event(name=event.partition("/")[2])
    raise FrameError("format", "none of The Things Stack's messages")


def _uplink(body: Mapping[str, Any]) -> Uplink:
    ids = part(body, "end_device_ids")
    message = part(body, "uplink_message")
    identity = dev_eui(ids, "dev_eui")
    address = dev_addr(ids, "dev_addr")
    stamp = text(message, "received_at") or text(body, "received_at")
    receivers = parts(message, "rx_metadata")
    payload = data(message, "frm_payload")
    counter, port = integer(message, "f_cnt") or 0, integer(message, "f_port") or 0
    settings = part(message, "settings")
    lora = part(part(settings, "data_rate"), "lora")
    strengths = [number(receiver, "rssi") for receiver in receivers]
    return Uplink(
        said={
            "server": SERVER,
            "dev_eui": identity,
            "device_id": text(ids, "device_id"),
            "application_id": text(part(ids, "application_ids"), "application_id"),
            "dev_addr": address,
            "time": stamp,
            "f_port": port,
            "f_cnt": counter,
            "data_hex": payload.hex().upper(),
            "object": message.get("decoded_payload"),
            "gateways": len(receivers),
            "best_rssi": max((strength or 0 for strength in strengths), default=0),
            "frequency_hz": integer(settings, "frequency"),
            "spreading_factor": integer(lora, "spreading_factor"),
        },
        dev_eui=identity,
        session=text(message, "session_key_id") or (address or "").lower(),
        counter=counter,
        port=port,
        time_ms=None if stamp is None else time_ms(stamp),
        data=payload,
        decoded=message.get("decoded_payload"),
        rssi_dbm=max((strength for strength in strengths if strength is not None), default=None),
        snr_db=max((found for one in receivers if (found := number(one, "snr")) is not None), default=None),
        simulated=flag(body, "simulated") or flag(message, "simulated"),
    )
