"""Readings: the newest of every node, one quantity over time, and over all nodes of a kind."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from cloud.api.nodes import registered
from cloud.api.routing import TIME_PATTERN, Call, Param, Route, json_answer
from cloud.api.schema import Schema, integer, text
from cloud.api.shapes import KIND_PARAM, NODE_PARAM
from cloud.errors import InvalidRequest
from cloud.levels import ROLLED, WINDOW_S, Level
from cloud.stores.protocol import RAW_LIMIT, Aggregate, Span, Step, Values
from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES, Mean

_DAY_MS = 86_400_000
_AGGREGATES = ("mean", "min", "max", "sum", "count", "last")
_DEFAULTS = {
    Mean.ARITHMETIC: Aggregate.MEAN,
    Mean.ENERGY: Aggregate.ENERGY,
    Mean.SUM: Aggregate.SUM,
    Mean.LAST: Aggregate.LAST,
}
_TIME: Schema = {"type": "string", "pattern": TIME_PATTERN, "maxLength": 40}
_QUANTITY = Param(
    name="quantity",
    about="A quantity of the kind; with _rejected or _qc appended, what was rejected and the flags.",
    schema=text(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]{0,63}$"),
    required=True,
)
_RANGE = (
    Param(name="start", about="From this time on; a day before the end if left out.", schema=_TIME, time=True),
    Param(name="end", about="Up to, not including, this time; now if left out.", schema=_TIME, time=True),
)
_AGGREGATE = Param(
    name="aggregate",
    about="How a window's values become one; the quantity's own way if left out. Decibels mean as energies.",
    schema={"type": "string", "enum": list(_AGGREGATES)},
)
_LEVEL = Param(
    name="level",
    about="What to read: every reading (raw), or the roll-ups by hours or days. Left out, what suits the range "
    "and step_s: days for more than two months, hours for more than a week, if step_s is a multiple of them.",
    schema={"type": "string", "enum": [level.value for level in Level]},
)
_FORMAT = Param(name="format", about="json or csv.", schema={"type": "string", "enum": ["json", "csv"]})


async def latest(call: Call) -> web.Response:
    """Answer with the newest reading of each node."""
    kind, node = call.params["kind"], call.params["node"]
    if node is not None:
        await registered(call, node)
        found = [reading for reading in [call.services.board.of(node)] if reading is not None]
    else:
        found = call.services.board.all()
    rows = [reading.to_dict() for reading in found if kind is None or reading.kind == kind]
    return json_answer({"time_ms": call.services.now_ms(), "latest": rows})


async def readings(call: Call) -> web.Response:
    """Answer with one quantity of a node over time."""
    node = await registered(call, call.params["node"])
    quantity = _known_quantity(node.kind, call.params["quantity"])
    span = _span(call)
    step = _step(call, span, quantity)
    if step is None and call.params["aggregate"] is not None:
        raise InvalidRequest(
            "aggregate without step_s", remedy="give step_s, in seconds, or leave aggregate out"
        )
    found = await call.services.reader.read(node.kind, node.id, quantity, span, step, _level(call))
    return _answer(call, {"node": node.id, **_about(quantity, step, found.level)}, found.values)


async def summary(call: Call) -> web.Response:
    """Answer with one quantity over all nodes of a kind, window by window."""
    kind = call.params["kind"]
    quantity = _known_quantity(kind, call.params["quantity"])
    span = _span(call)
    step = _step(call, span, quantity)
    assert step is not None  # step_s is required here
    found = await call.services.reader.read(kind, None, quantity, span, step, _level(call))
    return _answer(call, {"kind": kind, **_about(quantity, step, found.level)}, found.values)


def _level(call: Call) -> Level | None:
    text = call.params["level"]
    return None if text is None else Level(text)


def _known_quantity(kind: str, quantity: str) -> str:
    """Return the quantity, which may be any of the catalogue: a node may measure more than its kind does."""
    base = quantity.removesuffix("_rejected").removesuffix("_qc")
    if base not in QUANTITIES:
        raise InvalidRequest(
            f"parameter 'quantity': {quantity!r} is not in the catalogue",
            remedy=f"a {kind} has {', '.join(KINDS[kind].known)}",
        )
    return quantity


def _span(call: Call) -> Span:
    end_ms = call.params["end"] if call.params["end"] is not None else call.services.now_ms()
    start_ms = call.params["start"] if call.params["start"] is not None else end_ms - _DAY_MS
    if start_ms >= end_ms:
        raise InvalidRequest("start is not before end", remedy="exchange them, or give an earlier start")
    limit_ms = 2**63 // 1_000_000
    if not -limit_ms < start_ms < end_ms < limit_ms:
        raise InvalidRequest(
            "start or end lies outside the years 1678 to 2261", remedy="use epoch milliseconds"
        )
    return Span(start_ms=start_ms, end_ms=end_ms)


def _step(call: Call, span: Span, quantity: str) -> Step | None:
    step_s, level = call.params["step_s"], _level(call)
    if step_s is None and level in ROLLED:
        step_s = WINDOW_S[level]
    if step_s is None:
        return None
    if (span.end_ms - span.start_ms) // (step_s * 1_000) > RAW_LIMIT:
        raise InvalidRequest(f"more than {RAW_LIMIT} windows", remedy="use a larger step_s or a shorter range")
    row = QUANTITIES.get(quantity)
    if call.params["aggregate"] is not None:
        aggregate = Aggregate(call.params["aggregate"])
        if aggregate is Aggregate.MEAN and row is not None and row.mean is Mean.ENERGY:
            aggregate = Aggregate.ENERGY
    else:
        aggregate = _DEFAULTS[row.mean] if row is not None else Aggregate.LAST
    return Step(step_s=step_s, aggregate=aggregate)


def _about(quantity: str, step: Step | None, level: Level) -> dict[str, object]:
    row = QUANTITIES.get(quantity.removesuffix("_rejected"))
    aggregate = None
    if step is not None:
        aggregate = "mean" if step.aggregate is Aggregate.ENERGY else step.aggregate.value
    return {
        "quantity": quantity,
        "unit": row.unit if row is not None else "",
        "step_s": step.step_s if step else None,
        "aggregate": aggregate,
        "level": level.value,
    }


def _answer(call: Call, about: dict[str, object], values: Values) -> web.Response:
    if len(values) > RAW_LIMIT:
        raise InvalidRequest(f"more than {RAW_LIMIT} readings", remedy="use step_s, or a shorter range")
    if call.params["format"] == "csv":
        name = f"{about.get('node') or about.get('kind')}-{about['quantity']}.csv"
        return web.Response(
            text=_csv(call, str(about["quantity"]), values),
            content_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    return json_answer({**about, "readings": values})


def _csv(call: Call, quantity: str, values: Sequence[tuple[int, float]]) -> str:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("time_ms", "time", quantity))
    for time_ms, value in values:
        moment = datetime.fromtimestamp(time_ms / 1_000, call.services.timezone)
        writer.writerow((time_ms, moment.isoformat(timespec="milliseconds"), value))
    return table.getvalue()


_STEP_S = "Seconds a window lasts; windows are counted from local midnight."
_ROW: Schema = {"type": "array", "items": {"type": ["number", "boolean"]}, "minItems": 2, "maxItems": 2}
_READINGS: Schema = {
    "type": "object",
    "properties": {
        "quantity": {"type": "string"},
        "unit": {"type": "string"},
        "step_s": {"type": ["integer", "null"]},
        "aggregate": {"type": ["string", "null"]},
        "level": {"type": "string", "enum": [level.value for level in Level]},
        "readings": {"type": "array", "items": _ROW},
    },
    "required": ["quantity", "unit", "step_s", "aggregate", "level", "readings"],
}
ROUTES = (
    Route(
        method="GET", path="/api/v1/latest", handler=latest, summary="The newest reading of every node",
        params=(KIND_PARAM, NODE_PARAM), errors=(400, 404),
    ),
    Route(
        method="GET", path="/api/v1/readings", handler=readings, summary="One quantity of a node over time",
        params=(
            Param(name="node", about="The node's id.", schema=NODE_PARAM.schema, required=True),
            _QUANTITY, *_RANGE,
            Param(name="step_s", about=_STEP_S + " Without it, every reading.", schema=integer(1, 31_622_400)),
            _AGGREGATE, _LEVEL, _FORMAT,
        ),
        answer=_READINGS, errors=(400, 404, 503),
    ),
    Route(
        method="GET", path="/api/v1/summary", handler=summary, summary="One quantity over all nodes of a kind",
        params=(
            Param(name="kind", about=KIND_PARAM.about, schema=KIND_PARAM.schema, required=True),
            _QUANTITY, *_RANGE,
            Param(name="step_s", about=_STEP_S, schema=integer(1, 31_622_400), required=True),
            _AGGREGATE, _LEVEL, _FORMAT,
        ),
        answer=_READINGS, errors=(400, 503),
    ),
)  # fmt: skip
