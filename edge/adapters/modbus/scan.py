"""Who is on the line: a harmless question to each unit id. Any answer at all, a refusal too, is somebody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from edge.adapters.adapter import Exchange
from edge.adapters.frame import FrameError
from edge.adapters.modbus.answer import answer
from edge.adapters.modbus.request import HOLDING, INPUT_REGISTERS, LAST_UNIT, Framing, Request
from edge.adapters.report import Value

UNIT = "unit"
"""The key under which a question's answer names the unit."""


def questions(
    units: Iterable[int] = range(1, LAST_UNIT + 1),
    *,
    functions: tuple[int, ...] = (HOLDING, INPUT_REGISTERS),
    framing: Framing = Framing.RTU,
    timeout_s: float = 0.3,
) -> Iterator[tuple[int, Exchange]]:
    """Yield (unit, question): one register of each function, since some devices know but one of them.

    Only reads are asked, and no broadcast: several devices would answer at once.
    """
    for unit in units:
        for function in functions:
            request = Request(unit=unit, function=function, start=0)
            sent = request.sent(framing, unit)
            read = partial(_read, request, sent, framing)
            yield unit, Exchange(request=sent, read=read, timeout_s=timeout_s)


def _read(request: Request, sent: bytes, framing: Framing, data: bytes) -> tuple[Value, ...] | None:
    """Return that the unit is there. Raises FrameError for an answer that is none."""
    try:
        found = answer(request, sent, data, framing)
    except FrameError as error:
        if error.reason not in ("exception", "length"):
            raise
        return (Value(UNIT, float(request.unit)),)
    return None if found is None else (Value(UNIT, float(request.unit)),)
