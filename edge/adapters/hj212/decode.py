"""A packet as `cityneuron decode hj212` prints it."""

from __future__ import annotations

from typing import Any

from edge.adapters.adapter import Case
from edge.adapters.hj212.packet import read


def decoded(case: Case) -> dict[str, Any]:
    """Return what a frame says. Raises FrameError."""
    packet = read(case.raw, case.profile)
    return {
        "qn": packet.qn,
        "st": packet.st,
        "cn": packet.cn,
        "pw": packet.pw,
        "mn": packet.mn,
        "flag": packet.flag,
        "version": packet.version,
        "numbered": packet.numbered,
        "ack_required": packet.ack_required,
        "pnum": packet.pnum,
        "pno": packet.pno,
        "fields": packet.fields,
        "factors": packet.factors,
        "crc": packet.crc,
    }
