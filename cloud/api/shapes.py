"""Schemas that several nouns of the API share."""

from cloud.api.routing import Param
from cloud.api.schema import integer, nullable, number, obj, text
from cloud.registry.models import COUNTS
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
    },
)
KIND_PARAM = Param(
    name="kind", about="A node kind, see /api/v1/kinds.", schema={"type": "string", "enum": list(KINDS)}
)
NODE_PARAM = Param(name="node", about="A node's id.", schema=NODE_ID)
