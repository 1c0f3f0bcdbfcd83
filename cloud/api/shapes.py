"""Schemas that several nouns of the API share."""

from cloud.api.routing import Param
from cloud.api.schema import Schema, array, integer, mapping, nullable, number, obj, text
from cloud.registry.models import COUNTS
from edge.model.alert import Level
from edge.model.kinds import KINDS

TIME_MS = integer(-(2**53), 2**53)
COUNT = integer(0, 2**53)
COUNTS_SCHEMA = obj(dict.fromkeys(COUNTS, COUNT))
NODE_ID = text(min_length=3, max_length=32, pattern=r"^[a-z][a-z0-9-]{2,31}$")
GATEWAY_ID = NODE_ID
LABEL = obj({}, {"en": text(max_length=128), "zh": text(max_length=128)})
"""A name for people; without Chinese the English stands for it, without both the id."""
NODE = obj(
    {"id": NODE_ID, "kind": {"type": "string", "enum": list(KINDS)}},
    {
        "label": LABEL,
        "site": text(max_length=128),
        "district": text(max_length=128),
        "lat": nullable(number(-90, 90)),
        "lon": nullable(number(-180, 180)),
        "gateway": nullable(GATEWAY_ID),
        "stages": mapping(text(max_length=32, pattern=r"^[a-z][a-z0-9_]{1,31}$"), number(-20_000, 20_000)),
    },
)
NODE_OUT: Schema = {"type": "object", "required": ["id", "kind", "label", "site", "district", "state", "trial"]}
"""A node as it is told: registered facts, state, time of the newest reading, trial or not."""
COMMAND_ID = integer(1, 2**53)
KIND_PARAM = Param(
    name="kind", about="A node kind, see /api/v1/kinds.", schema={"type": "string", "enum": list(KINDS)}
)
NODE_PARAM = Param(name="node", about="A node's id.", schema=NODE_ID)

RULE = text(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")
WHO = text(min_length=1, max_length=64)
LEVEL: Schema = {"type": "string", "enum": [level.word for level in Level]}
_VALUE = nullable({"type": "number"})
_TIME_OR_NULL = nullable(TIME_MS)
_NAME_OR_NULL = nullable({"type": "string"})
_SENT = obj({"channel": text(max_length=64), "time_ms": TIME_MS, "level": text(max_length=16)})
_EPISODE: dict[str, Schema] = {
    "rule": RULE,
    "node": NODE_ID,
    "start_ms": TIME_MS,
    "quantity": text(max_length=64),
    "level": LEVEL,
    "highest": LEVEL,
    "value": _VALUE,
    "peak": _VALUE,
    "peak_ms": TIME_MS,
    "updated_ms": TIME_MS,
}
EPISODE: Schema = {
    "type": "object",
    "properties": {
        **_EPISODE,
        "threshold": _VALUE,
        "rate_per_h": _VALUE,
        "end_ms": _TIME_OR_NULL,
        "live": {"type": "boolean"},
        "revision": integer(0, 2**53),
        "gateway": text(max_length=32),
        "told": array(_SENT, max_items=200),
        "note": {**mapping(text(max_length=64), {"type": "number"}), "type": ["object", "null"]},
    },
    "required": list(_EPISODE),
}
"""An episode as gateways send it (edge.model.alert.Episode.to_dict); members that are not known are ignored."""
_ALERT: dict[str, Schema] = {
    "id": {"type": "integer"},
    "rule": {"type": "string"},
    "label": LABEL,
    "node": {"type": "string"},
    "node_label": LABEL,
    "kind": _NAME_OR_NULL,
    "system": _NAME_OR_NULL,
    "site": _NAME_OR_NULL,
    "district": _NAME_OR_NULL,
    "gateway": _NAME_OR_NULL,
    "quantity": {"type": "string"},
    "unit": {"type": "string"},
    "level": LEVEL,
    "highest": LEVEL,
    "value": _VALUE,
    "threshold": _VALUE,
    "peak": _VALUE,
    "peak_ms": TIME_MS,
    "rate_per_h": _VALUE,
    "start_ms": TIME_MS,
    "end_ms": _TIME_OR_NULL,
    "updated_ms": TIME_MS,
    "live": {"type": "boolean"},
    "state": {"type": "string", "enum": ["open", "acknowledged", "muted", "resolved", "closed"]},
    "assigned": _NAME_OR_NULL,
    "acknowledged_by": _NAME_OR_NULL,
    "acknowledged_ms": _TIME_OR_NULL,
    "muted_until_ms": _TIME_OR_NULL,
    "closed_by": _NAME_OR_NULL,
    "closed_ms": _TIME_OR_NULL,
    "told": array({"type": "string"}),
    "cause": nullable({"type": "integer"}),
    "follows": nullable({"type": "integer"}),
    "folded": {"type": "integer"},
    "note": {"type": "object"},
}
ALERT = obj(_ALERT)
STEP = obj(
    {"time_ms": TIME_MS, "who": {"type": "string"}, "step": {"type": "string"}, "text": {"type": "string"}}
)
ALERT_WITH_STEPS = obj({**_ALERT, "steps": array(STEP)})
