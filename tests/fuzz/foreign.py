"""Foreign protocols under fire: frames bent and sealed anew, to reach what lies behind a checksum.

Half of the inputs get their length and checksum put right by functions of our own, written from the protocols'
pages and not from the adapters. Each input is decoded as a person would have it, and goes to the gateway's side
of the protocol in pieces, cut anywhere.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from edge.adapters import PROTOCOLS, adapter
from edge.adapters.adapter import Adapter, Case, Exchange, Poller, Remembering
from edge.adapters.frame import FrameError
from edge.adapters.sparkplug.messages import EdgeNode
from edge.adapters.sparkplug.payload import DataType, Metric

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "protocols"
NOW_MS = 1_790_000_000_000
MOST_HEARD = 4_096
Seal = Callable[[bytes], bytes]


class Broken(Exception):
    """A promise that did not hold."""


def cases(protocol: str) -> list[dict[str, Any]]:
    """Return the shared vectors of a protocol."""
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{protocol}.json").read_text("utf-8"))
    return found


def seeds(protocol: str) -> tuple[bytes, ...]:
    """Return the frames of the vectors, good and bad; messages of our own where there are no vectors."""
    if protocol in MESSAGES:
        return MESSAGES[protocol]
    frames = tuple(
        bytes.fromhex(case["frame"]) if case["encoding"] == "hex" else case["frame"].encode()
        for case in cases(protocol)
    )
    return frames + FURTHER.get(protocol, ())


def judge_of(protocol: str, options: Mapping[str, Any]) -> Callable[[bytes], str]:
    """Return the judge of a protocol; `options` are of the devices that its talk knows."""
    found = adapter(protocol)
    seal = SEALS.get(protocol)

    def judge(payload: bytes) -> str:
        chance = random.Random(payload)
        frame = seal(payload) if seal is not None and chance.random() < 0.5 else payload
        outcome = _decoded(found, frame, chance)
        _heard(found, frame, options, chance)
        return outcome

    return judge


def _decoded(found: Adapter, frame: bytes, chance: random.Random) -> str:
    case = Case(raw=frame, device=chance.choice(("", "pzem-004t-v3", "eastron-sdm")))
    try:
        said = found.decoder()(case)
    except FrameError as error:
        return f"{error.reason}: {error.detail}"
    json.dumps(said, allow_nan=False)
    return "accepted"


def _heard(found: Adapter, frame: bytes, options: Mapping[str, Any], chance: random.Random) -> None:
    if found.talk is not None:
        talk = found.talk(options, lambda: NOW_MS)
        cuts = sorted(chance.randrange(len(frame) + 1) for _ in range(3))
        heard = [
            each for start, end in pairwise([0, *cuts, len(frame)]) for each in talk.feed(frame[start:end])
        ]
        if len(heard) > MOST_HEARD:
            raise Broken(f"{len(heard)} frames in {len(frame)} bytes")
        if any(each.fault and each.reports for each in heard):
            raise Broken("a frame with a fault reports something")
    if found.hear is not None:
        with contextlib.suppress(FrameError):
            ear = found.hear(options, lambda: NOW_MS)
            ear(chance.choice(TOPICS), frame)
            ear(chance.choice(TOPICS), frame)
    if found.poller is not None:
        for device, own in options.items():
            poller = found.poller(device, own)
            for exchange in (*poller.exchanges(), *_recalls(poller)):
                with contextlib.suppress(FrameError):
                    exchange.read(frame)


def _recalls(poller: Poller) -> Sequence[Exchange]:
    """Return the first questions for what a device remembers of the day before now."""
    memory = poller.memory if isinstance(poller, Remembering) else None
    if memory is None or not memory.want(NOW_MS - 86_400_000, NOW_MS, 3_600_000, NOW_MS):
        return ()
    first = memory.recall(NOW_MS, 1e9)
    for exchange in memory.recall(NOW_MS, 1e9):
        exchange.read(FURTHER["dlt645"][0])  # what was frozen last: the clock is right
    return (*first, *memory.recall(NOW_MS, 1e9))


def _crc16(data: bytes, *, hj212: bool = False) -> int:
    """CRC-16 with polynomial A001h, starting at FFFFh; HJ 212 shifts the register before each byte."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8 if hj212 else register) ^ byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register


def _seal_hj212(frame: bytes) -> bytes:
    body = frame[6:-6] if len(frame) > 12 else frame
    return b"##%04d%s%04X\r\n" % (len(body) % 10_000, body, _crc16(body, hj212=True))


def _seal_sl651(frame: bytes) -> bytes:
    if len(frame) < 17:
        return frame
    length = (len(frame) - 17) & 0x0FFF | (frame[11] & 0xF0) << 8
    whole = b"\x7e\x7e" + frame[2:11] + length.to_bytes(2, "big") + frame[13:-2]
    return whole + _crc16(whole).to_bytes(2, "big")


def _seal_dlt645(frame: bytes) -> bytes:
    bare = frame.lstrip(b"\xfe")
    if len(bare) < 12:
        return frame
    data = bare[10:-2][:255]
    whole = b"\x68" + bare[1:7] + b"\x68" + bare[8:9] + bytes((len(data),)) + data
    return whole + bytes((sum(whole) & 0xFF, 0x16))


def _seal_cjt188(frame: bytes) -> bytes:
    bare = frame.lstrip(b"\xfe")
    if len(bare) < 13:
        return frame
    data = bare[11:-2][:255]
    whole = b"\x68" + bare[1:10] + bytes((len(data),)) + data
    return whole + bytes((sum(whole) & 0xFF, 0x16))


def _seal_modbus(frame: bytes) -> bytes:
    return frame[:-2] + _crc16(frame[:-2]).to_bytes(2, "little")


SEALS: dict[str, Seal] = {
    "hj212": _seal_hj212,
    "sl651": _seal_sl651,
    "dlt645": _seal_dlt645,
    "cjt188": _seal_cjt188,
    "modbus-devices": _seal_modbus,
}


def _sparkplug() -> tuple[bytes, ...]:
    """Return what an edge node says from its birth to its will."""
    node = EdgeNode("street", "edge", 3)
    metrics = [
        Metric(name="level_m", datatype=DataType.DOUBLE, value=3.12),
        Metric(name="door", datatype=DataType.BOOLEAN, value=True),
        Metric(name="count", datatype=DataType.UINT64, value=2**40),
        Metric(name="what", datatype=DataType.STRING, value="bridge"),
    ]
    said = [
        node.birth(NOW_MS),
        node.device_birth("ys-07", NOW_MS, metrics),
        node.data("ys-07", NOW_MS, metrics),
    ]
    return tuple(payload for _, payload in (*said, node.device_death("ys-07", NOW_MS), node.will(NOW_MS)))


TOPICS = (
    "ys-07", "street/ys-07", "tele/ys-07/SENSOR", "zigbee2mqtt/ys-07", "spBv1.0/street/NBIRTH/edge",
    "spBv1.0/street/DBIRTH/edge/ys-07", "spBv1.0/street/DDATA/edge/ys-07", "spBv1.0/street/NDEATH/edge",
    "application/a/device/0101010101010101/event/up", "v3/app1/devices/dev1/up", "", "//", "\0",
)  # fmt: skip
MESSAGES: dict[str, tuple[bytes, ...]] = {
    "senml": (
        b'[{"bn":"ys-07:","bt":1.79e9,"bu":"m","n":"level_m","v":3.12},{"n":"battery","u":"V","v":12.1,"t":-60}]',
        b'[{"bn":"ys-07/","bver":10,"n":"on","vb":true},{"n":"text","vs":"x"},{"n":"sum","s":5,"ut":10}]',
        bytes.fromhex("81a3216679732d30373a00676c6576656c5f6d02f94200"),
    ),
    "sparkplug": _sparkplug(),
    "json": (
        b'{"Time":"2026-09-21T12:00:00","ENERGY":{"Total":3.2,"Power":45,"Voltage":231},"SI7021":{"Temperature":21.5}}',
        b'{"battery":97,"contact":false,"linkquality":120,"temperature":20.1,"last_seen":"2026-09-21T12:00:00Z"}',
        b"3.12", b'{"a":[1,2,{"b":null}],"POWER":"ON"}',
    ),
}  # fmt: skip
"""Of protocols without shared vectors."""
FURTHER: dict[str, tuple[bytes, ...]] = {
    "dlt645": tuple(
        _seal_dlt645(bytes.fromhex("686101000000006891 00" + hour + "0000"))
        for hour in (
            "34323738 33 55 54 3C 59 DD 89 67 45 33 DD 33 34 33 33 DD",  # an hour's block, 33h added
            "34323738 33 55 54 44 59 89 67 45 33 33 34 33 33",
            "34333738 33 55 54 44 59",
            "34333339 D3D3 67 33 3C 55 44 59 38 56 33 33 33 33 CC 7C B3 33 33 33 33 33 33 83 36 DD DD 34 38"
            "33 33 33 33 33 33 DD 89 67 45 33 33 33 34 33 33 33 33 33 33 33 33 33 DD DD DD 85 18",
        )
    ),
}
"""Frames beside the vectors."""
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "hj212": {"010000A8900016F000169DC0": {"password": "100000"}, "DXCBZ000000005": {"password": "123456"}},
    "dlt645": {"000000000161": {}},
    "cjt188": {"78330011223344": {}},
    "modbus-devices": {"1": {"profile": "pzem-004t-v3"}, "80": {"profile": "dfrobot-sen0492"}},
    "senml": {"ys-07": {}},
    "json": {"ys-07": {}},
    "sparkplug": {"street/edge/ys-07": {}, "ys-07": {}},
    "lorawan-uplinks": {"0101010101010101": {}},
    "sl651": {"0012345678": {"password": "1234"}, "0011223344": {"password": "03E8"}},
}
"""Devices that the vectors speak of: id -> its own keys."""


def known(protocol: str) -> dict[str, Any]:
    """Return the options of the devices that a protocol's vectors speak of."""
    options = adapter(protocol).options
    return {device: options(**keys) for device, keys in OPTIONS.get(protocol, {}).items()}


def protocols() -> list[str]:
    """Return the protocols."""
    return sorted(PROTOCOLS)
